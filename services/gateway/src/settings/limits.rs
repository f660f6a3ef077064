//! What one request may cost.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use service::Mistakes;

use super::{BYTES_MAX, MILLISECONDS_MAX};
use crate::body::BodyLimits;

/// `[limits]`: what one request may cost.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitSettings {
    /// Longest path and query.
    pub target_bytes_max: usize,
    /// Largest body on a route that says nothing else.
    pub body_bytes_max: usize,
    /// Longest time for a body to arrive.
    pub body_timeout_ms: u64,
    /// Largest body of who is not signed in.
    pub guest_body_bytes_max: usize,
    /// Memory for the bodies that are read whole, all of them together.
    pub body_memory_bytes_max: usize,
    /// How long a body may take before its rate counts.
    pub body_grace_ms: u64,
    /// Slowest rate after that; 0 takes any.
    pub body_bytes_per_second_min: u64,
    /// Longest wait for an upstream's answer to begin.
    pub upstream_timeout_ms: u64,
    /// Requests one upstream may hold at once.
    pub upstream_requests_max: usize,
    /// How long an address is passed over after nobody answered there.
    pub upstream_rest_ms: u64,
    /// Longest gap inside an answer.
    pub answer_silence_ms: u64,
    /// Longest time for a whole answer.
    pub answer_timeout_ms: u64,
}

impl LimitSettings {
    pub(super) fn check(&self, mistakes: &mut Mistakes) {
        mistakes.range("limits.target_bytes_max", self.target_bytes_max, 1..=65_536);
        mistakes.range("limits.body_bytes_max", self.body_bytes_max, 1..=BYTES_MAX);
        mistakes.range("limits.body_timeout_ms", self.body_timeout_ms, 1..=MILLISECONDS_MAX);
        mistakes.range("limits.body_grace_ms", self.body_grace_ms, 1..=MILLISECONDS_MAX);
        mistakes.range("limits.guest_body_bytes_max", self.guest_body_bytes_max, 1..=BYTES_MAX);
        mistakes.range("limits.body_memory_bytes_max", self.body_memory_bytes_max, 1..=BYTES_MAX);
        mistakes.range("limits.upstream_timeout_ms", self.upstream_timeout_ms, 1..=MILLISECONDS_MAX);
        mistakes.range("limits.upstream_requests_max", self.upstream_requests_max, 1..=1_000_000);
        mistakes.range("limits.upstream_rest_ms", self.upstream_rest_ms, 0..=MILLISECONDS_MAX);
        mistakes.range("limits.answer_silence_ms", self.answer_silence_ms, 1..=MILLISECONDS_MAX);
        mistakes.range("limits.answer_timeout_ms", self.answer_timeout_ms, 1..=MILLISECONDS_MAX);
        if self.body_memory_bytes_max < self.body_bytes_max {
            mistakes.add("limits.body_memory_bytes_max", "must not be less than limits.body_bytes_max");
        }
    }

    pub(crate) fn body(&self, bytes_max: usize) -> BodyLimits {
        BodyLimits {
            bytes_max,
            may_stream: true,
            timeout: Duration::from_millis(self.body_timeout_ms),
            grace: Duration::from_millis(self.body_grace_ms),
            bytes_per_second_min: self.body_bytes_per_second_min,
        }
    }
}
