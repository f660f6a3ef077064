//! A transaction in progress: an owned handle that runs typed statements one after the other.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use deadpool_postgres::Object;
use domain::CorrelationId;
use postgres_types::ToSql;
use queue::{Enqueued, NewTask};
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;

use crate::error::{Error, Trouble};
use crate::measures::{CONNECTIONS_DISCARDED, STATEMENT_SECONDS};
use crate::params::Binds;
use crate::row::FromRow;
use crate::statement::Statement;
use crate::store::TraceSource;

/// A transaction in progress. Cheap to clone; every clone is the same transaction.
///
/// One from [`crate::Store::run_single`] has no `begin`: each of its statements commits by itself.
///
/// A handle that is dropped before the transaction ended (the caller went away, a time-out) takes its connection out
/// of the pool, so that nobody inherits an open transaction.
#[derive(Clone, Debug)]
pub struct Tx {
    inner: Arc<Inner>,
}

/// The statement whose loss leaves the outcome unknown.
const COMMIT: &str = "commit";

/// Whether a transaction may change anything, and what it does about rivals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// It may, and runs again when it lost a race.
    ReadWrite,
    /// PostgreSQL refuses changes.
    ReadOnly,
    /// It may, and waits for contended rows instead of losing races for them.
    InTurn,
}

/// What a transaction is called, what it may, for whom it is, and how long it waits for each answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) name: &'static str,
    pub(crate) access: Access,
    pub(crate) correlation: Option<CorrelationId>,
    pub(crate) patience: Duration,
    pub(crate) slow: Option<Duration>,
    pub(crate) trace: Option<TraceSource>,
}

#[derive(Debug)]
struct Inner {
    terms: Terms,
    /// Present until the last handle is dropped.
    connection: Option<Object>,
    /// The first failure; PostgreSQL refuses everything after it.
    trouble: OnceLock<Trouble>,
    ended: AtomicBool,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let usable = self.trouble.get().is_none_or(|trouble| trouble.leaves_connection_usable());
        if !(usable && self.ended.load(Ordering::Acquire)) {
            metrics::counter!(CONNECTIONS_DISCARDED, "transaction" => self.terms.name).increment(1);
            drop(Object::take(connection));
        }
    }
}

impl Tx {
    /// Uses a connection without a transaction; [`Tx::finish`] says that it is clean.
    pub(crate) fn autocommit(connection: Object, terms: Terms) -> Self {
        let inner = Inner {
            terms,
            connection: Some(connection),
            trouble: OnceLock::new(),
            ended: AtomicBool::new(false),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Says that nothing is open on the connection.
    pub(crate) fn finish(&self) {
        self.inner.ended.store(true, Ordering::Release);
    }

    /// Opens a transaction with one round trip.
    pub(crate) async fn begin(connection: Object, terms: Terms, opening: &str) -> Result<Self, Error> {
        let tx = Self::autocommit(connection, terms);
        tx.ask("begin", tx.connection().batch_execute(opening)).await?;
        Ok(tx)
    }

    /// Reads exactly one row; none is [`Error::Stale`].
    pub async fn one<P, R: FromRow>(
        &self,
        statement: &Statement<P, R>,
        params: impl Binds<P>,
    ) -> Result<R, Error> {
        let found = self.opt(statement, params).await?;
        found.ok_or(Error::Stale { statement: statement.name() })
    }

    /// Reads a row that may be absent; of several the first.
    pub async fn opt<P, R: FromRow>(
        &self,
        statement: &Statement<P, R>,
        params: impl Binds<P>,
    ) -> Result<Option<R>, Error> {
        let rows = self.rows(statement.name(), statement.sql(), &params.as_sql()).await?;
        rows.first().map(|row| decode(statement.name(), row)).transpose()
    }

    /// Reads every row.
    pub async fn all<P, R: FromRow>(
        &self,
        statement: &Statement<P, R>,
        params: impl Binds<P>,
    ) -> Result<Vec<R>, Error> {
        let rows = self.rows(statement.name(), statement.sql(), &params.as_sql()).await?;
        rows.iter().map(|row| decode(statement.name(), row)).collect()
    }

    /// Changes rows and counts them.
    pub async fn execute<P>(
        &self,
        statement: &Statement<P, ()>,
        params: impl Binds<P>,
    ) -> Result<u64, Error> {
        let connection = self.connection();
        let params = params.as_sql();
        let answer = async {
            let prepared = connection.prepare_cached(statement.sql()).await?;
            connection.execute(&prepared, &params).await
        };
        self.ask(statement.name(), answer).await
    }

    /// Changes one row; none is [`Error::Stale`].
    pub async fn execute_one<P>(
        &self,
        statement: &Statement<P, ()>,
        params: impl Binds<P>,
    ) -> Result<(), Error> {
        match self.execute(statement, params).await? {
            0 => Err(Error::Stale { statement: statement.name() }),
            _ => Ok(()),
        }
    }

    /// Enqueues tasks: they exist when this transaction commits.
    pub async fn enqueue(&self, tasks: &[NewTask]) -> Result<Vec<Enqueued>, Error> {
        let client: &tokio_postgres::Client = self.connection();
        let tasks = self.traced(tasks);
        let answer = async {
            match queue::enqueue(client, &tasks).await {
                Err(queue::Error::Postgres(source)) => Err(source),
                answer => Ok(answer.map_err(Error::Enqueue)),
            }
        };
        self.ask("queue::enqueue", answer).await?
    }

    /// The tasks as those of what is going on.
    fn traced<'a>(&self, tasks: &'a [NewTask]) -> Cow<'a, [NewTask]> {
        match self.inner.terms.trace.and_then(|source| source()) {
            Some(trace) => tasks.iter().map(|task| task.clone().traceparent_or(&trace)).collect(),
            None => Cow::Borrowed(tasks),
        }
    }

