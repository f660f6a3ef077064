//! The bridge's metrics: names, units, descriptions, and the functions that count.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

const MESSAGES: &str = "mqtt_messages_total";
const BATCHES: &str = "mqtt_batches_total";
const BATCH_DURATION: &str = "mqtt_batch_duration_seconds";
const RETRIES: &str = "mqtt_batch_retries_total";
const LAG: &str = "mqtt_lag_seconds";
const WAITING: &str = "mqtt_waiting_messages";
const ANSWERS: &str = "mqtt_answers_total";
const PUBLICATIONS: &str = "mqtt_publications_total";
const SESSIONS: &str = "mqtt_sessions_total";
const LINK_UP: &str = "mqtt_link_up";

/// Says what each metric means.
pub(crate) fn describe() {
    describe_counter!(MESSAGES, Unit::Count, "Messages by outcome: stored, repeated, refused, skipped");
    describe_counter!(BATCHES, Unit::Count, "Batches written; messages per batch is the mean size");
    describe_histogram!(BATCH_DURATION, Unit::Seconds, "From taking a batch to its acknowledgement");
    describe_counter!(RETRIES, Unit::Count, "How often a batch had to be written again");
    describe_histogram!(
        LAG,
        Unit::Seconds,
        "From the arrival of a batch's first message to its acknowledgement"
    );
    describe_gauge!(WAITING, Unit::Count, "Messages that wait in memory");
    describe_counter!(ANSWERS, Unit::Count, "Answers to devices by outcome: sent, dropped");
    describe_counter!(
        PUBLICATIONS,
        Unit::Count,
        "Messages of tasks by outcome: heard, unheard, expired, put-off, away, refused"
    );
    describe_counter!(SESSIONS, Unit::Count, "Connections by what the broker had kept: session or nothing");
    describe_gauge!(LINK_UP, Unit::Count, "1 while a connection to the broker does its work");
}

/// Counts messages by outcome.
pub(crate) fn messages(outcome: &'static str, count: usize) {
    counter!(MESSAGES, "outcome" => outcome).increment(u64::try_from(count).unwrap_or(u64::MAX));
}

/// Counts a batch that was written and acknowledged.
pub(crate) fn batch(took: Duration, lag: Duration) {
    counter!(BATCHES).increment(1);
    histogram!(BATCH_DURATION).record(took);
    histogram!(LAG).record(lag);
}

/// Counts a failed attempt at a batch.
pub(crate) fn retry() {
    counter!(RETRIES).increment(1);
}

/// Sets how many messages wait in memory.
pub(crate) fn waiting(count: usize) {
    gauge!(WAITING).set(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
}

/// Counts an answer by outcome.
pub(crate) fn answer(outcome: &'static str) {
    counter!(ANSWERS, "outcome" => outcome).increment(1);
}

/// Counts a message that a task wanted published, by outcome.
pub(crate) fn publication(outcome: &'static str) {
    counter!(PUBLICATIONS, "outcome" => outcome).increment(1);
}

/// Counts a connection by what the broker had kept for it.
pub(crate) fn session(kept: &'static str) {
    counter!(SESSIONS, "kept" => kept).increment(1);
}

/// Sets whether a connection does its work: 1 or 0.
pub(crate) fn link(name: &'static str, up: u8) {
    gauge!(LINK_UP, "link" => name).set(f64::from(up));
}
