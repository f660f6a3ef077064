//! The services behind the door: their addresses, how many requests each may hold, which addresses answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::Uri;
use http::uri::{Authority, InvalidUri, PathAndQuery, Scheme};
use reqwest::Url;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One address of an upstream.
#[derive(Debug)]
pub(crate) struct Address {
    /// Scheme, host and port, without a slash at the end.
    origin: String,
    authority: Authority,
    /// Milliseconds since the start until which it is passed over.
    passed_over_until: AtomicU64,
}

impl Address {
    fn new(url: &Url) -> Result<Self, InvalidUri> {
        let authority = Authority::try_from(url.authority())?;
        Ok(Self { origin: format!("http://{authority}"), authority, passed_over_until: AtomicU64::new(0) })
    }

    /// Scheme, host and port, without a slash at the end.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// A path and query there.
    pub(crate) fn uri(&self, target: PathAndQuery) -> Result<Uri, http::Error> {
        Uri::builder().scheme(Scheme::HTTP).authority(self.authority.clone()).path_and_query(target).build()
    }
}

/// One service with its replicas.
#[derive(Debug)]
pub(crate) struct Upstream {
    name: String,
    addresses: Vec<Address>,
    turn: AtomicUsize,
    permits: Arc<Semaphore>,
    started: Instant,
    rest: Duration,
}

/// What an upstream is allowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UpstreamLimits {
    /// Requests it may hold at once.
    pub(crate) requests_max: usize,
    /// How long an address is passed over after nobody answered there.
    pub(crate) rest: Duration,
}

impl Upstream {
    /// Takes the addresses of all replicas.
    pub(crate) fn new(name: &str, urls: &[Url], limits: UpstreamLimits) -> Result<Self, InvalidUri> {
        Ok(Self {
            name: name.to_owned(),
            addresses: urls.iter().map(Address::new).collect::<Result<_, _>>()?,
            turn: AtomicUsize::new(0),
            permits: Arc::new(Semaphore::new(limits.requests_max)),
            started: Instant::now(),
            rest: limits.rest,
        })
    }

    /// The name in the settings.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// All addresses.
    pub(crate) fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// A place for one request, when there is one.
    pub(crate) fn admit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).try_acquire_owned().ok()
    }

    /// The address whose turn it is; one that rests only when all do.
    pub(crate) fn next_address(&self) -> Option<&Address> {
        let count = self.addresses.len();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed).checked_rem(count)?;
        let elapsed = self.elapsed_ms();
        let in_order = || self.addresses.iter().cycle().skip(turn).take(count);
        in_order()
            .find(|address| address.passed_over_until.load(Ordering::Relaxed) <= elapsed)
            .or_else(|| in_order().next())
    }

    /// Passes an address over for a while, because nobody answered there.
    pub(crate) fn pass_over(&self, address: &Address) {
        let rest = u64::try_from(self.rest.as_millis()).unwrap_or(u64::MAX);
        address.passed_over_until.store(self.elapsed_ms().saturating_add(rest), Ordering::Relaxed);
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstream(origins: &[&str], concurrency: usize) -> Upstream {
        let limits = UpstreamLimits { requests_max: concurrency, rest: Duration::from_mins(1) };
        let urls: Vec<Url> = origins.iter().map(|host| format!("http://{host}").parse().unwrap()).collect();
        Upstream::new("auth", &urls, limits).unwrap()
    }

    fn take(upstream: &Upstream, count: usize) -> Vec<&str> {
        (0..count).filter_map(|_| upstream.next_address()).map(|address| address.authority.host()).collect()
    }

    #[test]
    fn replicas_take_turns() {
        assert_eq!(take(&upstream(&["a", "b", "c"], 1), 5), ["a", "b", "c", "a", "b"]);
        assert_eq!(take(&upstream(&["a"], 1), 2), ["a", "a"]);
        assert_eq!(take(&upstream(&[], 1), 2), Vec::<&str>::new());
    }

    #[test]
    fn a_silent_replica_rests_unless_all_are_silent() {
        let upstream = upstream(&["a", "b"], 1);
        upstream.pass_over(&upstream.addresses()[0]);
        assert_eq!(take(&upstream, 3), ["b", "b", "b"]);
        upstream.pass_over(&upstream.addresses()[1]);
        assert_eq!(take(&upstream, 2), ["b", "a"]);
    }

    #[test]
    fn an_upstream_holds_no_more_requests_than_it_may() {
        let upstream = upstream(&["a"], 2);
        let first = upstream.admit();
        let second = upstream.admit();
        assert!(first.is_some() && second.is_some());
        assert!(upstream.admit().is_none());
        drop(first);
        assert!(upstream.admit().is_some());
    }
}
