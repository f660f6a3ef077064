//! The worker's own metrics; the engine and the store bring theirs.

use metrics::{Unit, counter, describe_counter};

const MAILS: &str = "mails_total";

/// Says what each metric means.
pub(crate) fn describe() {
    describe_counter!(MAILS, Unit::Count, "Mails by outcome: sent, put-off, refused, needless");
}

/// Counts a mail by outcome.
pub(crate) fn mail(outcome: &'static str) {
    counter!(MAILS, "outcome" => outcome).increment(1);
}