    /// Asks the queue something on this transaction's connection.
    pub(crate) async fn ask_queue<'a, T, F>(
        &'a self,
        during: &'static str,
        question: impl FnOnce(&'a tokio_postgres::Client) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, queue::Error>>,
    {
        let answer = async {
            match question(self.connection()).await {
                Err(queue::Error::Postgres(source)) => Err(source),
                answer => Ok(answer.map_err(Error::Queue)),
            }
        };
        self.ask(during, answer).await?
    }

    /// What the first failed statement means, if one failed.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.inner.trouble.get().copied()
    }

    /// Commits; refuses when a statement failed, because PostgreSQL would roll back and call it success.
    pub(crate) async fn commit(&self) -> Result<(), Error> {
        if self.trouble().is_some() {
            self.rollback().await;
            return Err(Error::WentOn { transaction: self.inner.terms.name });
        }
        let outcome = self.ask(COMMIT, self.connection().batch_execute(COMMIT)).await;
        if outcome.is_ok() {
            self.finish();
        }
        outcome
    }

    /// Rolls back; a connection that cannot even do that is discarded with the last handle.
    pub(crate) async fn rollback(&self) {
        if self.trouble().is_some_and(|trouble| !trouble.leaves_connection_usable()) {
            return;
        }
        match self.ask("rollback", self.connection().batch_execute("rollback")).await {
            Ok(()) => self.finish(),
            Err(error) => tracing::debug!(transaction = self.inner.terms.name, %error, "rolling back failed"),
        }
    }

    async fn rows(
        &self,
        name: &'static str,
        sql: &'static str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        let connection = self.connection();
        let answer = async {
            let prepared = connection.prepare_cached(sql).await?;
            connection.query(&prepared, params).await
        };
        self.ask(name, answer).await
    }

    /// Waits for an answer: as long as the server may work on it, and a little for the way.
    async fn ask<T>(
        &self,
        during: &'static str,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Error> {
        let started = Instant::now();
        let answered = tokio::time::timeout(self.inner.terms.patience, answer).await;
        let took = started.elapsed();
        metrics::histogram!(STATEMENT_SECONDS, "statement" => during).record(took);
        self.tell_if_slow(during, took);
        match answered {
            Ok(outcome) => outcome.map_err(|source| self.fail(during, source)),
            Err(_elapsed) => {
                self.inner.trouble.get_or_init(|| Trouble::Unanswered);
                Err(Error::Unanswered { during })
            }
        }
    }

    /// Tells the log, never the database: one that is slow has enough to do.
    fn tell_if_slow(&self, during: &'static str, took: Duration) {
        let terms = &self.inner.terms;
        if terms.slow.is_some_and(|slow| took >= slow) {
            tracing::warn!(
                target: "slow_statement",
                statement = during,
                transaction = terms.name,
                elapsed_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                correlation_id = terms.correlation.map(tracing::field::display),
                "a statement was slow"
            );
        }
    }

    fn connection(&self) -> &Object {
        debug_assert!(!self.inner.ended.load(Ordering::Acquire), "{} has ended", self.inner.terms.name);
        self.inner.connection.as_ref().expect("the connection is taken out by drop only")
    }

    /// Remembers what a failure means for the transaction, and names it for the caller.
    fn fail(&self, during: &'static str, source: tokio_postgres::Error) -> Error {
        let refused_change = self.inner.terms.access == Access::ReadOnly && is_read_only(&source);
        let found = Trouble::of(&source);
        let trouble = if refused_change {
            Trouble::Other
        } else if found == Trouble::Lost && during == COMMIT {
            Trouble::InDoubt
        } else {
            found
        };
        if trouble == Trouble::OldPlan
            && let Some(pool) = Object::pool(self.connection())
        {
            pool.manager().statement_caches.clear();
        }
        self.inner.trouble.get_or_init(|| trouble);
        if refused_change {
            Error::Failed { during, source: source.into() }
        } else {
            Error::from_driver(during, source)
        }
    }
}

/// Whether PostgreSQL refused a change for being read-only: a server turned standby, or a transaction that only reads.
fn is_read_only(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION)
}

fn decode<R: FromRow>(during: &'static str, row: &Row) -> Result<R, Error> {
    R::from_row(row).map_err(|source| Error::Failed { during, source: source.into() })
}
