//! Everything about one task.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::GenericClient;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::finished::{self, FinishedTask};
use super::live::{self, LiveTask};
use crate::action::{self, Action};
use crate::dead_letter;
use crate::{DeadLetter, Error};

/// How many attempts, actions and relatives are shown of one task.
const SHOWN_MAX: i64 = 200;

const ATTEMPTS: &str = "-- queue::browse::attempts
select task_attempts.attempt, task_attempts.worker_id, task_worker.name as worker, task_attempts.started_at,
       task_attempts.finished_at, task_attempts.outcome, task_attempts.error
  from task_attempts
  left join task_worker on task_worker.id = task_attempts.worker_id
 where task_attempts.task_id = $1
 order by task_attempts.finished_at desc
 limit $2";

// A task that has ended stands in history; of one that was retried the live row counts.
const PARENTS: &str = "-- queue::browse::parents
select parent.id, coalesce(task.kind, past.kind) as kind, coalesce(task.state, past.outcome) as state
  from unnest($1::uuid[]) as parent (id)
  left join task on task.id = parent.id
  left join lateral (
       select kind, outcome from task_history where task_history.id = parent.id order by finished_at desc limit 1
       ) as past on task.id is null
 limit $2";

const CHILDREN: &str = "-- queue::browse::children
select task.id, task.kind, task.state
  from task_dependency
  join task on task.id = task_dependency.task_id
 where task_dependency.waits_for = $1
 order by task.id
 limit $2";

/// Shows everything that is known of a task, wherever it stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskDetail {
    /// Its id.
    pub id: Uuid,
    /// Its queue.
    pub queue: String,
    /// Its kind.
    pub kind: String,
    /// For whom it works.
    pub tenant: Option<Uuid>,
    /// Joins log lines over processes.
    pub correlation: Option<Uuid>,
    /// When it was enqueued.
    pub created_at: Timestamp,
    /// Who enqueued it, where that is known.
    pub created_by: Option<String>,
    /// Its arguments.
    pub args: Value,
    /// While it is to be done.
    pub live: Option<LiveTask>,
    /// While it waits for a person, having been given up.
    pub dead_letter: Option<DeadLetter>,
    /// Its ends, the latest first: one that was given up may have been retried.
    pub ends: Vec<FinishedTask>,
    /// What it answered, as long as that is kept.
    pub result: Option<Value>,
    /// Its attempts that have ended, the latest first.
    pub attempts: Vec<Attempt>,
    /// What was done to it by hand, the first first.
    pub actions: Vec<Action>,
    /// For which tasks it waited.
    pub parents: Vec<Relative>,
    /// Which tasks still wait for it.
    pub children: Vec<Relative>,
}

/// Shows an attempt that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// Which it was, from 1.
    pub attempt: i32,
    /// Who made it.
    pub worker_id: Option<Uuid>,
    /// The worker's name, as long as it is listed.
    pub worker: Option<String>,
    /// When it began; unknown after a crash.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Timestamp,
    /// `SUCCEEDED`, `FAILED`, `TIMED_OUT`, `PANICKED`, `SNOOZED`, `CRASHED`, `CANCELLED` or `INTERRUPTED`.
    pub outcome: String,
    /// The error with its causes.
    pub error: Option<String>,
}

/// Names a task before or behind another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Relative {
    /// Its id.
    pub id: Uuid,
    /// Its kind, unless nothing is left of it.
    pub kind: Option<String>,
    /// Its state while it lives, its outcome afterwards.
    pub state: Option<String>,
}

/// Reads everything about one task; none when nothing is left of it.
///
/// # Errors
/// [`Error::Postgres`].
pub async fn task<C>(client: &C, id: Uuid) -> Result<Option<TaskDetail>, Error>
where
    C: GenericClient + Sync,
{
    let Some((mut detail, parents)) = outline(client, id).await? else { return Ok(None) };
    detail.attempts = attempts(client, id).await?;
    detail.actions = action::of_task(client, id, SHOWN_MAX).await?;
    if !parents.is_empty() {
        detail.parents = relatives(client, PARENTS, (&parents, Type::UUID_ARRAY)).await?;
    }
    detail.children = relatives(client, CHILDREN, (&id, Type::UUID)).await?;
    Ok(Some(detail))
}

/// What its own rows say, and for which tasks it waited.
async fn outline<C>(client: &C, id: Uuid) -> Result<Option<(TaskDetail, Vec<Uuid>)>, Error>
where
    C: GenericClient + Sync,
{
    let live = live::one(client, id).await?;
    let dead_letter = dead_letter::one(client, id).await?;
    let mut past = finished::ends_of(client, id).await?;
    let result = past.first_mut().and_then(|latest| latest.result.take());
    let (head, args, parents) = match (&live, &dead_letter, past.first_mut()) {
        (Some((task, args, parents)), _, _) => (Head::of_live(task), args.clone(), parents.clone()),
        (None, _, Some(latest)) => {
            (Head::of_finished(&latest.task), latest.args.take(), std::mem::take(&mut latest.parents))
        }
        (None, Some(letter), None) => (Head::of_dead_letter(letter), letter.args.clone(), Vec::new()),
        (None, None, None) => return Ok(None),
    };
    let detail = TaskDetail {
        id,
        queue: head.queue,
        kind: head.kind,
        tenant: head.tenant,
        correlation: head.correlation,
        created_at: head.created_at,
        created_by: head.created_by,
        args,
        live: live.map(|(task, _, _)| task),
        dead_letter,
        ends: past.into_iter().map(|end| end.task).collect(),
        result,
        attempts: Vec::new(),
        actions: Vec::new(),
        parents: Vec::new(),
        children: Vec::new(),
    };
    Ok(Some((detail, parents)))
}

/// What every kind of row says.
struct Head {
    queue: String,
    kind: String,
    tenant: Option<Uuid>,
    correlation: Option<Uuid>,
    created_at: Timestamp,
    created_by: Option<String>,
}

macro_rules! head_of {
    ($name:ident, $row:ty) => {
        fn $name(row: &$row) -> Self {
            Self {
                queue: row.queue.clone(),
                kind: row.kind.clone(),
                tenant: row.tenant,
                correlation: row.correlation,
                created_at: row.created_at,
                created_by: row.created_by.clone(),
            }
        }
    };
}

impl Head {
    head_of!(of_live, LiveTask);
    head_of!(of_finished, FinishedTask);
    head_of!(of_dead_letter, DeadLetter);
}

async fn attempts<C>(client: &C, id: Uuid) -> Result<Vec<Attempt>, Error>
where
    C: GenericClient + Sync,
{
    let rows = client.query_typed(ATTEMPTS, &[(&id, Type::UUID), (&SHOWN_MAX, Type::INT8)]).await?;
    rows.iter()
        .map(|row| {
            Ok(Attempt {
                attempt: row.try_get("attempt")?,
                worker_id: row.try_get("worker_id")?,
                worker: row.try_get("worker")?,
                started_at: row.try_get("started_at")?,
                finished_at: row.try_get("finished_at")?,
                outcome: row.try_get("outcome")?,
                error: row.try_get("error")?,
            })
        })
        .collect()
}

async fn relatives<C>(client: &C, sql: &str, of: (&(dyn ToSql + Sync), Type)) -> Result<Vec<Relative>, Error>
where
    C: GenericClient + Sync,
{
    let rows = client.query_typed(sql, &[of, (&SHOWN_MAX, Type::INT8)]).await?;
    rows.iter()
        .map(|row| {
            Ok(Relative { id: row.try_get("id")?, kind: row.try_get("kind")?, state: row.try_get("state")? })
        })
        .collect()
}
