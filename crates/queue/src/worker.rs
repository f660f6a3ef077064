//! What all parts of a running engine share.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use tokio_util::sync::CancellationToken;
use tracing::Span;
use uuid::Uuid;

use crate::progress::Board;
use crate::schedule::Clockwork;
use crate::{EngineSettings, Error, Kind};

/// One engine at work: who it is, what it knows, how it reaches PostgreSQL.
pub(crate) struct Worker {
    pub(crate) id: Uuid,
    pub(crate) pool: Pool,
    pub(crate) settings: EngineSettings,
    pub(crate) kinds: HashMap<String, Arc<Kind>>,
    /// Of every kind, as claims ask for them.
    pub(crate) kind_names: Vec<String>,
    /// The queues served, each name once.
    pub(crate) queues: HashMap<String, Arc<str>>,
    pub(crate) schedules: Vec<Clockwork>,
    /// There may be ready tasks.
    pub(crate) ready: Notify,
    /// There may be a delayed task that is due sooner than expected.
    pub(crate) delayed: Notify,
    /// The limits of queues have changed.
    pub(crate) limits: Notify,
    pub(crate) load: Load,
    /// What handlers said of their progress.
    pub(crate) progress: Arc<Board>,
    /// Makes a task's span continue the trace of who enqueued it.
    pub(crate) adopt: Adopt,
    /// Tasks that somebody cancelled while they ran, here or elsewhere.
    pub(crate) cancels: mpsc::Sender<Uuid>,
    /// Somebody asked this worker to claim no more.
    pub(crate) draining: AtomicBool,
    /// The tables know this engine.
    pub(crate) begun: AtomicBool,
    limited: RwLock<HashSet<String>>,
    /// Until when leases may run out of which this worker never heard.
    doubtful_until: RwLock<Option<Instant>>,
    end: OnceLock<Instant>,
}

/// Each statement of the engine is written for one plan: walk an index in order, from row to row. The planner would leave
/// it for reading and sorting the whole table, because the table is never as it was when it was analysed.
const PLANNING: &str = "-- queue::worker::planning
set plan_cache_mode = force_generic_plan;
set enable_seqscan = off;
set enable_bitmapscan = off;
set enable_sort = off;
set enable_hashjoin = off;
set enable_mergejoin = off;
set jit = off;
set lock_timeout = '1s'";

// PostgreSQL itself gives up what nobody waits for any more: a connection that was dropped tells it nothing.
const LIMITS: &str = "-- queue::worker::limits
select set_config('statement_timeout', $1, false), set_config('idle_in_transaction_session_timeout', $1, false)";

/// Is given the span of a task and the trace context it was enqueued with, before the span is entered.
pub type Adopt = fn(&Span, &str);

/// Cancellations heard of and not yet looked at; more of them are seen when the leases are renewed.
const CANCELS_WAITING_MAX: usize = 1_000;

/// How much the process holds; written by the driver, reported with the heartbeat.
#[derive(Default)]
pub(crate) struct Load {
    running: AtomicUsize,
    buffered: AtomicUsize,
}

