//! How auth is asked who somebody is.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use service::Mistakes;

use super::MILLISECONDS_MAX;
use crate::identity::IdentityLimits;
use crate::revocations::StreamLimits;

/// No identity is used longer than this, whatever the settings say: it is how long a revocation may go unheard.
const CACHE_MS_MAX: u64 = 30_000;

/// `[identity]`: how auth is asked who somebody is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentitySettings {
    /// Answers kept at once.
    pub cache_entries: usize,
    /// Longest use of an answer, and how long reads go on from kept answers when auth is away.
    pub cache_ms: u64,
    /// Longest wait for an answer.
    pub timeout_ms: u64,
    /// Questions under way at once.
    pub requests_max: usize,
    /// Without a sign of life of the revocation stream for this long, auth is asked about every request.
    pub silence_ms: u64,
    /// Pause before a lost revocation stream is opened again, and before an auth that did not answer is asked again by
    /// who can go on without.
    pub pause_ms: u64,
    /// A revocation stream is opened again after this, however well it is.
    pub stream_lifetime_ms: u64,
}

impl IdentitySettings {
    pub(super) fn check(&self, mistakes: &mut Mistakes) {
        mistakes.range("identity.cache_entries", self.cache_entries, 1..=10_000_000);
        mistakes.range("identity.cache_ms", self.cache_ms, 0..=CACHE_MS_MAX);
        mistakes.range("identity.timeout_ms", self.timeout_ms, 1..=MILLISECONDS_MAX);
        mistakes.range("identity.requests_max", self.requests_max, 1..=1_000_000);
        mistakes.range("identity.silence_ms", self.silence_ms, 1..=MILLISECONDS_MAX);
        mistakes.range("identity.pause_ms", self.pause_ms, 1..=MILLISECONDS_MAX);
        mistakes.range("identity.stream_lifetime_ms", self.stream_lifetime_ms, 1..=MILLISECONDS_MAX);
    }

    pub(crate) fn exchange(&self) -> IdentityLimits {
        IdentityLimits {
            timeout: Duration::from_millis(self.timeout_ms),
            cache: Duration::from_millis(self.cache_ms),
            pause: self.pause(),
        }
    }

    pub(crate) fn silence(&self) -> Duration {
        Duration::from_millis(self.silence_ms)
    }

    pub(crate) fn pause(&self) -> Duration {
        Duration::from_millis(self.pause_ms)
    }

    pub(crate) fn stream(&self) -> StreamLimits {
        StreamLimits {
            silence_max: self.silence(),
            pause: self.pause(),
            lifetime: Duration::from_millis(self.stream_lifetime_ms),
        }
    }
}
