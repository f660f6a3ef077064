//! Security events on their way to auth.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use service::Mistakes;

use super::MILLISECONDS_MAX;
use crate::spool::SpoolLimits;

/// `[spool]`: security events on their way to auth.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpoolSettings {
    /// Events that may wait; more are counted and dropped.
    pub events_max: usize,
    /// Events alike within this time become one.
    pub merge_ms: u64,
    /// Pause between two letters to auth.
    pub pause_ms: u64,
    /// Longest wait for auth.
    pub timeout_ms: u64,
}

impl SpoolSettings {
    pub(super) fn check(&self, mistakes: &mut Mistakes) {
        mistakes.range("spool.events_max", self.events_max, 1..=1_000_000);
        mistakes.range("spool.merge_ms", self.merge_ms, 0..=MILLISECONDS_MAX);
        mistakes.range("spool.pause_ms", self.pause_ms, 1..=MILLISECONDS_MAX);
        mistakes.range("spool.timeout_ms", self.timeout_ms, 1..=MILLISECONDS_MAX);
    }

    pub(crate) fn limits(&self) -> SpoolLimits {
        SpoolLimits {
            events_max: self.events_max,
            merge: Duration::from_millis(self.merge_ms),
            pause: Duration::from_millis(self.pause_ms),
            timeout: Duration::from_millis(self.timeout_ms),
        }
    }
}
