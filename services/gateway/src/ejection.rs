//! Which addresses of an upstream are passed over: those where nobody answers, and those that only fail.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// When an address that fails is passed over, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EjectionLimits {
    /// Failures in a row that eject it.
    pub(crate) failures: u32,
    /// How long the first time; each further time in a row adds as much.
    pub(crate) rest_ms: u64,
    /// How long at most.
    pub(crate) rest_ms_max: u64,
    /// Percent of the addresses that may be ejected at once, rounded down: a lone address never is.
    pub(crate) percent_max: usize,
}

/// How an address has fared.
#[derive(Debug, Default)]
pub(crate) struct Health {
    failures: AtomicU32,
    ejections: AtomicU32,
    /// Milliseconds on the upstream's clock.
    rests_until: AtomicU64,
    ejected_until: AtomicU64,
}

impl Health {
    /// Whether it takes its turn.
    pub(crate) fn is_well(&self, now_ms: u64) -> bool {
        self.rests_until.load(Ordering::Relaxed) <= now_ms && !self.is_ejected(now_ms)
    }

    /// Whether it is passed over because it failed.
    pub(crate) fn is_ejected(&self, now_ms: u64) -> bool {
        self.ejected_until.load(Ordering::Relaxed) > now_ms
    }

    /// Nobody answered there: it is passed over for a moment.
    pub(crate) fn rest(&self, until_ms: u64) {
        self.rests_until.store(until_ms, Ordering::Relaxed);
    }

    /// It answered as it should.
    pub(crate) fn succeeded(&self) {
        // Reading is cheaper than writing what every thread reads.
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
        if self.ejections.load(Ordering::Relaxed) != 0 {
            self.ejections.store(0, Ordering::Relaxed);
        }
    }

    /// It failed. Says whether it has failed as often in a row as it may.
    pub(crate) fn failed(&self, limits: EjectionLimits) -> bool {
        self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1) >= limits.failures
    }

    /// Passes it over, longer each time; gives the milliseconds.
    pub(crate) fn eject(&self, now_ms: u64, limits: EjectionLimits) -> u64 {
        self.failures.store(0, Ordering::Relaxed);
        let times = u64::from(self.ejections.fetch_add(1, Ordering::Relaxed).saturating_add(1));
        let rest = limits.rest_ms.saturating_mul(times).min(limits.rest_ms_max);
        self.ejected_until.store(now_ms.saturating_add(rest), Ordering::Relaxed);
        rest
    }
}

impl EjectionLimits {
    /// Whether one more of `count` addresses may be ejected.
    pub(crate) fn allows(self, ejected: usize, count: usize) -> bool {
        (ejected + 1).saturating_mul(100) <= count.saturating_mul(self.percent_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: EjectionLimits =
        EjectionLimits { failures: 3, rest_ms: 100, rest_ms_max: 250, percent_max: 50 };

    #[test]
    fn an_address_is_ejected_by_failures_in_a_row_only() {
        let health = Health::default();
        assert!(!health.failed(LIMITS) && !health.failed(LIMITS));
        health.succeeded();
        assert!(!health.failed(LIMITS) && !health.failed(LIMITS));
        assert!(health.failed(LIMITS));
    }

    #[test]
    fn an_ejection_ends_and_the_next_one_lasts_longer_up_to_the_limit() {
        let health = Health::default();
        let rests: Vec<_> = [0, 1000, 2000].map(|now| health.eject(now, LIMITS)).to_vec();
        assert_eq!(rests, [100, 200, 250]);
        assert!(health.is_ejected(2249) && !health.is_ejected(2250));
        health.succeeded();
        assert_eq!(health.eject(3000, LIMITS), 100);
    }

    #[test]
    fn a_share_of_the_addresses_always_stays() {
        assert!(!LIMITS.allows(0, 1), "a lone address");
        assert!(LIMITS.allows(0, 2) && !LIMITS.allows(1, 2));
        assert!(LIMITS.allows(0, 3) && !LIMITS.allows(1, 3));
        assert!(LIMITS.allows(1, 4) && !LIMITS.allows(2, 4));
    }
}
