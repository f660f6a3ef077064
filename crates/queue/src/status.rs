//! How a task is doing, for whoever enqueued it.

use serde::Serialize;
use tokio_postgres::types::{Json, Type};
use tokio_postgres::{GenericClient, Row};
use uuid::Uuid;

use crate::{Error, Progress};

// A live row tells; else the latest end, and a dead letter where no history is kept.
const STATUS: &str = "-- queue::status
select 1 as rank, state, attempt, progress, cancelled_at is not null as cancel_requested,
       (select error from task_attempt where task_id = $1 order by finished_at desc limit 1) as error
  from task
 where id = $1
union all
(select 2, outcome, attempts, null, false, error
   from task_history
  where id = $1
  order by finished_at desc
  limit 1)
union all
select 3, 'BURIED', attempts, null, false, error
  from task_dead_letter
 where id = $1
 order by rank
 limit 1";

/// Where a task is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// It waits for other tasks.
    Waiting,
    /// Its time has not come.
    Delayed,
    /// It may be claimed.
    Ready,
    /// A worker has it.
    Running,
    /// It is done.
    Succeeded,
    /// It was given up; a dead letter holds it until a person retries or discards it.
    Buried,
    /// Somebody did not want it done, or what it waited for did not succeed.
    Cancelled,
}

impl State {
    const ALL: [Self; 7] = [
        Self::Waiting,
        Self::Delayed,
        Self::Ready,
        Self::Running,
        Self::Succeeded,
        Self::Buried,
        Self::Cancelled,
    ];

    /// The word in the tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Delayed => "DELAYED",
            Self::Ready => "READY",
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Buried => "BURIED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// Reads a word of the tables.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// Shows how a task is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Where it is.
    pub state: State,
    /// How far the latest attempt that said so has come; none once the task has ended.
    pub progress: Option<Progress>,
    /// Attempts begun.
    pub attempts: i32,
    /// Why the latest attempt failed, if it did.
    pub error: Option<String>,
    /// Somebody asked for its end, which has not come yet.
    pub cancel_requested: bool,
}

impl Status {
    /// The word that users of other queues know: `PENDING`, `STARTED`, `RETRY`, `SUCCESS`, `FAILURE` or `CANCELLED`.
    pub fn word(&self) -> &'static str {
        match self.state {
            State::Waiting | State::Delayed | State::Ready if self.attempts > 0 => "RETRY",
            State::Waiting | State::Delayed | State::Ready => "PENDING",
            State::Running => "STARTED",
            State::Succeeded => "SUCCESS",
            State::Buried => "FAILURE",
            State::Cancelled => "CANCELLED",
        }
    }

    /// Whether nothing more comes of it by itself.
    pub fn has_ended(&self) -> bool {
        match self.state {
            State::Waiting | State::Delayed | State::Ready | State::Running => false,
            State::Succeeded | State::Buried | State::Cancelled => true,
        }
    }
}

/// Answers how a task is doing: none when it never was, or its history is gone.
///
/// # Errors
/// [`Error::Postgres`].
pub async fn status<C>(client: &C, id: Uuid) -> Result<Option<Status>, Error>
where
    C: GenericClient + Sync,
{
    let rows = client.query_typed(STATUS, &[(&id, Type::UUID)]).await?;
    rows.first().map(read).transpose().map(Option::flatten)
}

fn read(row: &Row) -> Result<Option<Status>, Error> {
    let Some(state) = State::parse(row.try_get("state")?) else { return Ok(None) };
    let progress: Option<Json<Progress>> = row.try_get("progress")?;
    Ok(Some(Status {
        state,
        progress: progress.map(|Json(progress)| progress),
        attempts: row.try_get("attempt")?,
        error: row.try_get("error")?,
        cancel_requested: row.try_get("cancel_requested")?,
    }))
}
