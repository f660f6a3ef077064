//! What one question to one target brought.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use api::health::HealthStatus;
use jiff::Timestamp;
use serde_json::Value;

/// What a probe says of its target. Texts are ours: no address, user name or foreign message stands in them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    /// How well the target does.
    pub(crate) status: HealthStatus,
    /// Why.
    pub(crate) message: String,
    /// Figures for everyone.
    pub(crate) details: BTreeMap<String, Value>,
    /// Figures for operators alone.
    pub(crate) internal: BTreeMap<String, Value>,
}

impl Finding {
    /// The target does its work.
    pub(crate) fn healthy(message: impl Into<String>) -> Self {
        Self::new(HealthStatus::Healthy, message)
    }

    /// The target works, but somebody should look.
    pub(crate) fn degraded(message: impl Into<String>) -> Self {
        Self::new(HealthStatus::Degraded, message)
    }

    /// The target does not work.
    pub(crate) fn unhealthy(message: impl Into<String>) -> Self {
        Self::new(HealthStatus::Unhealthy, message)
    }

    fn new(status: HealthStatus, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), details: BTreeMap::new(), internal: BTreeMap::new() }
    }

    /// Adds a figure for everyone.
    pub(crate) fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a figure for operators alone.
    pub(crate) fn internal(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.internal.insert(name.to_owned(), value.into());
        self
    }
}

/// A finding with its time.
#[derive(Clone, Debug)]
pub(crate) struct Observation {
    /// What was found.
    pub(crate) finding: Finding,
    /// When, for readers.
    pub(crate) at: Timestamp,
    /// When, for measuring age.
    pub(crate) seen: Instant,
    /// How long the answer took.
    pub(crate) duration: Duration,
    /// The first of the unbroken row of findings that were not healthy.
    pub(crate) since: Option<Timestamp>,
}

impl Observation {
    /// Follows `before`: the time of the first failure stays while the failure does.
    pub(crate) fn following(
        before: Option<&Self>,
        finding: Finding,
        at: Timestamp,
        duration: Duration,
    ) -> Self {
        let since = match finding.status {
            HealthStatus::Healthy => None,
            HealthStatus::Degraded | HealthStatus::Unhealthy => {
                before.and_then(|before| before.since).or(Some(at))
            }
        };
        Self { finding, at, seen: Instant::now(), duration, since }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn since_is_the_first_failure_and_ends_with_it() {
        let (first, second, third) =
            (at("2030-01-01T00:00:00Z"), at("2030-01-01T00:00:01Z"), at("2030-01-01T00:00:02Z"));
        let instantly = Duration::ZERO;
        let failed = Observation::following(None, Finding::unhealthy("refused"), first, instantly);
        let failing = Observation::following(Some(&failed), Finding::degraded("slow"), second, instantly);
        let well = Observation::following(Some(&failing), Finding::healthy("answers"), third, instantly);
        assert_eq!((failed.since, failing.since, well.since), (Some(first), Some(first), None));
    }
}
