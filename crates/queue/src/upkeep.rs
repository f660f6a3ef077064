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

// A task that is neither alive nor in history succeeded in a process that keeps no history: every other end is written. One
// that was buried, brought back and ended again counts by its last end. Each edge looks its task up by itself, so that a
// long backlog is not read for a few of them.
const RELEASE_FORGOTTEN: &str = "-- queue::upkeep::release_forgotten
with forgotten as materialized (
    select distinct edge.waits_for
      from task_dependency as edge
      left join lateral (select true as found from task where task.id = edge.waits_for limit 1) as live on true
     where live.found is null
), judged as materialized (
    select forgotten.waits_for as id
      from forgotten
      left join lateral (select task_history.outcome
                           from task_history
                          where task_history.id = forgotten.waits_for
                          order by task_history.finished_at desc
                          limit 1) as ended on true
     where (coalesce(ended.outcome, 'SUCCEEDED') = 'SUCCEEDED') = $1
     limit $2
)
select count(*) as told, task_follow(array_agg(id), $1)::text as followed
  from judged
having count(*) > 0";

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

/// Tells tasks that still wait for others which ended without telling them, as those did that a worker of before
/// workflows ended; answers how many such ends there were, at most `limit` of each outcome.
///
/// Waiting tasks become ready or are cancelled, as if they had been told at once.
///
/// # Errors
/// [`Error::Postgres`].
pub async fn release_forgotten<C>(client: &C, limit: i64) -> Result<u64, Error>
where
    C: GenericClient + Sync,
{
    let mut ends = 0;
    for succeeded in [true, false] {
        let rows =
            client.query_typed(RELEASE_FORGOTTEN, &[(&succeeded, Type::BOOL), (&limit, Type::INT8)]).await?;
        let told: i64 = rows.first().map_or(Ok(0), |row| row.try_get("told"))?;
        ends += told.unsigned_abs();
    }
    Ok(ends)
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
