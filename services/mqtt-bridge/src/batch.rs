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
    bury(store, letters, letters_per_hour_max).await?;
    Ok(verdicts)
}

/// Keeps dead letters: all at once, or each alone where PostgreSQL refuses a value, so that one of them never holds up
/// the rest.
async fn bury(store: &Store, letters: Vec<DeadLetter>, per_hour_max: u32) -> Result<(), app::Error> {
    if letters.is_empty() {
        return Ok(());
    }
    match app::telemetry::record_dead_letters(store, &letters, per_hour_max).await {
        Ok(_) => return Ok(()),
        Err(error) if !is_about_values(&error) => return Err(error),
        Err(_refused) => {}
    }
    for letter in letters {
        bury_alone(store, letter, per_hour_max).await?;
    }
    Ok(())
}

/// Keeps one dead letter; without its texts if they are what is refused. Nothing else can be done for one that is
/// refused even so.
async fn bury_alone(store: &Store, letter: DeadLetter, per_hour_max: u32) -> Result<(), app::Error> {
    let correlation_id = letter.correlation_id;
    let bare = DeadLetter { topic: "unknown".to_owned(), reason: "unknown".to_owned(), ..letter.clone() };
    for attempt in [letter, bare] {
        match app::telemetry::record_dead_letters(store, &[attempt], per_hour_max).await {
            Ok(_) => return Ok(()),
            Err(error) if !is_about_values(&error) => return Err(error),
            Err(_refused) => {}
        }
    }
    tracing::error!(target: "mqtt", %correlation_id, "a dead letter cannot be kept and is lost");
    Ok(())
}

fn judge(
    delivery: &Delivery,
    read: Result<Message, Unreadable>,
    outcomes: &mut impl Iterator<Item = Outcome>,
) -> (Verdict, Option<DeadLetter>) {
    let message = match read {
        Ok(message) => message,
        Err(unreadable) => {
            let reason = unreadable.to_string();
            return refuse(delivery, &reason, &reason, None);
        }
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
            refuse(delivery, &refusal.to_string(), &told(&refusal), sqlstate)
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
    told_reason: &str,
    sqlstate: Option<String>,
) -> (Verdict, Option<DeadLetter>) {
    let letter = DeadLetter {
        topic: readable(&delivery.topic, TOPIC_CHARS_MAX),
        payload: delivery.payload.to_vec(),
        reason: readable(kept_reason, REASON_CHARS_MAX),
        sqlstate,
        correlation_id: delivery.correlation_id,
        at: delivery.received_at,
    };
    let reason = readable(told_reason, REASON_CHARS_MAX);
    (Verdict::Refused { id: message::id_of(&delivery.payload), reason }, Some(letter))
}

/// Cuts a text that a device may have chosen. Control characters are shown as replaced: PostgreSQL refuses one of them,
/// and a person who reads the rest should not be fooled by them.
fn readable(text: &str, chars_max: usize) -> String {
    let shown = |character: char| {
        if character.is_control() { char::REPLACEMENT_CHARACTER } else { character }
    };
    text.chars().map(shown).take(chars_max).collect()
}

/// Whether PostgreSQL was there and refused what it was given.
fn is_about_values(error: &app::Error) -> bool {
    matches!(error, app::Error::Store(error) if error.is_about_values())
}

/// Whether somebody must look: the database is there, but refuses what it should take.
pub(crate) fn is_alarming(error: &app::Error) -> bool {
    error.kind() == domain::FaultKind::Internal
}
