//! The last observation of every target: what answers are made of, without asking anybody.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::finding::{Finding, Observation};
use crate::targets::{Target, Weight};

/// What is known of all targets.
#[derive(Clone)]
pub(crate) struct Board {
    places: Vec<Place>,
    stale_after: Duration,
}

/// Where one target's observation is kept.
#[derive(Clone)]
struct Place {
    name: String,
    weight: Weight,
    depends_on: Vec<String>,
    last: watch::Receiver<Option<Observation>>,
}

/// One target as it counts at a moment.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    /// Its check's name.
    pub(crate) name: String,
    /// What the whole is without it.
    pub(crate) weight: Weight,
    /// Checks whose failure explains this one's.
    pub(crate) depends_on: Vec<String>,
    /// What counts: what was found, or that nothing recent is known.
    pub(crate) finding: Finding,
    /// What was last seen, if anything ever.
    pub(crate) observation: Option<Observation>,
}

impl Board {
    /// An empty board.
    pub(crate) fn new(stale_after: Duration) -> Self {
        Self { places: Vec::new(), stale_after }
    }

    /// Makes a place for a target and returns where its observations go.
    pub(crate) fn add(&mut self, target: &Target) -> watch::Sender<Option<Observation>> {
        let (sender, last) = watch::channel(None);
        self.places.push(Place {
            name: target.name.clone(),
            weight: target.weight,
            depends_on: target.depends_on.clone(),
            last,
        });
        sender
    }

    /// Whether every target was asked at least once.
    pub(crate) fn is_filled(&self) -> bool {
        self.places.iter().all(|place| place.last.borrow().is_some())
    }

    /// How every target counts at a moment. What is not known counts as failed.
    pub(crate) fn standings(&self, at: Instant) -> Vec<Standing> {
        self.places
            .iter()
            .map(|place| {
                let observation = place.last.borrow().clone();
                Standing {
                    name: place.name.clone(),
                    weight: place.weight,
                    depends_on: place.depends_on.clone(),
                    finding: counts(observation.as_ref(), at, self.stale_after),
                    observation,
                }
            })
            .collect()
    }
}

fn counts(observation: Option<&Observation>, at: Instant, stale_after: Duration) -> Finding {
    let Some(observation) = observation else {
        return Finding::unhealthy("not asked yet");
    };
    let age = at.saturating_duration_since(observation.seen);
    if age > stale_after {
        Finding::unhealthy(format!("last asked {} s ago: the prober is stuck", age.as_secs()))
    } else {
        observation.finding.clone()
    }
}

#[cfg(test)]
mod tests {
    use api::health::HealthStatus;

    use super::*;

    #[test]
    fn an_old_answer_counts_as_failed() {
        let limit = Duration::from_secs(5);
        let seen =
            Observation::following(None, Finding::healthy("answers"), jiff::Timestamp::UNIX_EPOCH, limit);
        let counted = |age| counts(Some(&seen), seen.seen + age, limit).status;
        assert_eq!(counted(Duration::from_secs(5)), HealthStatus::Healthy);
        assert_eq!(counted(Duration::from_secs(6)), HealthStatus::Unhealthy);
        assert_eq!(counts(None, Instant::now(), limit).status, HealthStatus::Unhealthy);
    }
}
