//! Several questions as one, and its answer as several.

use std::collections::BTreeMap;

use api::rate::Taken;
use app::rates::{KEY_BYTES, TokenGrant, TokenRequest};

const MICROSECONDS: i64 = 1_000;

type Key = [u8; KEY_BYTES];

/// What several callers want, each bucket once.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    wanted: BTreeMap<Key, TokenRequest>,
}

impl Batch {
    /// Nothing is wanted.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds what one caller wants. Callers with different settings for one bucket get the stricter ones: an old gateway
    /// beside a new one must not widen a limit.
    pub(crate) fn add(&mut self, requests: &[TokenRequest]) {
        for request in requests {
            self.wanted
                .entry(request.key)
                .and_modify(|all| {
                    all.interval_us = all.interval_us.max(request.interval_us);
                    all.burst = all.burst.min(request.burst);
                    all.wanted = all.wanted.saturating_add(request.wanted);
                })
                .or_insert(*request);
        }
    }

    /// Everything as one question.
    pub(crate) fn requests(&self) -> Vec<TokenRequest> {
        self.wanted.values().copied().collect()
    }

    /// Prepares to share out what was given.
    pub(crate) fn share(&self, given: &[TokenGrant]) -> Shares {
        let pots = given.iter().filter_map(|grant| {
            let key: Key = grant.key.as_slice().try_into().ok()?;
            let interval_us = self.wanted.get(&key)?.interval_us;
            Some((key, Pot { grant: grant.clone(), interval_us }))
        });
        Shares { pots: pots.collect() }
    }
}

/// What was given of one bucket and is not yet shared out.
#[derive(Debug)]
struct Pot {
    grant: TokenGrant,
    interval_us: i64,
}

/// What was given of every bucket.
#[derive(Debug)]
pub(crate) struct Shares {
    pots: BTreeMap<Key, Pot>,
}

impl Shares {
    /// Gives a caller its share: who asked first gets first.
    pub(crate) fn give(&mut self, requests: &[TokenRequest]) -> Vec<Taken> {
        requests.iter().map(|request| self.give_one(request)).collect()
    }

    fn give_one(&mut self, request: &TokenRequest) -> Taken {
        let Some(pot) = self.pots.get_mut(&request.key) else {
            return Taken { granted: 0, remaining: 0, retry_after_ms: retry_after_ms(request.interval_us) };
        };
        let granted = request.wanted.min(pot.grant.granted);
        pot.grant.granted -= granted;
        let retry_after_ms = match (granted, pot.grant.retry_after_micros) {
            (1.., _) => 0,
            // Others emptied the bucket in this very statement.
            (_, 0) => retry_after_ms(pot.interval_us),
            (_, micros) => retry_after_ms(micros),
        };
        Taken { granted, remaining: pot.grant.remaining, retry_after_ms }
    }
}

fn retry_after_ms(micros: i64) -> u64 {
    let rounded_up = micros.max(1).saturating_add(MICROSECONDS - 1) / MICROSECONDS;
    u64::try_from(rounded_up).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(key: u8, wanted: i32) -> TokenRequest {
        TokenRequest { key: [key; KEY_BYTES], interval_us: 1_500, burst: 10, wanted }
    }

    fn grant(key: u8, granted: i32, retry_after_micros: i64) -> TokenGrant {
        TokenGrant { key: vec![key; KEY_BYTES], granted, remaining: 0, retry_after_micros }
    }

    #[test]
    fn each_bucket_is_asked_for_once_with_what_all_want() {
        let mut batch = Batch::new();
        batch.add(&[request(1, 4), request(2, 1)]);
        batch.add(&[request(1, 3), request(1, 2)]);
        assert_eq!(batch.requests(), [request(1, 9), request(2, 1)]);
    }

    #[test]
    fn of_different_settings_for_one_bucket_the_stricter_hold() {
        let mut batch = Batch::new();
        batch.add(&[TokenRequest { interval_us: 10, burst: 50, ..request(1, 1) }]);
        batch.add(&[TokenRequest { interval_us: 20, burst: 60, ..request(1, 1) }]);
        assert_eq!(batch.requests(), [TokenRequest { interval_us: 20, burst: 50, ..request(1, 2) }]);
    }

    #[test]
    fn never_more_is_shared_out_than_was_given_and_who_asked_first_gets_first() {
        let mut batch = Batch::new();
        batch.add(&[request(1, 4)]);
        batch.add(&[request(1, 4)]);
        batch.add(&[request(1, 4)]);
        let mut shares = batch.share(&[grant(1, 5, 0)]);
        let given: Vec<i32> = (0..3).map(|_| shares.give(&[request(1, 4)])[0].granted).collect();
        assert_eq!(given, [4, 1, 0]);
    }

    #[test]
    fn who_gets_none_is_told_when_the_next_comes_in_whole_milliseconds() {
        let mut batch = Batch::new();
        batch.add(&[request(1, 1), request(2, 1)]);
        let mut shares = batch.share(&[grant(1, 0, 2_001), grant(2, 1, 0)]);
        let none = Taken { granted: 0, remaining: 0, retry_after_ms: 3 };
        assert_eq!(shares.give(&[request(1, 1)]), [none]);
        assert_eq!(shares.give(&[request(2, 1)])[0].retry_after_ms, 0);
        let emptied = Taken { granted: 0, remaining: 0, retry_after_ms: 2 };
        assert_eq!(shares.give(&[request(2, 1)]), [emptied]);
    }
}
