//! Requests are asked for at auth, which counts for all gateways: one question at a time, for everybody who waits.
//!
//! Who asks while a question is under way is part of the next one, so that the number of questions does not grow with
//! the number of requests. What is granted beyond those who wait is kept with the account for a moment (a lease), so that
//! a busy caller's next requests ask nobody.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use api::headers::INTERNAL_KEY;
use api::rate::{ITEMS_MAX, PATH, Take, TakeTokens, Taken, TakenTokens};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Response, StatusCode};
use tokio::sync::{mpsc, oneshot};

use crate::account::{Account, Terms};
use crate::caller::KEY_BYTES;
use crate::rate::micros;
use crate::upstreams::Upstream;

/// How auth is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeaseLimits {
    /// Longest wait for an answer.
    pub(crate) timeout: Duration,
    /// Pause before auth is asked again after it did not answer.
    pub(crate) rest: Duration,
    /// How long things may be changed while auth does not answer.
    pub(crate) degraded: Duration,
    /// Questions that may wait for their turn.
    pub(crate) waiting_max: usize,
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// One request may pass.
    Granted,
    /// The account is empty; it knows until when.
    Denied,
    /// Nobody answered.
    Unknown,
}

/// One question.
struct Ask {
    account: Arc<Account>,
    terms: Terms,
    /// Who waits for the answer; nobody, when it is asked ahead.
    waiter: Option<oneshot::Sender<Answer>>,
}

/// Whether auth answers. Times are microseconds since the start; 0 is never.
#[derive(Debug)]
pub(crate) struct Reach {
    started: Instant,
    away_since: AtomicU64,
    rests_until: AtomicU64,
}

/// Where questions are put.
pub(crate) struct Lessor {
    asks: mpsc::Sender<Ask>,
    reach: Arc<Reach>,
    limits: LeaseLimits,
}

/// Puts the questions to auth.
pub(crate) struct Courier {
    asks: mpsc::Receiver<Ask>,
    reach: Arc<Reach>,
    limits: LeaseLimits,
    /// Sends them.
    pub(crate) client: Client,
    /// Where they go.
    pub(crate) auth: Arc<Upstream>,
    /// Proves who asks.
    pub(crate) internal_key: HeaderValue,
}

/// Both ends: who asks, and who carries the questions to auth.
pub(crate) fn open(
    limits: LeaseLimits,
    client: Client,
    auth: Arc<Upstream>,
    internal_key: HeaderValue,
) -> (Lessor, Courier) {
    let (sender, asks) = mpsc::channel(limits.waiting_max);
    let reach = Arc::new(Reach {
        started: Instant::now(),
        away_since: AtomicU64::new(0),
        rests_until: AtomicU64::new(0),
    });
    let lessor = Lessor { asks: sender, reach: Arc::clone(&reach), limits };
    (lessor, Courier { asks, reach, limits, client, auth, internal_key })
}

impl Reach {
    pub(crate) fn now(&self) -> u64 {
        micros(self.started.elapsed()).max(1)
    }

    fn is_away(&self) -> bool {
        self.away_since.load(Ordering::Acquire) != 0
    }

    /// Says whether it is the first time in a row.
    fn lose(&self, rest: Duration) -> Loss {
        let now = self.now();
        self.rests_until.store(now.saturating_add(micros(rest)), Ordering::Release);
        match self.away_since.compare_exchange(0, now, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_here) => Loss::New,
            Err(_since) => Loss::Known,
        }
    }

    fn find(&self) -> Loss {
        if self.away_since.swap(0, Ordering::AcqRel) == 0 { Loss::None } else { Loss::Known }
    }
}

/// Whether auth was known to be away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    None,
    New,
    Known,
}

impl Lessor {
    /// The time that accounts are kept in.
    pub(crate) fn now(&self) -> u64 {
        self.reach.now()
    }

    /// Whether auth has been away for so long that nothing may be changed any more.
    pub(crate) fn is_lost(&self) -> bool {
        let since = self.reach.away_since.load(Ordering::Acquire);
        since != 0 && self.now().saturating_sub(since) >= micros(self.limits.degraded)
    }

    /// Whether auth did not answer lately.
    pub(crate) fn is_away(&self) -> bool {
        self.reach.is_away()
    }

    /// Asks for one request, and for some ahead. While auth is away it is only tried from time to time, and nobody waits.
    pub(crate) async fn ask(&self, account: &Arc<Account>, terms: Terms) -> Answer {
        if self.is_away() {
            self.ask_ahead(account, terms);
            return Answer::Unknown;
        }
        let (waiter, answer) = oneshot::channel();
        let ask = Ask { account: Arc::clone(account), terms, waiter: Some(waiter) };
        if self.asks.try_send(ask).is_err() {
            return Answer::Unknown;
        }
        answer.await.unwrap_or(Answer::Unknown)
    }

    /// Asks for some ahead, unless that was done already.
    pub(crate) fn ask_ahead(&self, account: &Arc<Account>, terms: Terms) {
        if self.is_away() && self.now() < self.reach.rests_until.load(Ordering::Acquire) {
            return;
        }
        if !account.begin_asking() {
            return;
        }
        let ask = Ask { account: Arc::clone(account), terms, waiter: None };
        if self.asks.try_send(ask).is_err() {
            account.end_asking();
        }
    }
}

/// Everything that is asked about one account at once.
struct Group {
    account: Arc<Account>,
    terms: Terms,
    waiters: Vec<oneshot::Sender<Answer>>,
}

