//! Finished tasks.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{GenericClient, Row};
use uuid::Uuid;

use crate::Error;
use crate::page::{Cursor, Page};

/// How far back a list looks at first; then further and further, until the page is full. A page of a busy history lies
/// within seconds, and of a quiet one everything is little.
const LOOKS_BACK_SECONDS: [Option<f64>; 6] =
    [Some(1.0), Some(30.0), Some(900.0), Some(28_800.0), Some(864_000.0), None];

// An index that gives this order would cost every finished task a quarter of its insert. The one there is finds a
// stretch of time, for next to nothing.
const LIST: &str = "-- queue::browse::history
select id, queue, kind, outcome, last_outcome, priority, attempts, tenant, correlation, worker_id, created_at, run_at,
       started_at, finished_at, error, created_by
  from task_history
 where ($1::text is null or queue = $1)
   and ($2::text is null or kind = $2)
   and ($3::text is null or outcome = $3)
   and ($4::uuid is null or tenant = $4)
   and ($5::uuid is null or correlation = $5)
   and ($6::timestamptz is null or (finished_at <= $6 and (finished_at, id) < ($6, $7::uuid)))
   and ($8::float8 is null or finished_at >= coalesce($6, now()) - $8 * interval '1 second')
 order by finished_at desc, id desc
 limit $9";

const ONE: &str = "-- queue::browse::history_one
select id, queue, kind, outcome, last_outcome, priority, attempts, tenant, correlation, worker_id, created_at, run_at,
       started_at, finished_at, error, created_by, args, parents,
       case when result_until > now() then result end as result
  from task_history
 where id = $1
 order by finished_at desc
 limit 20";

/// Narrows a list of finished tasks; absent takes all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HistoryFilter {
    /// Of this queue.
    pub queue: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// `SUCCEEDED`, `BURIED` or `CANCELLED`.
    pub outcome: Option<String>,
    /// For this tenant.
    pub tenant: Option<Uuid>,
    /// With this correlation.
    pub correlation: Option<Uuid>,
}

/// Shows a finished task, without its arguments.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FinishedTask {
    /// Its id.
    pub id: Uuid,
    /// Its queue.
    pub queue: String,
    /// Its kind.
    pub kind: String,
    /// `SUCCEEDED`, `BURIED` or `CANCELLED`.
    pub outcome: String,
    /// How its last attempt ended, where one ended it.
    pub last_outcome: Option<String>,
    /// The smaller number ran first.
    pub priority: i16,
    /// How often it was begun.
    pub attempts: i32,
    /// For whom it worked.
    pub tenant: Option<Uuid>,
    /// Joins log lines over processes.
    pub correlation: Option<Uuid>,
    /// Who had it last.
    pub worker_id: Option<Uuid>,
    /// When it was enqueued.
    pub created_at: Timestamp,
    /// When it was due.
    pub run_at: Timestamp,
    /// When its last attempt began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Timestamp,
    /// Its last error with its causes.
    pub error: Option<String>,
    /// Who enqueued it, where that is known.
    pub created_by: Option<String>,
}

/// What only a look at one task shows.
pub(super) struct Finished {
    pub(super) task: FinishedTask,
    pub(super) args: Value,
    pub(super) parents: Vec<Uuid>,
    pub(super) result: Option<Value>,
}

impl FinishedTask {
    fn cursor(&self) -> Cursor {
        Cursor { at: self.finished_at, id: self.id }
    }
}

/// Reads finished tasks, the latest first. With a filter that matches little it reads as far back as it must.
///
/// # Errors
/// [`Error::Postgres`].
pub async fn history<C>(
    client: &C,
    filter: &HistoryFilter,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Page<FinishedTask>, Error>
where
    C: GenericClient + Sync,
{
    let (at, id) = Cursor::parts(after);
    let limit = Page::<FinishedTask>::clamp(limit);
    let mut page = Page { rows: Vec::new(), next: None };
    for back in LOOKS_BACK_SECONDS {
        let params: [(&(dyn ToSql + Sync), Type); 9] = [
            (&filter.queue, Type::TEXT),
            (&filter.kind, Type::TEXT),
            (&filter.outcome, Type::TEXT),
            (&filter.tenant, Type::UUID),
            (&filter.correlation, Type::UUID),
            (&at, Type::TIMESTAMPTZ),
            (&id, Type::UUID),
            (&back, Type::FLOAT8),
            (&(limit + 1), Type::INT8),
        ];
        let rows = client.query_typed(LIST, &params).await?;
        page = Page::of(&rows, limit, read, FinishedTask::cursor)?;
        if page.next.is_some() {
            break;
        }
    }
    Ok(page)
}

/// Every end that a task has had, the latest first: one that was given up may have been retried.
pub(super) async fn ends_of<C>(client: &C, id: Uuid) -> Result<Vec<Finished>, Error>
where
    C: GenericClient + Sync,
{
    let rows = client.query_typed(ONE, &[(&id, Type::UUID)]).await?;
    rows.iter()
        .map(|row| {
            let parents: Option<Vec<Uuid>> = row.try_get("parents")?;
            Ok(Finished {
                task: read(row)?,
                args: row.try_get("args")?,
                parents: parents.unwrap_or_default(),
                result: row.try_get("result")?,
            })
        })
        .collect()
}

fn read(row: &Row) -> Result<FinishedTask, Error> {
    Ok(FinishedTask {
        id: row.try_get("id")?,
        queue: row.try_get("queue")?,
        kind: row.try_get("kind")?,
        outcome: row.try_get("outcome")?,
        last_outcome: row.try_get("last_outcome")?,
        priority: row.try_get("priority")?,
        attempts: row.try_get("attempts")?,
        tenant: row.try_get("tenant")?,
        correlation: row.try_get("correlation")?,
        worker_id: row.try_get("worker_id")?,
        created_at: row.try_get("created_at")?,
        run_at: row.try_get("run_at")?,
        started_at: row.try_get("started_at")?,
        finished_at: row.try_get("finished_at")?,
        error: row.try_get("error")?,
        created_by: row.try_get("created_by")?,
    })
}
