//! How often one client may do what costs everybody: a bucket of tokens for each address, in memory.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use quick_cache::sync::Cache;

use crate::refusal::Refusal;

/// A second in microseconds.
pub(crate) const SECOND: u64 = 1_000_000;

/// What one client may do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// For as long as it likes.
    pub(crate) per_second: u64,
    /// At once, after it was quiet.
    pub(crate) burst: u64,
}

/// A bucket of tokens, but for how full it is: that is one number, the moment at which it is full again. All times are
/// microseconds since some start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    /// How long a token takes to come back.
    token: u64,
    /// How long the bucket takes to fill.
    capacity: u64,
}

impl Bucket {
    /// So many tokens, each of which takes so long to come back.
    pub(crate) fn new(token: u64, tokens: u64) -> Self {
        Self { token: token.max(1), capacity: token.max(1).saturating_mul(tokens) }
    }

    /// Takes a token, or says how long the next one takes.
    pub(crate) fn take(&self, full_at: &AtomicU64, now: u64) -> Result<(), u64> {
        let taken = |full_at| self.taken(full_at, now).ok();
        match full_at.fetch_update(Ordering::AcqRel, Ordering::Acquire, taken) {
            Ok(_before) => Ok(()),
            Err(full_at) => self.taken(full_at, now).map(drop),
        }
    }

    /// Says whether there is a token, or how long one takes.
    pub(crate) fn look(&self, full_at: u64, now: u64) -> Result<(), u64> {
        self.taken(full_at, now).map(drop)
    }

    /// How many tokens there are.
    pub(crate) fn left(&self, full_at: u64, now: u64) -> u64 {
        self.capacity.saturating_sub(full_at.saturating_sub(now)).checked_div(self.token).unwrap_or(0)
    }

    /// When the bucket is full again after one more token was taken out of it.
    fn taken(&self, full_at: u64, now: u64) -> Result<u64, u64> {
        let full_at = full_at.max(now).saturating_add(self.token);
        match (full_at - now).checked_sub(self.capacity) {
            None | Some(0) => Ok(full_at),
            Some(missing) => Err(missing),
        }
    }
}

/// A bucket for each client network.
#[derive(Debug)]
pub(crate) struct Buckets {
    /// When each bucket is full again. A full one need not be known, so the least used may be forgotten.
    full_at: Cache<IpAddr, Arc<AtomicU64>>,
    started: Instant,
    bucket: Bucket,
}

impl Buckets {
    /// All buckets are full.
    pub(crate) fn new(rate: Rate, networks_max: usize) -> Self {
        let token = SECOND.checked_div(rate.per_second).unwrap_or(SECOND);
        Self {
            full_at: Cache::new(networks_max),
            started: Instant::now(),
            bucket: Bucket::new(token, rate.burst),
        }
    }

    /// Takes a token.
    pub(crate) fn take(&self, address: IpAddr) -> Result<(), Refusal> {
        self.take_at(address, self.now())
    }

    /// Says whether there is a token, and takes none.
    pub(crate) fn look(&self, address: IpAddr) -> Result<(), Refusal> {
        self.look_at(address, self.now())
    }

    fn take_at(&self, address: IpAddr, now: u64) -> Result<(), Refusal> {
        let full_at =
            self.full_at.get_or_insert_with(&network(address), || Ok::<_, Refusal>(Arc::default()))?;
        self.bucket.take(&full_at, now).map_err(too_many)
    }

    fn look_at(&self, address: IpAddr, now: u64) -> Result<(), Refusal> {
        let full_at =
            self.full_at.get(&network(address)).map_or(0, |full_at| full_at.load(Ordering::Acquire));
        self.bucket.look(full_at, now).map_err(too_many)
    }

    fn now(&self) -> u64 {
        micros(self.started.elapsed())
    }
}

fn too_many(missing: u64) -> Refusal {
    Refusal::TooManyRequests { retry_after_seconds: missing.div_ceil(SECOND) }
}

/// A time in microseconds.
pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Whoever has one address of an IPv6 network of 64 bits has them all.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets() -> Buckets {
        Buckets::new(Rate { per_second: 2, burst: 3 }, 100)
    }

    fn take(buckets: &Buckets, address: &str, now: u64) -> Option<u64> {
        match buckets.take_at(address.parse().unwrap(), now) {
            Ok(()) => None,
            Err(Refusal::TooManyRequests { retry_after_seconds }) => Some(retry_after_seconds),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn a_client_has_its_burst_and_then_its_rate() {
        let buckets = buckets();
        let taken = |now| take(&buckets, "192.0.2.1", now);
        assert_eq!([taken(0), taken(0), taken(0), taken(0)], [None, None, None, Some(1)]);
        assert_eq!([taken(SECOND / 2), taken(SECOND / 2)], [None, Some(1)]);
        let later = 10 * SECOND;
        assert_eq!([taken(later), taken(later), taken(later), taken(later)], [None, None, None, Some(1)]);
    }

    #[test]
    fn looking_takes_nothing() {
        let buckets = buckets();
        let address = "192.0.2.1".parse().unwrap();
        assert!((0..9).all(|_| buckets.look_at(address, 0).is_ok()));
        assert!((0..3).all(|_| buckets.take_at(address, 0).is_ok()));
        assert!(buckets.look_at(address, 0).is_err());
        assert!(buckets.look_at(address, SECOND).is_ok());
    }

    #[test]
    fn clients_have_buckets_of_their_own_and_an_ipv6_network_has_one() {
        let buckets = buckets();
        for address in ["2001:db8::1", "2001:db8::2:2", "2001:db8::ffff:0:0:3"] {
            assert_eq!(take(&buckets, address, 0), None, "{address}");
        }
        assert_eq!(take(&buckets, "2001:db8::4", 0), Some(1));
        assert_eq!(take(&buckets, "2001:db8:0:1::4", 0), None);
        assert_eq!(take(&buckets, "192.0.2.1", 0), None);
    }

    #[test]
    fn no_more_networks_are_known_than_may_be() {
        let buckets = buckets();
        for number in 0..10_000_u32 {
            assert!(buckets.take_at(IpAddr::V4(number.into()), 0).is_ok());
        }
        assert!(buckets.full_at.len() <= 100, "{}", buckets.full_at.len());
    }
}
