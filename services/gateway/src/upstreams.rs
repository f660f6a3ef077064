//! The services behind the door: their addresses, how many requests each may hold, which addresses answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::header::{HeaderValue, InvalidHeaderValue};
use reqwest::Url;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::breaker::{Breaker, BreakerLimits, Passage};
use crate::ejection::{EjectionLimits, Health};

/// Numbers addresses, so that connections to one are found without comparing names.
static NEXT_NUMBER: AtomicU64 = AtomicU64::new(0);

/// What a repeat costs, in parts of the allowance that a request earns.
const REPEAT_PRICE: i64 = 100;

/// One address of an upstream.
#[derive(Debug)]
pub(crate) struct Address {
    number: u64,
    /// Scheme, host and port, without a slash at the end.
    origin: String,
    /// Host and port.
    endpoint: String,
    host: HeaderValue,
    health: Health,
}

impl Address {
    fn new(url: &Url) -> Result<Self, InvalidHeaderValue> {
        let authority = url.authority();
        let port = url.port_or_known_default().unwrap_or(80);
        Ok(Self {
            number: NEXT_NUMBER.fetch_add(1, Ordering::Relaxed),
            origin: format!("http://{authority}"),
            endpoint: format!("{}:{port}", url.host_str().unwrap_or("")),
            host: HeaderValue::from_str(authority)?,
            health: Health::default(),
        })
    }

    /// What its connections are kept under.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Scheme, host and port, without a slash at the end.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// Host and port to connect to.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// It answered as it should.
    pub(crate) fn succeeded(&self) {
        self.health.succeeded();
    }

    /// What its requests say in `Host`.
    pub(crate) fn host(&self) -> &HeaderValue {
        &self.host
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
    limits: UpstreamLimits,
    breaker: Breaker,
    /// What repeats may still cost: a share of the requests, so that they do not double the load of what is overloaded.
    allowance: AtomicI64,
}

/// What an upstream is allowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UpstreamLimits {
    /// Requests it may hold at once.
    pub(crate) requests_max: usize,
    /// How long an address is passed over after nobody answered there.
    pub(crate) rest: Duration,
    /// When an address that fails is passed over for longer.
    pub(crate) ejection: EjectionLimits,
    /// When requests are refused at once.
    pub(crate) breaker: BreakerLimits,
    /// Repeats for each hundred requests.
    pub(crate) repeat_percent: u32,
    /// Repeats at once, after a quiet time.
    pub(crate) repeat_burst: u32,
}

/// The addresses a request was sent to already.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tried(u64);

impl Tried {
    fn holds(self, index: usize) -> bool {
        index < 64 && self.0 & (1 << index) != 0
    }

    /// Remembers one.
    pub(crate) fn add(&mut self, index: usize) {
        if index < 64 {
            self.0 |= 1 << index;
        }
    }
}

impl Upstream {
    /// Takes the addresses of all replicas.
    pub(crate) fn new(name: &str, urls: &[Url], limits: UpstreamLimits) -> Result<Self, InvalidHeaderValue> {
        Ok(Self {
            name: name.to_owned(),
            addresses: urls.iter().map(Address::new).collect::<Result<_, _>>()?,
            turn: AtomicUsize::new(0),
            permits: Arc::new(Semaphore::new(limits.requests_max)),
            started: Instant::now(),
            breaker: Breaker::new(limits.breaker),
            allowance: AtomicI64::new(i64::from(limits.repeat_burst) * REPEAT_PRICE),
            limits,
        })
    }

    /// The name in the settings.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether these are its addresses.
    pub(crate) fn is_at(&self, urls: &[Url]) -> bool {
        let is_same =
            |(address, url): (&Address, &Url)| address.origin == format!("http://{}", url.authority());
        self.addresses.len() == urls.len() && self.addresses.iter().zip(urls).all(is_same)
    }

