//! Live tasks.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{GenericClient, Row};
use uuid::Uuid;

use crate::Error;
use crate::page::{Cursor, Page};

// Parameters that are null fall out when the statement is planned, which happens at every call; `due` and `pending`
// follow from the state, and lead to the indexes. Ids of version 7 are in the order of arrival.
const LIST: &str = "-- queue::browse::live
select id, queue, kind, state, priority, run_at, created_at, attempt, attempts_max, crashes, tenant, correlation,
       worker_id, lease_until, cancelled_at, unique_key, pending, progress, created_by
  from task
 where ($1::text is null or queue = $1)
   and ($2::text is null or kind = $2)
   and ($3::text is null or state = $3)
   and ($4::bool is null or due = $4)
   and ($5::uuid is null or tenant = $5)
   and ($6::uuid is null or correlation = $6)
   and ($7::bool is null or (pending > 0) = $7)
   and ($8::uuid is null or id < $8)
 order by id desc
 limit $9";

// What runs is little, and may stand anywhere in a long backlog: in the order of ids the planner would look for it from
// one end to the other, page by page and against the order of the table.
const RUNNING: &str = "-- queue::browse::running
with running as materialized (
    select id, queue, kind, state, priority, run_at, created_at, attempt, attempts_max, crashes, tenant, correlation,
           worker_id, lease_until, cancelled_at, unique_key, pending, progress, created_by
      from task
     where due and state = 'RUNNING'
       and ($1::text is null or queue = $1)
       and ($2::text is null or kind = $2)
       and ($3::uuid is null or tenant = $3)
       and ($4::uuid is null or correlation = $4)
)
select id, queue, kind, state, priority, run_at, created_at, attempt, attempts_max, crashes, tenant, correlation,
       worker_id, lease_until, cancelled_at, unique_key, pending, progress, created_by
  from running
 where $5::uuid is null or id < $5
 order by id desc
 limit $6";

const DELAYED: &str = "-- queue::browse::delayed
select id, queue, kind, state, priority, run_at, created_at, attempt, attempts_max, crashes, tenant, correlation,
       worker_id, lease_until, cancelled_at, unique_key, pending, progress, created_by
  from task
 where not due and pending = 0
   and ($1::text is null or queue = $1)
   and ($2::text is null or kind = $2)
   and ($3::uuid is null or tenant = $3)
   and ($4::uuid is null or correlation = $4)
   and ($5::timestamptz is null or (run_at >= $5 and (run_at, id) > ($5, $6::uuid)))
 order by run_at, id
 limit $7";

const ONE: &str = "-- queue::browse::live_one
select id, queue, kind, state, priority, run_at, created_at, attempt, attempts_max, crashes, tenant, correlation,
       worker_id, lease_until, cancelled_at, unique_key, pending, progress, created_by, args, parents
  from task
 where id = $1";

/// Says where a live task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskState {
    /// It waits for other tasks.
    Waiting,
    /// Its time has not come.
    Delayed,
    /// It can start at once.
    Ready,
    /// A worker has it.
    Running,
}

impl TaskState {
    /// The word in the tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Delayed => "DELAYED",
            Self::Ready => "READY",
            Self::Running => "RUNNING",
        }
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for TaskState {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        [Self::Waiting, Self::Delayed, Self::Ready, Self::Running]
            .into_iter()
            .find(|state| state.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| Error::UnknownState { state: text.to_owned() })
    }
}

/// Narrows a list of live tasks; absent takes all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskFilter {
    /// Of this queue.
    pub queue: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// In this state.
    pub state: Option<TaskState>,
    /// For this tenant.
    pub tenant: Option<Uuid>,
    /// With this correlation.
    pub correlation: Option<Uuid>,
}

/// Shows a live task, without its arguments.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LiveTask {
    /// Its id.
    pub id: Uuid,
    /// Its queue.
    pub queue: String,
    /// Its kind.
    pub kind: String,
    /// Where it stands.
    pub state: TaskState,
    /// The smaller number runs first.
    pub priority: i16,
    /// When it is or was due.
    pub run_at: Timestamp,
    /// When it was enqueued.
    pub created_at: Timestamp,
    /// How often it was begun.
    pub attempt: i32,
    /// Its own limit of attempts, in place of its kind's.
    pub attempts_max: Option<i32>,
    /// How often its worker fell silent.
    pub crashes: i32,
    /// For whom it works.
    pub tenant: Option<Uuid>,
    /// Joins log lines over processes.
    pub correlation: Option<Uuid>,
    /// Who has it while it runs.
    pub worker_id: Option<Uuid>,
    /// Until when its worker has it.
    pub lease_until: Option<Timestamp>,
    /// Since when it is not to be done.
    pub cancelled_at: Option<Timestamp>,
    /// Refuses a second task of its kind.
    pub unique_key: Option<String>,
    /// For how many others it waits.
    pub pending: i32,
    /// What its handler last said of how far it is.
    pub progress: Option<Value>,
    /// Who enqueued it, where that is known.
    pub created_by: Option<String>,
}

