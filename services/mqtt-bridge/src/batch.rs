//! One batch on its way into the database.

use app::telemetry::{DeadLetter, Message, Outcome, Refusal};
use domain::{Fault, MessageId};
use store::Store;

use crate::broker::Delivery;
use crate::message::{self, Unreadable};

/// Characters kept of a topic and of a reason, as the table allows.
const TOPIC_CHARS_MAX: usize = 1000;
const REASON_CHARS_MAX: usize = 500;

/// What became of a delivery for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is stored, by this batch.
    Stored(MessageId),
    /// It had been stored.
    Repeated(MessageId),
    /// It can never be stored and lies among the dead letters.
    Refused {
        /// Its id, if that much can be read.
        id: Option<MessageId>,
        /// Why, for the device.
        reason: String,
    },
}

/// Writes a batch: readings with all that follows from them, and dead letters. `Ok` means that everything is committed.
///
/// Safe to repeat after an error: what was stored then answers as repeated, which means the same to a device.
pub(crate) async fn write(
    store: &Store,
    batch: &[Delivery],
    letters_per_hour_max: u32,
) -> Result<Vec<Verdict>, app::Error> {
    let read: Vec<Result<Message, Unreadable>> = batch.iter().map(message::read).collect();
    let messages: Vec<Message> = read.iter().flatten().cloned().collect();
    let mut outcomes = app::telemetry::record_batch(store, &messages).await?.into_iter();
    let mut verdicts = Vec::with_capacity(batch.len());
    let mut letters = Vec::new();
    for (delivery, read) in batch.iter().zip(read) {
        let (verdict, letter) = judge(delivery, read, &mut outcomes);
        verdicts.push(verdict);
        letters.extend(letter);
    }
    if !letters.is_empty() {
        app::telemetry::record_dead_letters(store, &letters, letters_per_hour_max).await?;
    }
    Ok(verdicts)
}

fn judge(
    delivery: &Delivery,
    read: Result<Message, Unreadable>,
    outcomes: &mut impl Iterator<Item = Outcome>,
) -> (Verdict, Option<DeadLetter>) {
    let message = match read {
        Ok(message) => message,
        Err(unreadable) => return refuse(delivery, &unreadable.to_string(), unreadable.to_string(), None),
    };
    match outcomes.next() {
        Some(Outcome::Stored) => (Verdict::Stored(message.id), None),
        Some(Outcome::Duplicate) | None => (Verdict::Repeated(message.id), None),
        Some(Outcome::Refused(refusal)) => {
            let sqlstate = match &refusal {
                Refusal::Database { sqlstate } => Some(sqlstate.clone()),
                Refusal::UnknownDevice
                | Refusal::NoValues
                | Refusal::TooManyValues
                | Refusal::Metric
                | Refusal::Value => None,
            };
            refuse(delivery, &refusal.to_string(), told(&refusal), sqlstate)
        }
    }
}

/// What a device may read of a refusal.
fn told(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Database { .. } => "the values cannot be stored".to_owned(),
        Refusal::UnknownDevice
        | Refusal::NoValues
        | Refusal::TooManyValues
        | Refusal::Metric
        | Refusal::Value => refusal.to_string(),
    }
}

fn refuse(
    delivery: &Delivery,
    kept_reason: &str,
    reason: String,
    sqlstate: Option<String>,
) -> (Verdict, Option<DeadLetter>) {
    let letter = DeadLetter {
        topic: delivery.topic.chars().take(TOPIC_CHARS_MAX).collect(),
        payload: delivery.payload.to_vec(),
        reason: kept_reason.chars().take(REASON_CHARS_MAX).collect(),
        sqlstate,
        correlation_id: delivery.correlation_id,
        at: delivery.received_at,
    };
    (Verdict::Refused { id: message::id_of(&delivery.payload), reason }, Some(letter))
}

/// Whether somebody must look: the database is there, but refuses what it should take.
pub(crate) fn is_alarming(error: &app::Error) -> bool {
    error.kind() == domain::FaultKind::Internal
}