    /// All addresses.
    pub(crate) fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// A place for one request, when there is one.
    pub(crate) fn admit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).try_acquire_owned().ok()
    }

    /// Lets a request pass the breaker, or says for how many milliseconds none will. It earns a part of a repeat.
    pub(crate) fn pass(&self) -> Result<Passage<'_>, u64> {
        let burst = i64::from(self.limits.repeat_burst) * REPEAT_PRICE;
        if self.allowance.load(Ordering::Relaxed) < burst {
            self.allowance.fetch_add(i64::from(self.limits.repeat_percent), Ordering::Relaxed);
        }
        self.breaker.pass(self.now_ms())
    }

    /// Whether a request may be repeated; takes the price of it.
    pub(crate) fn may_repeat(&self) -> bool {
        let pay = |left: i64| (left >= REPEAT_PRICE).then(|| left - REPEAT_PRICE);
        self.allowance.fetch_update(Ordering::Relaxed, Ordering::Relaxed, pay).is_ok()
    }

    /// The address whose turn it is; one that is not well only when all are not.
    pub(crate) fn next_address(&self) -> Option<&Address> {
        self.another_address(Tried::default()).map(|(_index, address)| address)
    }

    /// The address whose turn it is, with its index: one that is well and was not tried; then one that was not tried;
    /// then any.
    pub(crate) fn another_address(&self, tried: Tried) -> Option<(usize, &Address)> {
        let count = self.addresses.len();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed).checked_rem(count)?;
        let now_ms = self.now_ms();
        let in_order = || self.addresses.iter().enumerate().cycle().skip(turn).take(count);
        in_order()
            .find(|(index, address)| !tried.holds(*index) && address.health.is_well(now_ms))
            .or_else(|| in_order().find(|(index, _)| !tried.holds(*index)))
            .or_else(|| in_order().next())
    }

    /// Whether there is an address that was not tried and is well.
    pub(crate) fn has_another(&self, tried: Tried) -> bool {
        let now_ms = self.now_ms();
        let mut numbered = self.addresses.iter().enumerate();
        numbered.any(|(index, address)| !tried.holds(index) && address.health.is_well(now_ms))
    }

    /// Passes an address over for a moment, because nobody answered there.
    pub(crate) fn pass_over(&self, address: &Address) {
        let rest = u64::try_from(self.limits.rest.as_millis()).unwrap_or(u64::MAX);
        address.health.rest(self.now_ms().saturating_add(rest));
    }

    /// An address answered too late, not to the end, or with 5xx. After some of these in a row it is passed over for
    /// longer, unless too many are already.
    pub(crate) fn failed(&self, address: &Address) {
        let limits = self.limits.ejection;
        let now_ms = self.now_ms();
        if !address.health.failed(limits) || address.health.is_ejected(now_ms) {
            return;
        }
        let ejected = self.addresses.iter().filter(|address| address.health.is_ejected(now_ms)).count();
        if limits.allows(ejected, self.addresses.len()) {
            let rest_ms = address.health.eject(now_ms, limits);
            metrics::counter!("gateway_ejections_total", "upstream" => self.name.clone()).increment(1);
            tracing::warn!(
                upstream = self.name,
                address = address.origin,
                rest_ms,
                "an address only fails and is passed over"
            );
        }
    }

    /// Says how a request ended to the breaker: somebody answered.
    pub(crate) fn answered(&self, passage: Passage<'_>) {
        if passage.answered() {
            tracing::info!(upstream = self.name, "an upstream answers again");
        }
    }

    /// Says how a request ended to the breaker: nobody answered.
    pub(crate) fn unanswered(&self, passage: Passage<'_>) {
        if passage.unanswered(self.now_ms()) {
            metrics::counter!("gateway_breaker_openings_total", "upstream" => self.name.clone()).increment(1);
            tracing::warn!(
                upstream = self.name,
                "nobody answers at an upstream: its requests are refused at once"
            );
        }
    }

    /// Milliseconds since it was made.
    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const LIMITS: UpstreamLimits = UpstreamLimits {
        requests_max: 1,
        rest: Duration::from_mins(1),
        ejection: EjectionLimits { failures: 3, rest_ms: 60_000, rest_ms_max: 60_000, percent_max: 50 },
        breaker: BreakerLimits { failures: 5, open_ms: 60_000 },
        repeat_percent: 20,
        repeat_burst: 1,
    };

    fn upstream(origins: &[&str], concurrency: usize) -> Upstream {
        let limits = UpstreamLimits { requests_max: concurrency, ..LIMITS };
        let urls: Vec<Url> = origins.iter().map(|host| format!("http://{host}").parse().unwrap()).collect();
        Upstream::new("auth", &urls, limits).unwrap()
    }

    fn take(upstream: &Upstream, count: usize) -> Vec<&str> {
        (0..count)
            .filter_map(|_| upstream.next_address())
            .map(|address| address.host().to_str().unwrap())
            .collect()
    }

    #[test]
    fn replicas_take_turns() {
        assert_eq!(take(&upstream(&["a", "b", "c"], 1), 5), ["a", "b", "c", "a", "b"]);
        assert_eq!(take(&upstream(&["a"], 1), 2), ["a", "a"]);
        assert_eq!(take(&upstream(&[], 1), 2), Vec::<&str>::new());
    }

    #[test]
    fn an_address_knows_where_to_connect() {
        let upstream = upstream(&["a", "b:8081", "[::1]:8082"], 1);
        let endpoints: Vec<_> = upstream.addresses().iter().map(Address::endpoint).collect();
        assert_eq!(endpoints, ["a:80", "b:8081", "[::1]:8082"]);
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
    fn a_repeat_goes_to_another_replica() {
        let upstream = upstream(&["a", "b"], 1);
        let mut tried = Tried::default();
        tried.add(0);
        for _ in 0..3 {
            assert_eq!(upstream.another_address(tried).unwrap().0, 1);
        }
        assert!(upstream.has_another(tried));
        tried.add(1);
        assert!(!upstream.has_another(tried));
    }

    #[test]
    fn replicas_that_only_fail_are_passed_over_up_to_the_share() {
        let upstream = upstream(&["a", "b", "c", "d"], 1);
        for address in &upstream.addresses()[..3] {
            (0..3).for_each(|_| upstream.failed(address));
        }
        let mut left = take(&upstream, 8);
        left.sort_unstable();
        left.dedup();
        assert_eq!(left, ["c", "d"], "half of four may be away");
    }

    #[test]
    fn repeats_are_a_share_of_the_requests() {
        let upstream = upstream(&["a", "b"], 1);
        assert!(upstream.may_repeat(), "the burst");
        assert!(!upstream.may_repeat());
        (0..5).for_each(|_| drop(upstream.pass()));
        assert!(upstream.may_repeat() && !upstream.may_repeat());
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
