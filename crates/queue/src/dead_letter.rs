//! Tasks that were given up: reading, retrying, discarding.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{GenericClient, Row};
use uuid::Uuid;

use crate::Error;
use crate::page::{Cursor, Page};

const LIST: &str = "-- queue::dead_letter::list
select id, queue, kind, args, reason, error, attempts, attempts_max, crashes, priority, unique_key, tenant, correlation,
       created_at, created_by, buried_at
  from task_dead_letter
 where ($1::text is null or queue = $1)
   and ($2::text is null or kind = $2)
   and ($3::timestamptz is null or (buried_at, id) < ($3, $4::uuid))
 order by buried_at desc, id desc
 limit $5";

const ONE: &str = "-- queue::dead_letter::one
select id, queue, kind, args, reason, error, attempts, attempts_max, crashes, priority, unique_key, tenant, correlation,
       created_at, created_by, buried_at
  from task_dead_letter
 where id = $1";

// Without `on conflict`: a key that is held by a live task refuses the statement, and the letter stays.
const RETRY: &str = "-- queue::dead_letter::retry
with revived as (
    delete from task_dead_letter where id = $1
    returning id, queue, kind, priority, unique_key, attempts_max, tenant, correlation, traceparent, args, created_at,
              parents, created_by, reason
), inserted as (
    insert into task (id, queue, kind, priority, unique_key, attempts_max, tenant, correlation, traceparent, args,
                      created_at, parents, created_by)
    select id, queue, kind, priority, unique_key, attempts_max, tenant, correlation, traceparent, args, created_at,
           parents, created_by
      from revived
    returning id, queue
), noted as (
    insert into task_action (id, actor, action, task_id, queue, detail)
    select gen_random_uuid(), $2, 'RETRIED', id, queue, jsonb_build_object('reason', reason) from revived
)
select id, pg_notify('queue_ready', queue) as told from inserted";

/// How many dead letters one statement expires.
const EXPIRED_AT_ONCE: i64 = 5_000;

const EXPIRE: &str = "-- queue::dead_letter::expire
delete from task_dead_letter
 where id = any (array(select id
                         from task_dead_letter
                        where buried_at < now() - $1::int4 * interval '1 day'
                        order by buried_at, id
                        limit $2))";

const DISCARD: &str = "-- queue::dead_letter::discard
with gone as (
    delete from task_dead_letter where id = $1 returning id, queue, kind, reason
), noted as (
    insert into task_action (id, actor, action, task_id, queue, detail)
    select gen_random_uuid(), $2, 'DISCARDED', id, queue, jsonb_build_object('kind', kind, 'reason', reason) from gone
)
select id from gone";

/// Shows a task that was given up.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeadLetter {
    /// The task's id, kept when it is retried.
    pub id: Uuid,
    /// Its queue.
    pub queue: String,
    /// Its kind.
    pub kind: String,
    /// Its arguments.
    pub args: Value,
    /// `EXHAUSTED`, `PERMANENT` or `CRASHED`.
    pub reason: String,
    /// The last error with its causes.
    pub error: Option<String>,
    /// How often it was tried.
    pub attempts: i32,
    /// Its own limit of attempts, in place of its kind's.
    pub attempts_max: Option<i32>,
    /// How often its worker fell silent.
    pub crashes: i32,
    /// Its priority.
    pub priority: i16,
    /// Its unique key, needed free to retry it.
    pub unique_key: Option<String>,
    /// For whom it worked.
    pub tenant: Option<Uuid>,
    /// Joins log lines over processes.
    pub correlation: Option<Uuid>,
    /// When it was enqueued.
    pub created_at: Timestamp,
    /// Who enqueued it, where that is known.
    pub created_by: Option<String>,
    /// When it was given up.
    pub buried_at: Timestamp,
}

impl DeadLetter {
    fn cursor(&self) -> Cursor {
        Cursor { at: self.buried_at, id: self.id }
    }
}