impl LiveTask {
    fn cursor(&self, state: Option<TaskState>) -> Cursor {
        let delayed = state == Some(TaskState::Delayed);
        Cursor { at: if delayed { self.run_at } else { self.created_at }, id: self.id }
    }
}

/// Reads live tasks: the latest enqueued first, delayed ones by the time at which they are due.
///
/// With a narrow filter over a long backlog it reads the backlog once; nothing else reads so much.
///
/// # Errors
/// [`Error::Postgres`].
pub async fn tasks<C>(
    client: &C,
    filter: &TaskFilter,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Page<LiveTask>, Error>
where
    C: GenericClient + Sync,
{
    let limit = Page::<LiveTask>::clamp(limit);
    let rows = match filter.state {
        Some(TaskState::Delayed) => delayed(client, filter, after, limit + 1).await?,
        Some(TaskState::Running) => running(client, filter, after, limit + 1).await?,
        Some(TaskState::Waiting | TaskState::Ready) | None => {
            listed(client, filter, after, limit + 1).await?
        }
    };
    Page::of(&rows, limit, read, |task| task.cursor(filter.state))
}

async fn listed<C>(
    client: &C,
    filter: &TaskFilter,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Vec<Row>, Error>
where
    C: GenericClient + Sync,
{
    let state = filter.state.map(TaskState::as_str);
    let due = filter.state.map(|state| state == TaskState::Ready);
    let pending = (filter.state == Some(TaskState::Waiting)).then_some(true);
    let params: [(&(dyn ToSql + Sync), Type); 9] = [
        (&filter.queue, Type::TEXT),
        (&filter.kind, Type::TEXT),
        (&state, Type::TEXT),
        (&due, Type::BOOL),
        (&filter.tenant, Type::UUID),
        (&filter.correlation, Type::UUID),
        (&pending, Type::BOOL),
        (&after.map(|cursor| cursor.id), Type::UUID),
        (&limit, Type::INT8),
    ];
    Ok(client.query_typed(LIST, &params).await?)
}

async fn running<C>(
    client: &C,
    filter: &TaskFilter,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Vec<Row>, Error>
where
    C: GenericClient + Sync,
{
    let params: [(&(dyn ToSql + Sync), Type); 6] = [
        (&filter.queue, Type::TEXT),
        (&filter.kind, Type::TEXT),
        (&filter.tenant, Type::UUID),
        (&filter.correlation, Type::UUID),
        (&after.map(|cursor| cursor.id), Type::UUID),
        (&limit, Type::INT8),
    ];
    Ok(client.query_typed(RUNNING, &params).await?)
}

async fn delayed<C>(
    client: &C,
    filter: &TaskFilter,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Vec<Row>, Error>
where
    C: GenericClient + Sync,
{
    let (at, id) = Cursor::parts(after);
    let params: [(&(dyn ToSql + Sync), Type); 7] = [
        (&filter.queue, Type::TEXT),
        (&filter.kind, Type::TEXT),
        (&filter.tenant, Type::UUID),
        (&filter.correlation, Type::UUID),
        (&at, Type::TIMESTAMPTZ),
        (&id, Type::UUID),
        (&limit, Type::INT8),
    ];
    Ok(client.query_typed(DELAYED, &params).await?)
}

/// A live task with its arguments and those it waited for.
pub(super) async fn one<C>(client: &C, id: Uuid) -> Result<Option<(LiveTask, Value, Vec<Uuid>)>, Error>
where
    C: GenericClient + Sync,
{
    let rows = client.query_typed(ONE, &[(&id, Type::UUID)]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let parents: Option<Vec<Uuid>> = row.try_get("parents")?;
    Ok(Some((read(row)?, row.try_get("args")?, parents.unwrap_or_default())))
}

fn read(row: &Row) -> Result<LiveTask, Error> {
    let state: &str = row.try_get("state")?;
    Ok(LiveTask {
        id: row.try_get("id")?,
        queue: row.try_get("queue")?,
        kind: row.try_get("kind")?,
        state: state.parse()?,
        priority: row.try_get("priority")?,
        run_at: row.try_get("run_at")?,
        created_at: row.try_get("created_at")?,
        attempt: row.try_get("attempt")?,
        attempts_max: row.try_get("attempts_max")?,
        crashes: row.try_get("crashes")?,
        tenant: row.try_get("tenant")?,
        correlation: row.try_get("correlation")?,
        worker_id: row.try_get("worker_id")?,
        lease_until: row.try_get("lease_until")?,
        cancelled_at: row.try_get("cancelled_at")?,
        unique_key: row.try_get("unique_key")?,
        pending: row.try_get("pending")?,
        progress: row.try_get("progress")?,
        created_by: row.try_get("created_by")?,
    })
}
