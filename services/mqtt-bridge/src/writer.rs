//! From the inbox into the database, then back to broker and device.

use std::time::Duration;

use api::device::TelemetryAnswer;
use backon::{BackoffBuilder, ExponentialBuilder};
use domain::MessageId;
use service::{Clock, Drain};
use store::Store;
use tokio::time::{Instant, sleep};

use crate::batch::{self, Verdict};
use crate::broker::{Answers, Delivery, Inbox};
use crate::metrics;
use crate::settings::BatchSettings;
use crate::topics::Address;

/// Refusals of one batch with a log line of their own; the batch's line counts them all.
const REFUSALS_LOGGED_MAX: usize = 10;

/// Writes batches one after the other, so that acknowledgements keep the order of arrival.
pub(crate) struct Writer {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) settings: BatchSettings,
    pub(crate) inbox: Inbox,
    pub(crate) answers: Answers,
    pub(crate) drain: Drain,
}

impl Writer {
    /// Writes until the drain begins. What waits then stays unacknowledged and is delivered again.
    pub(crate) async fn run(mut self) {
        loop {
            let batch = tokio::select! {
                biased;
                () = self.drain.begun() => return,
                batch = self.inbox.batch() => batch,
            };
            let Some(batch) = batch else { return };
            let begun = Instant::now();
            let Some((verdicts, attempts)) = self.write(&batch).await else { return };
            for (delivery, verdict) in batch.iter().zip(&verdicts) {
                delivery.acknowledge();
                self.answer(delivery, verdict);
            }
            self.report(&batch, &verdicts, attempts, begun.elapsed());
        }
    }

    /// Tries until the batch is committed, or the process stops. Nothing is acknowledged meanwhile, so the broker's
    /// receive maximum holds the flow.
    async fn write(&self, batch: &[Delivery]) -> Option<(Vec<Verdict>, u32)> {
        let longest = Duration::from_millis(self.settings.retry_delay_max_ms);
        let mut delays = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(self.settings.retry_delay_min_ms))
            .with_max_delay(longest)
            .with_jitter()
            .without_max_times()
            .build();
        let mut attempts = 1;
        loop {
            match batch::write(&self.store, batch, self.settings.dead_letters_per_hour_max).await {
                Ok(verdicts) => return Some((verdicts, attempts)),
                Err(error) => complain(&error, attempts),
            }
            metrics::retry();
            tokio::select! {
                () = self.drain.begun() => return None,
                () = sleep(delays.next().unwrap_or(longest)) => attempts += 1,
            }
        }
    }

    /// Tells the device, whose address is the topic it published to.
    fn answer(&self, delivery: &Delivery, verdict: &Verdict) {
        let Some(address) = Address::parse(&delivery.topic) else { return };
        let payload = serde_json::to_vec(&answer_of(verdict)).expect("ids, flags and texts are always JSON");
        self.answers.send(address.answer_topic(), payload, delivery.correlation_id);
    }

    fn report(&self, batch: &[Delivery], verdicts: &[Verdict], attempts: u32, took: Duration) {
        let now = self.clock.now();
        let oldest = batch.iter().map(|delivery| delivery.received_at).min().unwrap_or(now);
        let lag = Duration::try_from(now.duration_since(oldest)).unwrap_or(Duration::ZERO);
        let count = |wanted: fn(&Verdict) -> bool| verdicts.iter().filter(|verdict| wanted(verdict)).count();
        let stored = count(|verdict| matches!(verdict, Verdict::Stored(_)));
        let repeated = count(|verdict| matches!(verdict, Verdict::Repeated(_)));
        let refused = count(|verdict| matches!(verdict, Verdict::Refused { .. }));
        metrics::batch(took, lag);
        metrics::messages("stored", stored);
        metrics::messages("repeated", repeated);
        metrics::messages("refused", refused);
        metrics::waiting(self.inbox.waiting());
        let refusals = batch.iter().zip(verdicts).filter_map(|(delivery, verdict)| match verdict {
            Verdict::Refused { reason, .. } => Some((delivery, reason)),
            Verdict::Stored(_) | Verdict::Repeated(_) => None,
        });
        for (delivery, reason) in refusals.take(REFUSALS_LOGGED_MAX) {
            report_refusal(delivery, reason);
        }
        tracing::info!(
            target: "mqtt",
            messages = batch.len(),
            stored,
            repeated,
            refused,
            attempts,
            elapsed_ms = took.as_millis(),
            lag_ms = lag.as_millis(),
            waiting = self.inbox.waiting(),
            "batch written"
        );
    }
}

fn answer_of(verdict: &Verdict) -> TelemetryAnswer {
    let stored = |id: MessageId| TelemetryAnswer { id: Some(id), stored: true, reason: None };
    match verdict {
        Verdict::Stored(id) | Verdict::Repeated(id) => stored(*id),
        Verdict::Refused { id, reason } => {
            TelemetryAnswer { id: *id, stored: false, reason: Some(reason.clone()) }
        }
    }
}

fn report_refusal(delivery: &Delivery, reason: &str) {
    tracing::warn!(
        target: "mqtt",
        topic = delivery.topic,
        correlation_id = %delivery.correlation_id,
        reason,
        "a message can never be stored and is among the dead letters"
    );
}

fn complain(error: &app::Error, attempts: u32) {
    let alarming = batch::is_alarming(error);
    let chain = domain::fault::chain(error);
    if alarming {
        tracing::error!(target: "mqtt", attempts, error.chain = chain, "the database refuses a batch; it is tried again");
    } else {
        tracing::warn!(target: "mqtt", attempts, error.chain = chain, "a batch waits for the database");
    }
}
