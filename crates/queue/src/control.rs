//! Steering: pausing queues, and making room for the days to come.

use tokio_postgres::GenericClient;
use tokio_postgres::types::Type;

use crate::Error;

// A queue that goes on is announced, so that its backlog starts at once.
const SET_PAUSED: &str = "-- queue::control::set_paused
with changed as (
    update task_queue set paused = $2 where name = $1 returning name, paused
)
select name, case when not paused then pg_notify('queue_ready', name) end from changed";

const ENSURE_PARTITIONS: &str = "-- queue::control::ensure_partitions
select sum(ensure_daily_partitions(parent, (now() at time zone 'UTC')::date + 1, $1))::int4
  from unnest(array['task_attempt', 'task_history']) as parent";

/// Stops claims from a queue; what runs goes on.
///
/// # Errors
/// [`Error::UnknownQueue`] and [`Error::Postgres`].
pub async fn pause<C>(client: &C, queue: &str) -> Result<(), Error>
where
    C: GenericClient + Sync,
{
    set_paused(client, queue, true).await
}

/// Lets a paused queue go on.
///
/// # Errors
/// [`Error::UnknownQueue`] and [`Error::Postgres`].
pub async fn resume<C>(client: &C, queue: &str) -> Result<(), Error>
where
    C: GenericClient + Sync,
{
    set_paused(client, queue, false).await
}

#[expect(
    clippy::fn_params_excessive_bools,
    reason = "the column is a boolean; the public functions have names"
)]
async fn set_paused<C>(client: &C, queue: &str, paused: bool) -> Result<(), Error>
where
    C: GenericClient + Sync,
{
    let rows = client.query_typed(SET_PAUSED, &[(&queue, Type::TEXT), (&paused, Type::BOOL)]).await?;
    if rows.is_empty() {
        return Err(Error::UnknownQueue { queue: queue.to_owned() });
    }
    Ok(())
}

/// Makes the partitions of history and attempts for the `days` after today; answers how many were missing.
///
/// Without it rows go to the default partitions: nothing is lost, but old days cannot be dropped as a whole.
///
/// # Errors
/// [`Error::Postgres`].
pub async fn ensure_partitions<C>(client: &C, days: i32) -> Result<i32, Error>
where
    C: GenericClient + Sync,
{
    let row = client.query_typed_one(ENSURE_PARTITIONS, &[(&days, Type::INT4)]).await?;
    Ok(row.try_get(0)?)
}
