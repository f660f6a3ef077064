//! What people did to tasks and queues, by hand.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::types::Type;
use tokio_postgres::{GenericClient, Row};
use uuid::Uuid;

use crate::Error;
use crate::page::{Cursor, Page};

const LIST: &str = "-- queue::action::list
select id, at, actor, action, task_id, queue, detail
  from task_action
 where $1::timestamptz is null or (at, id) < ($1, $2::uuid)
 order by at desc, id desc
 limit $3";

const OF_TASK: &str = "-- queue::action::of_task
select id, at, actor, action, task_id, queue, detail
  from task_action
 where task_id = $1
 order by at, id
 limit $2";

/// Shows one thing that somebody did by hand.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Action {
    /// Its own id.
    pub id: Uuid,
    /// When.
    pub at: Timestamp,
    /// Who, in the words of the caller: `person:…`, `cli:…`.
    pub actor: String,
    /// What: `CANCELLED`, `RETRIED`, `DISCARDED`, `PAUSED`, `RESUMED`, `LIMITED`, `DRAINED`, `SCHEDULE_PAUSED`,
    /// `SCHEDULE_RESUMED` or `SCHEDULE_TICKED`.
    pub action: String,
    /// To which task.
    pub task_id: Option<Uuid>,
    /// To which queue.
    pub queue: Option<String>,
    /// What else there is to know, by name.
    pub detail: Value,
}

impl Action {
    fn cursor(&self) -> Cursor {
        Cursor { at: self.at, id: self.id }
    }
}

/// Reads what was done by hand, the latest first.
///
/// # Errors
/// [`Error::Postgres`].
pub async fn actions<C>(client: &C, after: Option<Cursor>, limit: i64) -> Result<Page<Action>, Error>
where
    C: GenericClient + Sync,
{
    let (at, id) = Cursor::parts(after);
    let limit = Page::<Action>::clamp(limit);
    let rows = client
        .query_typed(LIST, &[(&at, Type::TIMESTAMPTZ), (&id, Type::UUID), (&(limit + 1), Type::INT8)])
        .await?;
    Page::of(&rows, limit, read, Action::cursor)
}

/// Reads what was done to one task, the first first.
pub(crate) async fn of_task<C>(client: &C, task: Uuid, limit: i64) -> Result<Vec<Action>, Error>
where
    C: GenericClient + Sync,
{
    let rows = client.query_typed(OF_TASK, &[(&task, Type::UUID), (&limit, Type::INT8)]).await?;
    rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Action, Error> {
    Ok(Action {
        id: row.try_get("id")?,
        at: row.try_get("at")?,
        actor: row.try_get("actor")?,
        action: row.try_get("action")?,
        task_id: row.try_get("task_id")?,
        queue: row.try_get("queue")?,
        detail: row.try_get("detail")?,
    })
}
