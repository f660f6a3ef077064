//! What one caller may still send of one class, as far as this gateway knows.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crate::caller::KEY_BYTES;
use crate::rate::SECOND;

/// How many requests are asked for ahead of a caller who was quiet.
const LEASE_FIRST: u32 = 4;

/// What auth is asked with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// The time of one request in microseconds.
    pub(crate) interval: u64,
    /// How many may come at once.
    pub(crate) burst: u32,
    /// How many are asked for ahead at most.
    pub(crate) lease_max: u32,
    /// How long those may be used, in microseconds.
    pub(crate) lease: u64,
}

/// One caller's account of one class. Times are microseconds since the start.
#[derive(Debug)]
pub(crate) struct Account {
    /// What auth counts it under.
    pub(crate) key: [u8; KEY_BYTES],
    /// When the bucket of this gateway's own share is full again.
    pub(crate) own: AtomicU64,
    /// When the bucket that replaces auth is full again.
    pub(crate) fallback: AtomicU64,
    /// Requests that were asked for ahead and not sent yet, and until when they may be.
    leased: AtomicU32,
    leased_until: AtomicU64,
    /// How many are asked for ahead, and when that was done last.
    size: AtomicU32,
    asked_at: AtomicU64,
    is_asking: AtomicBool,
    /// What was left at auth when it was asked last.
    remaining: AtomicU32,
    /// Until when auth has nothing: there it never moves back, so that it need not be asked before.
    denied_until: AtomicU64,
}

impl Account {
    /// The account of a caller nobody has seen.
    pub(crate) fn new(key: [u8; KEY_BYTES], burst: u32) -> Self {
        Self {
            key,
            own: AtomicU64::new(0),
            fallback: AtomicU64::new(0),
            leased: AtomicU32::new(0),
            leased_until: AtomicU64::new(0),
            size: AtomicU32::new(LEASE_FIRST),
            asked_at: AtomicU64::new(0),
            is_asking: AtomicBool::new(false),
            remaining: AtomicU32::new(burst),
            denied_until: AtomicU64::new(0),
        }
    }

    /// Takes one request out of those that were asked for ahead.
    pub(crate) fn take_leased(&self, now: u64) -> Option<u32> {
        if now >= self.leased_until.load(Ordering::Acquire) {
            return None;
        }
        let take = |leased: u32| leased.checked_sub(1);
        self.leased.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).ok().map(|before| before - 1)
    }

    /// How many that were asked for ahead are left.
    pub(crate) fn leased(&self, now: u64) -> u32 {
        let is_valid = now < self.leased_until.load(Ordering::Acquire);
        if is_valid { self.leased.load(Ordering::Acquire) } else { 0 }
    }

    /// What was left at auth when it was asked last.
    pub(crate) fn remaining(&self) -> u32 {
        self.remaining.load(Ordering::Acquire)
    }

    /// Whether so few are left that more should be asked for.
    pub(crate) fn runs_low(&self, left: u32, terms: &Terms) -> bool {
        left <= self.lease_size(terms) / 2
    }

    /// How long auth has nothing.
    pub(crate) fn denied_for(&self, now: u64) -> Option<u64> {
        self.denied_until.load(Ordering::Acquire).checked_sub(now).filter(|left| *left > 0)
    }

    pub(crate) fn deny_until(&self, moment: u64) {
        self.denied_until.fetch_max(moment, Ordering::AcqRel);
    }

    /// How many to ask for ahead.
    pub(crate) fn lease_size(&self, terms: &Terms) -> u32 {
        self.size.load(Ordering::Acquire).min(terms.lease_max)
    }

    /// Keeps what was granted beyond need. Who used the last lease up at once gets a larger one, others a smaller one.
    pub(crate) fn keep(&self, granted: u32, remaining: u32, now: u64, terms: &Terms) {
        self.remaining.store(remaining, Ordering::Release);
        let since = now.saturating_sub(self.asked_at.swap(now, Ordering::AcqRel));
        let size = self.size.load(Ordering::Acquire);
        let next = if since < SECOND / 2 { size.saturating_mul(2) } else { size / 2 };
        self.size.store(next.clamp(1, terms.lease_max.max(1)), Ordering::Release);
        let is_over = now >= self.leased_until.swap(now.saturating_add(terms.lease), Ordering::AcqRel);
        if is_over {
            self.leased.store(granted, Ordering::Release);
        } else {
            self.leased.fetch_add(granted, Ordering::AcqRel);
        }
    }

    /// Marks that somebody asks ahead; `false` when somebody does already.
    pub(crate) fn begin_asking(&self) -> bool {
        !self.is_asking.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn end_asking(&self) {
        self.is_asking.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms { interval: SECOND, burst: 100, lease_max: 16, lease: 2 * SECOND };

    fn account() -> Account {
        Account::new([0; KEY_BYTES], 100)
    }

    #[test]
    fn what_was_asked_for_ahead_is_used_for_a_while_only() {
        let account = account();
        assert_eq!(account.take_leased(1), None);
        account.keep(2, 98, SECOND, &TERMS);
        assert_eq!(account.take_leased(SECOND), Some(1));
        assert_eq!(account.leased(2 * SECOND), 1);
        assert_eq!(account.take_leased(3 * SECOND), None);
        account.keep(3, 90, 4 * SECOND, &TERMS);
        assert_eq!(account.leased(4 * SECOND), 3, "the old ones do not come back");
        account.keep(3, 90, 5 * SECOND, &TERMS);
        assert_eq!(account.leased(5 * SECOND), 6);
    }

    #[test]
    fn a_busy_caller_is_asked_for_in_larger_pieces() {
        let account = account();
        let mut sizes = Vec::new();
        for now in [10 * SECOND, 10 * SECOND + 1, 10 * SECOND + 2, 10 * SECOND + 3, 60 * SECOND] {
            account.keep(0, 0, now, &TERMS);
            sizes.push(account.lease_size(&TERMS));
        }
        assert_eq!(sizes, [2, 4, 8, 16, 8]);
    }

    #[test]
    fn a_denial_is_believed_until_its_end() {
        let account = account();
        account.deny_until(5 * SECOND);
        account.deny_until(2 * SECOND);
        assert_eq!(account.denied_for(SECOND), Some(4 * SECOND));
        assert_eq!(account.denied_for(5 * SECOND), None);
    }

    #[test]
    fn one_asks_ahead_at_a_time() {
        let account = account();
        assert!(account.begin_asking());
        assert!(!account.begin_asking());
        account.end_asking();
        assert!(account.begin_asking());
    }
}
