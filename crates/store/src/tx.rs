//! A transaction in progress: an owned handle that runs typed statements one after the other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use deadpool_postgres::Object;
use postgres_types::ToSql;
use queue::NewTask;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use crate::error::{Error, Trouble};
use crate::measures::{CONNECTIONS_DISCARDED, STATEMENT_SECONDS};
use crate::params::Binds;
use crate::row::FromRow;
use crate::statement::Statement;

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

/// Whether a transaction may change anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// It may.
    ReadWrite,
    /// PostgreSQL refuses changes.
    ReadOnly,
    /// May, and waits for contended rows instead of losing races for them.
    InTurn,
}

#[derive(Debug)]
struct Inner {
    name: &'static str,
    access: Access,
    /// Present until the last handle is dropped.
    connection: Option<Object>,
    /// The first failure; PostgreSQL refuses everything after it.
    trouble: OnceLock<Trouble>,
    ended: AtomicBool,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let clean = self.ended.load(Ordering::Acquire) && self.trouble.get() != Some(&Trouble::Lost);
        if !clean {
            metrics::counter!(CONNECTIONS_DISCARDED, "transaction" => self.name).increment(1);
            drop(Object::take(connection));
        }
    }
}

impl Tx {
    fn on(connection: Object, name: &'static str, access: Access) -> Self {
        let inner = Inner {
            name,
            access,
            connection: Some(connection),
            trouble: OnceLock::new(),
            ended: AtomicBool::new(false),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Uses a connection without a transaction; [`Tx::finish`] says that it is clean.
    pub(crate) fn autocommit(connection: Object, name: &'static str) -> Self {
        Self::on(connection, name, Access::ReadWrite)
    }

    /// Says that nothing is open on the connection.
    pub(crate) fn finish(&self) {
        self.inner.ended.store(true, Ordering::Release);
    }

    /// Opens a transaction with one round trip.
    pub(crate) async fn begin(
        connection: Object,
        name: &'static str,
        access: Access,
        opening: &str,
    ) -> Result<Self, Error> {
        let tx = Self::on(connection, name, access);
        let begun = tx.connection().batch_execute(opening).await;
        begun.map_err(|source| tx.fail("begin", source))?;
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
        let started = Instant::now();
        let connection = self.connection();
        let params = params.as_sql();
        let outcome = async {
            let prepared = connection.prepare_cached(statement.sql()).await?;
            connection.execute(&prepared, &params).await
        }
        .await;
        record(statement.name(), started);
        outcome.map_err(|source| self.fail(statement.name(), source))
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

    /// Enqueues tasks: they exist when this transaction commits. `None` where a live task holds the unique key.
    pub async fn enqueue(&self, tasks: &[NewTask]) -> Result<Vec<Option<Uuid>>, Error> {
        let client: &tokio_postgres::Client = self.connection();
        let outcome = queue::enqueue(client, tasks).await;
        outcome.map_err(|error| {
            if let queue::Error::Postgres(source) = error {
                self.fail("queue::enqueue", source)
            } else {
                Error::Enqueue(error)
            }
        })
    }

    /// What the first failed statement means, if one failed.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.inner.trouble.get().copied()
    }

    /// Commits; refuses when a statement failed, because PostgreSQL would roll back and call it success.
    pub(crate) async fn commit(&self) -> Result<(), Error> {
        if self.trouble().is_some() {
            self.rollback().await;
            return Err(Error::WentOn { transaction: self.inner.name });
        }
        match self.connection().batch_execute("commit").await {
            Ok(()) => {
                self.finish();
                Ok(())
            }
            Err(source) => {
                let trouble = Trouble::of(&source);
                let in_doubt = trouble == Trouble::Lost;
                self.inner.trouble.get_or_init(|| if in_doubt { Trouble::InDoubt } else { trouble });
                Err(Error::from_driver("commit", source))
            }
        }
    }

    /// Rolls back; a connection that cannot even do that is discarded with the last handle.
    pub(crate) async fn rollback(&self) {
        if self.trouble() == Some(Trouble::Lost) {
            return;
        }
        match self.connection().batch_execute("rollback").await {
            Ok(()) => self.finish(),
            Err(error) => tracing::debug!(transaction = self.inner.name, %error, "rolling back failed"),
        }
    }

    async fn rows(
        &self,
        name: &'static str,
        sql: &'static str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        let started = Instant::now();
        let connection = self.connection();
        let outcome = async {
            let prepared = connection.prepare_cached(sql).await?;
            connection.query(&prepared, params).await
        }
        .await;
        record(name, started);
        outcome.map_err(|source| self.fail(name, source))
    }

    fn connection(&self) -> &Object {
        debug_assert!(!self.inner.ended.load(Ordering::Acquire), "{} has ended", self.inner.name);
        self.inner.connection.as_ref().expect("the connection is taken out by drop only")
    }

    /// Remembers what a failure means for the transaction, and names it for the caller.
    fn fail(&self, during: &'static str, source: tokio_postgres::Error) -> Error {
        let refused_change = self.inner.access == Access::ReadOnly && is_read_only(&source);
        let trouble = if refused_change { Trouble::Other } else { Trouble::of(&source) };
        if trouble == Trouble::OldPlan
            && let Some(pool) = Object::pool(self.connection())
        {
            pool.manager().statement_caches.clear();
        }
        self.inner.trouble.get_or_init(|| trouble);
        if refused_change { Error::Failed { during, source } } else { Error::from_driver(during, source) }
    }
}

/// Whether PostgreSQL refused a change for being read-only: a server turned standby, or a transaction that only reads.
fn is_read_only(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION)
}

fn decode<R: FromRow>(during: &'static str, row: &Row) -> Result<R, Error> {
    R::from_row(row).map_err(|source| Error::Failed { during, source })
}

fn record(statement: &'static str, started: Instant) {
    metrics::histogram!(STATEMENT_SECONDS, "statement" => statement).record(started.elapsed());
}
