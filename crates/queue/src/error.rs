//! What can go wrong outside of handlers.

use std::error::Error as StdError;
use std::sync::Arc;

use tokio_postgres::error::DbError;

/// Why the queue could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The arguments of a task cannot be written as JSON.
    #[error("arguments of task kind {kind} cannot be written as JSON")]
    Args {
        /// The kind of the task.
        kind: String,
        /// What JSON said.
        #[source]
        source: Arc<serde_json::Error>,
    },
    /// More tasks in one call than [`crate::TASKS_PER_CALL_MAX`].
    #[error("{count} tasks in one call, at most {max} are taken")]
    TooMany {
        /// How many were given.
        count: usize,
        /// How many are taken.
        max: usize,
    },
    /// A queue that is not in table `task_queue`.
    #[error("queue {queue} does not exist")]
    UnknownQueue {
        /// The name given.
        queue: String,
    },
    /// A kind that is not in table `task_kind`.
    #[error("task kind {kind} was never registered by a worker nor declared")]
    UnknownKind {
        /// The kind given.
        kind: String,
    },
    /// A schedule enqueues a kind that the engine does not know.
    #[error("schedule {schedule} wants task kind {kind}, which is not registered")]
    UnregisteredKind {
        /// The schedule.
        schedule: String,
        /// The kind it wants.
        kind: String,
    },
    /// A schedule brings arguments that the handler of its kind cannot read.
    #[error("schedule {schedule} brings arguments that task kind {kind} cannot read")]
    ScheduledArgs {
        /// The schedule.
        schedule: String,
        /// The kind it wants.
        kind: String,
        /// What JSON said.
        #[source]
        source: serde_json::Error,
    },
    /// Two kinds or two schedules have the same name.
    #[error("{name} is registered twice")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// A name or limit of a kind or schedule that cannot work.
    #[error("{name}: {advice}")]
    Unusable {
        /// The kind or schedule.
        name: String,
        /// What to do about it.
        advice: &'static str,
    },
    /// Tasks of a workflow that wait for each other.
    #[error("task {name} of the workflow waits for itself, directly or through others")]
    Cycle {
        /// One of them.
        name: String,
    },
    /// A cron expression that cannot be read.
    #[error("schedule {schedule} has no cron expression in {cron:?}")]
    Cron {
        /// The schedule.
        schedule: String,
        /// What it gave.
        cron: String,
        /// What is wrong with it.
        #[source]
        source: croner::errors::CronError,
    },
    /// A time zone that is not in the database of time zones.
    #[error("schedule {schedule} has no time zone in {time_zone:?}")]
    TimeZone {
        /// The schedule.
        schedule: String,
        /// What it gave.
        time_zone: String,
        /// What is wrong with it.
        #[source]
        source: jiff::Error,
    },
    /// A setting that cannot work.
    #[error("setting {key}: {advice}")]
    Setting {
        /// Its key.
        key: &'static str,
        /// What to do about it.
        advice: &'static str,
    },
    /// A schedule that is not in table `task_schedule`.
    #[error("schedule {name} does not exist")]
    UnknownSchedule {
        /// The name given.
        name: String,
    },
    /// A worker that is not in table `task_worker`.
    #[error("worker {id} is not listed")]
    UnknownWorker {
        /// The id given.
        id: uuid::Uuid,
    },
    /// A word that is no [`crate::TaskState`].
    #[error("{state} is no state of a task; there are WAITING, DELAYED, READY and RUNNING")]
    UnknownState {
        /// The word given.
        state: String,
    },
    /// A text that is no [`crate::Cursor`].
    #[error("the cursor cannot be read; begin at the first page")]
    Cursor,
    /// A live task of the same kind holds the unique key.
    #[error("a live task holds the unique key")]
    KeyHeld,
    /// A handler was about to complete a task that has gone to another, or is gone.
    #[error("the lease of the task was lost before its completion")]
    LeaseLost,
    /// No connection came out of the pool.
    #[error("no connection to PostgreSQL")]
    Pool(#[from] deadpool_postgres::PoolError),
    /// PostgreSQL, or the pool, did not answer in time.
    #[error("PostgreSQL did not answer in time")]
    Unanswered,
    /// PostgreSQL refused or was not reached. What the driver says stands in the text and is not a source: its own text
    /// shows rows.
    #[error("PostgreSQL failed: {}", chain(.0))]
    Postgres(tokio_postgres::Error),
    /// A part of the engine ended although nobody told it to.
    #[error("a part of the engine ended by itself")]
    PartEnded,
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error)
    }
}

impl Error {
    /// Whether PostgreSQL refused the values, so that repeating the statement unchanged would be refused again.
    pub(crate) fn is_refusal(&self) -> bool {
        self.has_class("22") || self.has_class("23")
    }

    /// Whether another transaction holds a row for longer than is waited.
    pub(crate) fn is_locked(&self) -> bool {
        self.has_class("55P03")
    }

    fn has_class(&self, class: &str) -> bool {
        let Self::Postgres(error) = self else { return false };
        error.code().is_some_and(|state| state.code().starts_with(class))
    }
}

/// Writes an error with all its causes on one line, and nothing of the rows that PostgreSQL quotes in its details:
/// more people read logs and dead letters than tables.
pub(crate) fn chain(error: &(dyn StdError + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |cause: &&(dyn StdError + 'static)| (*cause).source());
    causes.map(words).collect::<Vec<_>>().join(": ")
}

fn words(cause: &(dyn StdError + 'static)) -> String {
    let Some(refused) = cause.downcast_ref::<DbError>() else { return cause.to_string() };
    let constraint = refused.constraint().map(|name| format!(" ({name})")).unwrap_or_default();
    format!("{} {}: {}{constraint}", refused.severity(), refused.code().code(), refused.message())
}