impl Group {
    fn wanted(&self) -> u32 {
        let waiting = u32::try_from(self.waiters.len()).unwrap_or(u32::MAX);
        waiting.saturating_add(self.account.lease_size(&self.terms)).clamp(1, self.terms.burst)
    }

    fn item(&self, key: &[u8; KEY_BYTES]) -> anyhow::Result<Take> {
        Ok(Take {
            key: BASE64_STANDARD.encode(key),
            interval_us: i64::try_from(self.terms.interval).context("writing an interval")?,
            burst: i32::try_from(self.terms.burst).context("writing a burst")?,
            wanted: i32::try_from(self.wanted()).context("writing what is wanted")?,
        })
    }

    /// Those who wait come first; the rest is kept for whoever comes next.
    fn settle(self, taken: Taken, now: u64) {
        let granted = u32::try_from(taken.granted).unwrap_or(0);
        let waiting = u32::try_from(self.waiters.len()).unwrap_or(u32::MAX);
        if granted < waiting.max(1) {
            let denied =
                if granted == 0 { taken.retry_after_ms.saturating_mul(1_000) } else { self.terms.interval };
            self.account.deny_until(now.saturating_add(denied));
        }
        let remaining = u32::try_from(taken.remaining).unwrap_or(0);
        self.account.keep(granted.saturating_sub(waiting), remaining, now, &self.terms);
        self.account.end_asking();
        for (place, waiter) in (0..).zip(self.waiters) {
            let may_pass = place < granted || self.account.take_leased(now).is_some();
            answer(waiter, if may_pass { Answer::Granted } else { Answer::Denied });
        }
    }

    fn give_up(self) {
        self.account.end_asking();
        self.waiters.into_iter().for_each(|waiter| answer(waiter, Answer::Unknown));
    }
}

/// Whoever went away needs no answer.
fn answer(waiter: oneshot::Sender<Answer>, answer: Answer) {
    match waiter.send(answer) {
        Ok(()) | Err(_) => {}
    }
}

impl Courier {
    /// Carries questions until nobody can ask any more: requests ask while the process drains, too.
    pub(crate) async fn work(mut self) {
        let mut asks = Vec::new();
        while self.asks.recv_many(&mut asks, ITEMS_MAX).await > 0 {
            let groups = group(asks.drain(..));
            match tokio::time::timeout(self.limits.timeout, self.carry(&groups)).await {
                Ok(Ok(taken)) => self.settle(groups, taken),
                Ok(Err(error)) => self.give_up(groups, &error),
                Err(elapsed) => self.give_up(groups, &anyhow::Error::from(elapsed)),
            }
        }
    }

    fn settle(&self, groups: BTreeMap<[u8; KEY_BYTES], Group>, taken: TakenTokens) {
        if self.reach.find() == Loss::Known {
            tracing::info!("auth counts requests again");
        }
        let now = self.reach.now();
        groups.into_values().zip(taken.items).for_each(|(group, taken)| group.settle(taken, now));
    }

    fn give_up(&self, groups: BTreeMap<[u8; KEY_BYTES], Group>, error: &anyhow::Error) {
        if self.reach.lose(self.limits.rest) == Loss::New {
            let error = format!("{error:#}");
            tracing::warn!(error.chain = error, "auth does not count requests; each gateway counts its part");
        }
        groups.into_values().for_each(Group::give_up);
    }

    /// Asks one address, and the next when that cannot count. A question whose answer was lost may have taken something,
    /// and is not repeated.
    async fn carry(&self, groups: &BTreeMap<[u8; KEY_BYTES], Group>) -> anyhow::Result<TakenTokens> {
        metrics::counter!("gateway_rate_questions_total").increment(1);
        let items = groups.iter().map(|(key, group)| group.item(key)).collect::<anyhow::Result<_>>()?;
        let question = serde_json::to_vec(&TakeTokens { items }).context("writing the question")?;
        let answer = match self.ask(&question).await? {
            Some(answer) => answer,
            None => self.ask(&question).await?.context("no address of auth can count")?,
        };
        ensure!(answer.status().is_success(), "auth answered {}", answer.status());
        let taken: TakenTokens = answer.json().await.context("reading auth's answer")?;
        let (told, asked) = (taken.items.len(), groups.len());
        ensure!(told == asked, "auth answered about {told} of {asked} keys");
        Ok(taken)
    }

    /// Asks the next address; `None` when it took nothing because it cannot be reached or cannot count.
    async fn ask(&self, question: &[u8]) -> anyhow::Result<Option<Response>> {
        let address = self.auth.next_address().context("finding an address of auth")?;
        let request = self
            .client
            .post(format!("{}{PATH}", address.origin()))
            .header(INTERNAL_KEY, self.internal_key.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(question.to_vec());
        match request.send().await {
            Ok(answer) if answer.status() == StatusCode::SERVICE_UNAVAILABLE => Ok(None),
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.is_connect() => {
                self.auth.pass_over(address);
                Ok(None)
            }
            Err(error) => Err(error).context("asking auth"),
        }
    }
}

/// Adds up what is asked about each account; the order is that of the keys.
fn group(asks: impl Iterator<Item = Ask>) -> BTreeMap<[u8; KEY_BYTES], Group> {
    let mut groups: BTreeMap<[u8; KEY_BYTES], Group> = BTreeMap::new();
    for Ask { account, terms, waiter } in asks {
        let group =
            groups.entry(account.key).or_insert_with(|| Group { account, terms, waiters: Vec::new() });
        group.waiters.extend(waiter);
    }
    groups
}
