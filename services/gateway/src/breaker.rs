//! The breaker of an upstream: when nobody answers for a while, nobody is kept waiting either.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// When the breaker opens, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BreakerLimits {
    /// Requests in a row without an answer that open it.
    pub(crate) failures: u32,
    /// How long it stays open before one request may try.
    pub(crate) open_ms: u64,
}

/// Closed: requests pass. Open: they are refused at once. Half open: one of them tries.
#[derive(Debug)]
pub(crate) struct Breaker {
    limits: BreakerLimits,
    failures: AtomicU32,
    /// Milliseconds on the upstream's clock; 0 while it is closed.
    open_until: AtomicU64,
    is_tried: AtomicBool,
}

/// The right to send a request, and the duty to say how it ended. Dropped without a word, it says nothing about the
/// upstream: the client went away.
#[derive(Debug)]
pub(crate) struct Passage<'a> {
    breaker: &'a Breaker,
    is_trial: bool,
}

impl Breaker {
    /// A closed one.
    pub(crate) fn new(limits: BreakerLimits) -> Self {
        Self {
            limits,
            failures: AtomicU32::new(0),
            open_until: AtomicU64::new(0),
            is_tried: AtomicBool::new(false),
        }
    }

    /// Lets a request pass, or says for how many milliseconds none will.
    pub(crate) fn pass(&self, now_ms: u64) -> Result<Passage<'_>, u64> {
        let open_until = self.open_until.load(Ordering::Acquire);
        if open_until == 0 {
            return Ok(Passage { breaker: self, is_trial: false });
        }
        if now_ms < open_until {
            return Err(open_until - now_ms);
        }
        if self.is_tried.swap(true, Ordering::AcqRel) {
            return Err(self.limits.open_ms);
        }
        Ok(Passage { breaker: self, is_trial: true })
    }
}

impl Passage<'_> {
    /// The upstream answered. Says whether that closed the breaker.
    pub(crate) fn answered(self) -> bool {
        if self.breaker.failures.load(Ordering::Relaxed) != 0 {
            self.breaker.failures.store(0, Ordering::Relaxed);
        }
        self.breaker.open_until.load(Ordering::Relaxed) != 0
            && self.breaker.open_until.swap(0, Ordering::AcqRel) != 0
    }

    /// Nobody answered. Says whether that opened the breaker.
    pub(crate) fn unanswered(self, now_ms: u64) -> bool {
        let failures = self.breaker.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if !self.is_trial && failures < self.breaker.limits.failures {
            return false;
        }
        let until = now_ms.saturating_add(self.breaker.limits.open_ms).max(1);
        self.breaker.open_until.swap(until, Ordering::AcqRel) == 0
    }
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        if self.is_trial {
            self.breaker.is_tried.store(false, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> Breaker {
        Breaker::new(BreakerLimits { failures: 2, open_ms: 100 })
    }

    fn fail_twice(breaker: &Breaker) {
        assert!(!breaker.pass(0).unwrap().unanswered(0));
        assert!(breaker.pass(0).unwrap().unanswered(0));
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_says_for_how_long() {
        let breaker = breaker();
        assert!(!breaker.pass(0).unwrap().unanswered(0));
        breaker.pass(0).unwrap().answered();
        assert!(!breaker.pass(0).unwrap().unanswered(0));
        assert!(breaker.pass(0).unwrap().unanswered(0));
        assert_eq!(breaker.pass(40).unwrap_err(), 60);
    }

    #[test]
    fn one_request_tries_and_its_answer_closes_it() {
        let breaker = breaker();
        fail_twice(&breaker);
        let trial = breaker.pass(100).unwrap();
        assert!(breaker.pass(100).is_err(), "only one");
        assert!(trial.answered());
        assert!(breaker.pass(100).is_ok() && breaker.pass(100).is_ok());
    }

    #[test]
    fn a_trial_that_fails_opens_it_again_and_one_that_is_dropped_leaves_the_next_its_turn() {
        let breaker = breaker();
        fail_twice(&breaker);
        drop(breaker.pass(100).unwrap());
        breaker.pass(100).unwrap().unanswered(100);
        assert_eq!(breaker.pass(150).unwrap_err(), 50);
        assert!(breaker.pass(200).is_ok());
    }
}
