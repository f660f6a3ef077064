//! Security events wait here until auth has written them: bounded, and alike ones merged, so that a flood of them is a
//! few lines with a count.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use api::headers::INTERNAL_KEY;
use api::security::{EVENTS_MAX, NewSecurityEvent, PATH, SecurityEvents};
use domain::security::SecurityEventKind;
use domain::{ClientId, CorrelationId, PersonId, SecurityEventId, SessionId};
use http::header::{CONTENT_TYPE, HeaderValue};
use jiff::Timestamp;
use reqwest::{Client, StatusCode};
use service::Drain;

use crate::rate::network;
use crate::upstreams::Upstream;

/// How long the end of the last request may go unnoticed while the process drains.
const DRAIN_PAUSE: Duration = Duration::from_millis(50);

/// What waits for auth, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SpoolLimits {
    /// Events that may wait.
    pub(crate) events_max: usize,
    /// Events alike within this time become one.
    pub(crate) merge: Duration,
    /// Pause between two letters.
    pub(crate) pause: Duration,
    /// Longest wait for auth.
    pub(crate) timeout: Duration,
}

/// What was seen.
#[derive(Clone, Debug)]
pub(crate) struct Sighting {
    pub(crate) kind: SecurityEventKind,
    pub(crate) address: IpAddr,
    pub(crate) route: Option<Arc<str>>,
    pub(crate) correlation_id: CorrelationId,
    pub(crate) client_id: Option<ClientId>,
    pub(crate) person_id: Option<PersonId>,
    pub(crate) session_id: Option<SessionId>,
    /// An object.
    pub(crate) detail: serde_json::Value,
}

/// What makes two sightings alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Likeness {
    kind: SecurityEventKind,
    network: IpAddr,
    route: Option<Arc<str>>,
    client_id: Option<ClientId>,
    person_id: Option<PersonId>,
}

/// Events of one kind, of which the first was told at once and the others wait for company.
#[derive(Debug)]
struct Waiting {
    /// What is told next; absent when all is told.
    event: Option<NewSecurityEvent>,
    /// When it may be told.
    due: Instant,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: HashMap<Likeness, Waiting>,
    /// Events that were taken out and are not written yet.
    letter: Vec<NewSecurityEvent>,
}

/// The events that wait. Locked for as long as one takes to be put in.
#[derive(Debug)]
pub(crate) struct Spool {
    inner: Mutex<Inner>,
    limits: SpoolLimits,
}

impl Spool {
    /// An empty one.
    pub(crate) fn new(limits: SpoolLimits) -> Self {
        Self { inner: Mutex::default(), limits }
    }

    /// Puts an event in: the first of its kind to be told at once, those after it together, a while later.
    pub(crate) fn record(&self, sighting: Sighting, at: Timestamp) {
        metrics::counter!("gateway_security_events_total", "kind" => sighting.kind.as_str()).increment(1);
        let now = Instant::now();
        let mut inner = self.lock();
        let likeness = sighting.likeness();
        let is_full = inner.waiting.len() >= self.limits.events_max;
        match inner.waiting.get_mut(&likeness) {
            Some(Waiting { event: Some(event), .. }) => event.times = event.times.saturating_add(1),
            Some(waiting) => waiting.event = Some(sighting.event(at)),
            None if is_full => {
                metrics::counter!("gateway_security_events_dropped_total").increment(1);
            }
            None => {
                inner.waiting.insert(likeness, Waiting { event: Some(sighting.event(at)), due: now });
            }
        }
    }

    /// The next letter: what was not written the last time, and what is due. Kinds that were quiet for a while are
    /// forgotten, so that the next of them is told at once.
    fn letter(&self, now: Instant) -> Vec<NewSecurityEvent> {
        let mut inner = self.lock();
        let Inner { waiting, letter } = &mut *inner;
        waiting.retain(|_, waiting| waiting.event.is_some() || now < waiting.due);
        for waiting in waiting.values_mut().filter(|waiting| waiting.due <= now) {
            if letter.len() == EVENTS_MAX {
                break;
            }
            letter.extend(waiting.event.take());
            waiting.due = now + self.limits.merge;
        }
        letter.clone()
    }