impl Load {
    pub(crate) fn set(&self, running: usize, buffered: usize) {
        self.running.store(running, Ordering::Relaxed);
        self.buffered.store(buffered, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> (usize, usize) {
        (self.running.load(Ordering::Relaxed), self.buffered.load(Ordering::Relaxed))
    }
}

impl Worker {
    pub(crate) fn new(
        id: Uuid,
        pool: Pool,
        settings: EngineSettings,
        kinds: Vec<Kind>,
        schedules: Vec<Clockwork>,
    ) -> (Self, mpsc::Receiver<Uuid>) {
        let (cancels, cancelled) = mpsc::channel(CANCELS_WAITING_MAX);
        let kinds: HashMap<_, _> =
            kinds.into_iter().map(|kind| (kind.name.clone(), Arc::new(kind))).collect();
        let queues = settings.queues.keys().map(|queue| (queue.clone(), Arc::from(queue.as_str())));
        let worker = Self {
            id,
            pool,
            queues: queues.collect(),
            kind_names: kinds.keys().cloned().collect(),
            kinds,
            settings,
            schedules,
            ready: Notify::new(),
            delayed: Notify::new(),
            limits: Notify::new(),
            load: Load::default(),
            progress: Arc::default(),
            adopt: |_, _| {},
            cancels,
            draining: AtomicBool::new(false),
            begun: AtomicBool::new(false),
            limited: RwLock::default(),
            doubtful_until: RwLock::default(),
            end: OnceLock::new(),
        };
        (worker, cancelled)
    }

    /// When the last words to PostgreSQL must have been said, counted from the first call: the beginning of the drain.
    pub(crate) fn end(&self) -> Instant {
        let last_words = Duration::from_millis(self.settings.retry_max_ms);
        *self.end.get_or_init(|| Instant::now() + self.settings.drain_timeout() + last_words)
    }

    pub(crate) fn queue_names(&self) -> Vec<&str> {
        self.settings.queues.keys().map(String::as_str).collect()
    }

    /// Whether a queue had limits when they were read last; claims that do not know of one take nothing.
    pub(crate) fn is_limited(&self, queue: &str) -> bool {
        self.limited.read().unwrap_or_else(PoisonError::into_inner).contains(queue)
    }

    /// Notes that a claim brought no answer: it may have taken tasks that nobody runs.
    pub(crate) fn doubt(&self) {
        let until = Instant::now() + self.settings.lease() + self.settings.heartbeat() * 3;
        *self.doubtful_until.write().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }

    pub(crate) fn is_doubtful(&self) -> bool {
        let until = *self.doubtful_until.read().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    /// Says whether that is news.
    pub(crate) fn set_limited(&self, queues: Vec<String>) -> bool {
        let queues: HashSet<String> = queues.into_iter().collect();
        let mut known = self.limited.write().unwrap_or_else(PoisonError::into_inner);
        let news = *known != queues;
        *known = queues;
        news
    }

    /// Runs one statement as a transaction of its own.
    pub(crate) async fn query(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        let client = self.client().await?;
        let answer = self
            .in_time(async {
                let statement = client.prepare_cached(sql).await?;
                client.query(&statement, params).await.map_err(Error::from)
            })
            .await;
        Self::keep_or_drop(client, &answer);
        answer
    }

    /// Gives a connection back, unless what happened on it says that it cannot serve again.
    pub(crate) fn keep_or_drop<T>(client: Object, answer: &Result<T, Error>) {
        if answer.as_ref().is_err_and(breaks_connection) {
            drop(Object::take(client));
        }
    }

    pub(crate) async fn client(&self) -> Result<Object, Error> {
        self.in_time(async {
            let client = self.pool.get().await?;
            if client.statement_cache.size() == 0 {
                client.batch_execute(PLANNING).await?;
                client.query(LIMITS, &[&self.settings.statement_timeout_ms.to_string()]).await?;
            }
            Ok(client)
        })
        .await
    }

    /// Ends what PostgreSQL does not answer: a server that hangs says nothing at all.
    pub(crate) async fn in_time<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let limit = Duration::from_millis(self.settings.statement_timeout_ms);
        match tokio::time::timeout(limit, work).await {
            Ok(result) => result,
            Err(_elapsed) => Err(Error::Unanswered),
        }
    }
}

/// Whether a connection cannot serve again: closed, hanging, shut down, read-only after a failover, or with statements
/// prepared for a schema that has changed.
fn breaks_connection(error: &Error) -> bool {
    let Error::Postgres(error) = error else { return matches!(error, Error::Unanswered) };
    let broken = ["08", "57", "25006", "0A000", "26000"];
    let says_so =
        error.code().is_some_and(|state| broken.iter().any(|class| state.code().starts_with(class)));
    says_so || error.is_closed()
}

/// Pauses between attempts to reach PostgreSQL: from 100 ms, doubling to a limit.
pub(crate) struct Pacing {
    next: Duration,
    max: Duration,
}

impl Pacing {
    const FIRST: Duration = Duration::from_millis(100);

    pub(crate) fn new(settings: &EngineSettings) -> Self {
        Self { next: Self::FIRST, max: Duration::from_millis(settings.retry_max_ms) }
    }

    pub(crate) fn reset(&mut self) {
        self.next = Self::FIRST;
    }

    /// The next pause.
    pub(crate) fn step(&mut self) -> Duration {
        let pause = self.next.min(self.max);
        self.next = self.next.saturating_mul(2).min(self.max);
        pause
    }
}

/// Waits, unless told to stop; says whether to go on.
pub(crate) async fn pause(length: Duration, stop: &CancellationToken) -> bool {
    tokio::select! {
        () = stop.cancelled() => false,
        () = tokio::time::sleep(length) => true,
    }
}

/// A length of time as PostgreSQL takes it; beyond a hundred years it is cut, since a time must come out when it is added.
pub(crate) fn millis(length: Duration) -> i64 {
    const CENTURY: i64 = 100 * 366 * 86_400_000;
    i64::try_from(length.as_millis()).unwrap_or(CENTURY).min(CENTURY)
}

/// A count as PostgreSQL takes it.
pub(crate) fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
