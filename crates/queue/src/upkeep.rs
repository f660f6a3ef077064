//! Removing what is kept for a time only, and counting what waits for a person.

use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::types::Type;
use tokio_postgres::{GenericClient, Row};

use crate::Error;

// A bucket that had a period to fill is full, as is one that does not exist.
const FORGET_TENANTS: &str = "-- queue::upkeep::forget_tenants
delete from task_tenant
 using task_queue
 where task_queue.name = task_tenant.queue
   and task_tenant.refilled_at < clock_timestamp() - task_queue.rate_period_ms * interval '1 millisecond'
                                 - interval '1 hour'";

const EXPIRE_ACTIONS: &str = "-- queue::upkeep::expire_actions
delete from task_action
 where id in (
       select id from task_action where at < now() - make_interval(days => $1) order by at, id limit $2)";

const COUNT_DEAD_LETTERS: &str = "-- queue::upkeep::count_dead_letters
select queue, kind, reason, count(*) as letters, min(buried_at) as oldest_at,
       count(*) filter (where buried_at > now() - interval '1 day') as of_last_day
  from task_dead_letter
 group by queue, kind, reason
 order by queue, kind, reason";

/// Counts the dead letters of one kind that were given up for the same reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetterCount {
    /// Their queue.
    pub queue: String,
    /// Their kind.
    pub kind: String,
    /// `EXHAUSTED`, `PERMANENT` or `CRASHED`.
    pub reason: String,
    /// How many there are.
    pub letters: i64,
    /// How many of them were given up within the last day.
    pub of_last_day: i64,
    /// When the oldest was given up.
    pub oldest_at: Timestamp,
}

/// Counts the dead letters by queue, kind and reason; it reads all of them, so ask seldom.
///
/// # Errors
/// [`Error::Postgres`].
pub async fn count_dead_letters<C>(client: &C) -> Result<Vec<DeadLetterCount>, Error>
where
    C: GenericClient + Sync,
{
    let rows = client.query_typed(COUNT_DEAD_LETTERS, &[]).await?;
    rows.iter().map(read).collect()
}

/// Forgets tenants whose rate is unused; answers how many.
///
/// Nothing depends on it but the size of the table.
///
/// # Errors
/// [`Error::Postgres`].
pub async fn forget_tenants<C>(client: &C) -> Result<u64, Error>
where
    C: GenericClient + Sync,
{
    Ok(client.execute_typed(FORGET_TENANTS, &[]).await?)
}

/// Removes notes of what people did by hand that are older than `days`, at most `limit` of them; answers how many.
///
/// # Errors
/// [`Error::Postgres`].
pub async fn expire_actions<C>(client: &C, days: i32, limit: i64) -> Result<u64, Error>
where
    C: GenericClient + Sync,
{
    Ok(client.execute_typed(EXPIRE_ACTIONS, &[(&days, Type::INT4), (&limit, Type::INT8)]).await?)
}

fn read(row: &Row) -> Result<DeadLetterCount, Error> {
    Ok(DeadLetterCount {
        queue: row.try_get("queue")?,
        kind: row.try_get("kind")?,
        reason: row.try_get("reason")?,
        letters: row.try_get("letters")?,
        of_last_day: row.try_get("of_last_day")?,
        oldest_at: row.try_get("oldest_at")?,
    })
}
