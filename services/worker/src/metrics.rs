//! The worker's own metrics; the engine and the store bring theirs.

use std::time::Duration;

use jiff::Timestamp;
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

const MAILS: &str = "mails_total";

const HEARTBEAT_AT: &str = "heartbeat_timestamp_seconds";
const HEARTBEAT_DELAY: &str = "heartbeat_delay_seconds";
const HEARTBEAT_DATABASE: &str = "heartbeat_database_seconds";

/// Says what each metric means.
pub(crate) fn describe() {
    describe_gauge!(HEARTBEAT_AT, Unit::Seconds, "When this process last ran the heartbeat task, since 1970");
    describe_histogram!(HEARTBEAT_DELAY, Unit::Seconds, "From a heartbeat's tick to its execution");
    describe_histogram!(HEARTBEAT_DATABASE, Unit::Seconds, "What one question to the database takes");
    describe_counter!(
        MAILS,
        Unit::Count,
        "Attempts at mails by outcome: sent, delayed, put-off, refused, given-up, needless"
    );
}

/// Counts an attempt at a mail by outcome.
pub(crate) fn mail(outcome: &'static str) {
    counter!(MAILS, "outcome" => outcome).increment(1);
}

/// Records a heartbeat.
#[expect(
    clippy::cast_precision_loss,
    clippy::as_conversions,
    reason = "a gauge is a float; seconds since 1970 stay far below 2^52"
)]
pub(crate) fn heartbeat(now: Timestamp, delay: Duration, database: Duration) {
    gauge!(HEARTBEAT_AT).set(now.as_second() as f64);
    histogram!(HEARTBEAT_DELAY).record(delay);
    histogram!(HEARTBEAT_DATABASE).record(database);
}
