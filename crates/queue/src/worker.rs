//! What all parts of a running engine share.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::schedule::Clockwork;
use crate::{EngineSettings, Error, Kind};

/// One engine at work: who it is, what it knows, how it reaches PostgreSQL.
pub(crate) struct Worker {
    pub(crate) id: Uuid,
    pub(crate) pool: Pool,
    pub(crate) settings: EngineSettings,
    pub(crate) kinds: HashMap<String, Kind>,
    pub(crate) schedules: Vec<Clockwork>,
    /// There may be ready tasks.
    pub(crate) ready: Notify,
    /// There may be a delayed task that is due sooner than expected.
    pub(crate) delayed: Notify,
    pub(crate) load: Load,
    /// The tables know this engine.
    pub(crate) begun: AtomicBool,
    end: OnceLock<Instant>,
}

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
        kinds: HashMap<String, Kind>,
        schedules: Vec<Clockwork>,
    ) -> Self {
        Self {
            id,
            pool,
            settings,
            kinds,
            schedules,
            ready: Notify::new(),
            delayed: Notify::new(),
            load: Load::default(),
            begun: AtomicBool::new(false),
            end: OnceLock::new(),
        }
    }

    /// When the last words to PostgreSQL must have been said, counted from the first call: the beginning of the drain.
    pub(crate) fn end(&self) -> Instant {
        let last_words = Duration::from_millis(self.settings.retry_max_ms);
        *self.end.get_or_init(|| Instant::now() + self.settings.drain_timeout() + last_words)
    }

    pub(crate) fn queue_names(&self) -> Vec<&str> {
        self.settings.queues.keys().map(String::as_str).collect()
    }

    pub(crate) fn kind_names(&self) -> Vec<&str> {
        self.kinds.keys().map(String::as_str).collect()
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
        if answer.as_ref().is_err_and(breaks_connection) {
            drop(Object::take(client));
        }
        answer
    }

    pub(crate) async fn client(&self) -> Result<Object, Error> {
        self.in_time(async { self.pool.get().await.map_err(Error::from) }).await
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

/// A length of time as PostgreSQL takes it; lengths past 292 million years are cut.
pub(crate) fn millis(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}

/// A count as PostgreSQL takes it.
pub(crate) fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