    fn written(&self) {
        self.lock().letter.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sighting {
    fn likeness(&self) -> Likeness {
        Likeness {
            kind: self.kind,
            network: network(self.address),
            route: self.route.clone(),
            client_id: self.client_id,
            person_id: self.person_id,
        }
    }

    fn event(self, at: Timestamp) -> NewSecurityEvent {
        NewSecurityEvent {
            id: SecurityEventId::generate(),
            at,
            kind: self.kind,
            client_id: self.client_id,
            person_id: self.person_id,
            session_id: self.session_id,
            login: None,
            address: Some(self.address),
            route: self.route.as_deref().map(str::to_owned),
            times: 1,
            correlation_id: self.correlation_id,
            detail: self.detail,
        }
    }
}

/// Carries letters to auth.
pub(crate) struct Postman {
    pub(crate) spool: Arc<Spool>,
    pub(crate) client: Client,
    pub(crate) auth: Arc<Upstream>,
    /// Proves who writes.
    pub(crate) internal_key: HeaderValue,
}

impl Postman {
    /// Works until the process stops, and empties the spool then: requests are refused while it drains, too.
    pub(crate) async fn work(self, drain: Drain) {
        let pause = self.spool.limits.pause;
        let mut failures: u64 = 0;
        while drain.token().run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            failures = self.deliver(Instant::now(), failures).await;
        }
        while Arc::strong_count(&self.spool) > 1 {
            tokio::time::sleep(pause.min(DRAIN_PAUSE)).await;
            failures = self.deliver(Instant::now(), failures).await;
        }
        self.deliver(Instant::now() + self.spool.limits.merge, failures).await;
    }

    /// Writes letters until nothing is due; says how often that failed in a row.
    async fn deliver(&self, now: Instant, failures: u64) -> u64 {
        loop {
            let letter = self.spool.letter(now);
            let count = letter.len();
            if count == 0 {
                return failures;
            }
            if let Err(error) = self.send(letter).await {
                if failures == 0 {
                    let error = format!("{error:#}");
                    tracing::warn!(error.chain = error, "auth does not take security events; they wait");
                }
                return failures.saturating_add(1);
            }
            self.spool.written();
            if count < EVENTS_MAX {
                return 0;
            }
        }
    }

    async fn send(&self, events: Vec<NewSecurityEvent>) -> anyhow::Result<()> {
        let letter = serde_json::to_vec(&SecurityEvents { events }).context("writing security events")?;
        let address = self.auth.next_address().context("finding an address of auth")?;
        let request = self
            .client
            .post(format!("{}{PATH}", address.origin()))
            .header(INTERNAL_KEY, self.internal_key.clone())
            .header(CONTENT_TYPE, "application/json")
            .timeout(self.spool.limits.timeout)
            .body(letter);
        let answer = request.send().await.context("asking auth")?;
        let status = answer.status();
        if is_about_the_letter(status) {
            metrics::counter!("gateway_security_events_dropped_total").increment(1);
            tracing::warn!(http.status = status.as_u16(), "auth does not accept a letter of security events");
            return Ok(());
        }
        if !status.is_success() {
            bail!("auth answered {status}");
        }
        Ok(())
    }
}

/// Whether auth will never take the letter, so that those behind it must not wait for it.
fn is_about_the_letter(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn spool(events_max: usize) -> Spool {
        let limits =
            SpoolLimits { events_max, merge: MINUTE, pause: Duration::from_secs(1), timeout: MINUTE };
        Spool::new(limits)
    }

    fn record(spool: &Spool, address: &str, route: &str) {
        let sighting = Sighting {
            kind: SecurityEventKind::RequestBlocked,
            address: address.parse().unwrap(),
            route: Some(route.into()),
            correlation_id: CorrelationId::generate(),
            client_id: None,
            person_id: None,
            session_id: None,
            detail: serde_json::json!({}),
        };
        spool.record(sighting, Timestamp::UNIX_EPOCH);
    }

    fn told(spool: &Spool, now: Instant) -> Vec<u32> {
        let letter = spool.letter(now);
        spool.written();
        letter.iter().map(|event| event.times).collect()
    }

    #[test]
    fn the_first_of_a_kind_is_told_at_once_and_the_others_together() {
        let (spool, now) = (spool(10), Instant::now() + Duration::from_secs(1));
        record(&spool, "192.0.2.1", "/a");
        assert_eq!(told(&spool, now), [1]);
        (0..5).for_each(|_| record(&spool, "192.0.2.1", "/a"));
        assert_eq!(told(&spool, now), Vec::<u32>::new());
        assert_eq!(told(&spool, now + MINUTE), [5]);
        assert_eq!(told(&spool, now + 3 * MINUTE), Vec::<u32>::new());
        assert!(spool.lock().waiting.is_empty());
    }

    #[test]
    fn other_networks_and_routes_are_other_events_and_an_ipv6_network_is_one() {
        let (spool, now) = (spool(10), Instant::now() + Duration::from_secs(1));
        record(&spool, "192.0.2.1", "/a");
        record(&spool, "192.0.2.2", "/a");
        record(&spool, "192.0.2.1", "/b");
        record(&spool, "2001:db8::1", "/a");
        record(&spool, "2001:db8::2", "/a");
        let mut times = told(&spool, now);
        times.sort_unstable();
        assert_eq!(times, [1, 1, 1, 2]);
    }

    #[test]
    fn no_more_events_wait_than_may_and_what_was_not_written_is_told_again() {
        let (spool, now) = (spool(3), Instant::now() + Duration::from_secs(1));
        for number in 0..50 {
            record(&spool, &format!("192.0.2.{number}"), "/a");
        }
        let first = spool.letter(now);
        assert_eq!(first.len(), 3);
        assert_eq!(spool.letter(now), first);
        spool.written();
        assert!(spool.letter(now).is_empty());
    }
}
