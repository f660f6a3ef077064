//! Tasks that were given up: reading, retrying, discarding.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{GenericClient, Row};
use uuid::Uuid;

use crate::Error;

/// How many dead letters one call of [`dead_letters`] answers at most.
pub const DEAD_LETTERS_PER_PAGE_MAX: i64 = 500;

const LIST: &str = "-- queue::dead_letter::list
select id, queue, kind, args, reason, error, attempts, crashes, tenant, correlation, created_at, buried_at
  from task_dead_letter
 where $1::timestamptz is null or (buried_at, id) < ($1, $2::uuid)
 order by buried_at desc, id desc
 limit $3";

// Without `on conflict`: a key that is held by a live task refuses the statement, and the letter stays.
const RETRY: &str = "-- queue::dead_letter::retry
with revived as (
    delete from task_dead_letter where id = $1
    returning id, queue, kind, priority, unique_key, attempts_max, tenant, correlation, traceparent, args, created_at
), inserted as (
    insert into task (id, queue, kind, priority, unique_key, attempts_max, tenant, correlation, traceparent, args,
                      created_at)
    select id, queue, kind, priority, unique_key, attempts_max, tenant, correlation, traceparent, args, created_at
      from revived
    returning queue
)
select queue, pg_notify('queue_ready', queue) from inserted";

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
delete from task_dead_letter where id = $1";

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
    /// How often its worker fell silent.
    pub crashes: i32,
    /// For whom it worked.
    pub tenant: Option<Uuid>,
    /// Joins log lines over processes.
    pub correlation: Option<Uuid>,
    /// When it was enqueued.
    pub created_at: Timestamp,
    /// When it was given up.
    pub buried_at: Timestamp,
}

/// Reads dead letters, the latest first; `after` is the last one of the page before.
///
/// # Errors
/// [`Error::Postgres`].
pub async fn dead_letters<C>(
    client: &C,
    after: Option<&DeadLetter>,
    limit: i64,
) -> Result<Vec<DeadLetter>, Error>
where
    C: GenericClient + Sync,
{
    let (at, id) = (after.map(|letter| letter.buried_at), after.map(|letter| letter.id));
    let limit = limit.clamp(1, DEAD_LETTERS_PER_PAGE_MAX);
    let rows = client
        .query_typed(LIST, &[(&at, Type::TIMESTAMPTZ), (&id, Type::UUID), (&limit, Type::INT8)])
        .await?;
    rows.iter().map(read).collect()
}

/// Puts a dead letter back into its queue, with all attempts ahead of it; false when there is none.
///
/// # Errors
/// [`Error::KeyHeld`] when a live task has taken its unique key, and [`Error::Postgres`].
pub async fn retry_dead_letter<C>(client: &C, id: Uuid) -> Result<bool, Error>
where
    C: GenericClient + Sync,
{
    match client.query_typed(RETRY, &[(&id, Type::UUID)]).await {
        Ok(rows) => Ok(!rows.is_empty()),
        Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => Err(Error::KeyHeld),
        Err(error) => Err(Error::Postgres(error)),
    }
}

/// Drops a dead letter for good; history and attempts stay. False when there is none.
///
/// # Errors
/// [`Error::Postgres`].
pub async fn discard_dead_letter<C>(client: &C, id: Uuid) -> Result<bool, Error>
where
    C: GenericClient + Sync,
{
    Ok(client.execute_typed(DISCARD, &[(&id, Type::UUID)]).await? == 1)
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
        crashes: row.try_get("crashes")?,
        tenant: row.try_get("tenant")?,
        correlation: row.try_get("correlation")?,
        created_at: row.try_get("created_at")?,
        buried_at: row.try_get("buried_at")?,
    })
}