/// Narrows a list of dead letters; absent takes all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeadLetterFilter {
    /// Of this queue.
    pub queue: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
}

/// Reads dead letters, the latest first.
///
/// # Errors
/// [`Error::Postgres`].
pub async fn dead_letters<C>(
    client: &C,
    filter: &DeadLetterFilter,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Page<DeadLetter>, Error>
where
    C: GenericClient + Sync,
{
    let (at, id) = Cursor::parts(after);
    let limit = Page::<DeadLetter>::clamp(limit);
    let params: [(&(dyn ToSql + Sync), Type); 5] = [
        (&filter.queue, Type::TEXT),
        (&filter.kind, Type::TEXT),
        (&at, Type::TIMESTAMPTZ),
        (&id, Type::UUID),
        (&(limit + 1), Type::INT8),
    ];
    let rows = client.query_typed(LIST, &params).await?;
    Page::of(&rows, limit, read, DeadLetter::cursor)
}

/// Reads one dead letter.
pub(crate) async fn one<C>(client: &C, id: Uuid) -> Result<Option<DeadLetter>, Error>
where
    C: GenericClient + Sync,
{
    client.query_typed(ONE, &[(&id, Type::UUID)]).await?.first().map(read).transpose()
}

/// Puts a dead letter back into its queue, with all attempts ahead of it; false when there is none.
///
/// # Errors
/// [`Error::KeyHeld`] when a live task has taken its unique key, and [`Error::Postgres`].
pub async fn retry_dead_letter<C>(client: &C, id: Uuid, actor: &str) -> Result<bool, Error>
where
    C: GenericClient + Sync,
{
    match client.query_typed(RETRY, &[(&id, Type::UUID), (&actor, Type::TEXT)]).await {
        Ok(rows) => Ok(!rows.is_empty()),
        Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => Err(Error::KeyHeld),
        Err(error) => Err(Error::Postgres(error)),
    }
}

/// Drops a dead letter for good; history and attempts stay. False when there is none.
///
/// # Errors
/// [`Error::Postgres`].
pub async fn discard_dead_letter<C>(client: &C, id: Uuid, actor: &str) -> Result<bool, Error>
where
    C: GenericClient + Sync,
{
    Ok(!client.query_typed(DISCARD, &[(&id, Type::UUID), (&actor, Type::TEXT)]).await?.is_empty())
}

/// Drops dead letters that nobody looked at for so many days, some at a time; answers how many.
///
/// # Errors
/// [`Error::Postgres`].
pub async fn expire_dead_letters<C>(client: &C, days: i32) -> Result<u64, Error>
where
    C: GenericClient + Sync,
{
    let mut expired = 0;
    loop {
        let params: [(&(dyn ToSql + Sync), Type); 2] = [(&days, Type::INT4), (&EXPIRED_AT_ONCE, Type::INT8)];
        let gone = client.execute_typed(EXPIRE, &params).await?;
        expired += gone;
        if gone < EXPIRED_AT_ONCE.unsigned_abs() {
            return Ok(expired);
        }
    }
}

fn read(row: &Row) -> Result<DeadLetter, Error> {
    Ok(DeadLetter {
        id: row.try_get("id")?,
        queue: row.try_get("queue")?,
        kind: row.try_get("kind")?,
        args: row.try_get("args")?,
        reason: row.try_get("reason")?,
        error: row.try_get("error")?,
        attempts: row.try_get("attempts")?,
        attempts_max: row.try_get("attempts_max")?,
        priority: row.try_get("priority")?,
        unique_key: row.try_get("unique_key")?,
        created_by: row.try_get("created_by")?,
        crashes: row.try_get("crashes")?,
        tenant: row.try_get("tenant")?,
        correlation: row.try_get("correlation")?,
        created_at: row.try_get("created_at")?,
        buried_at: row.try_get("buried_at")?,
    })
}
