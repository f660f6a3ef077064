//! Queues and workers: pausing, limiting, draining, and making room for the days to come.

use std::time::Duration;

use serde::Serialize;
use tokio_postgres::GenericClient;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use crate::Error;
use crate::worker::millis;

// A queue that goes on is announced, so that its backlog starts at once.
const SET_PAUSED: &str = "-- queue::control::set_paused
with known as (
    select name, paused from task_queue where name = $1 for update
), changed as (
    update task_queue
       set paused = $2
      from known
     where task_queue.name = known.name and known.paused <> $2
    returning task_queue.name, task_queue.paused
), noted as (
    insert into task_action (id, actor, action, queue)
    select gen_random_uuid(), $3, case when paused then 'PAUSED' else 'RESUMED' end, name from changed
)
select exists (select from changed) as changed,
       case when not $2 then pg_notify('queue_ready', name)::text end as told
  from known";

// A queue whose limits change is announced: there may be room. Workers also read anew which queues have limits: the
// statement that claims from the others passes them over.
const LIMIT: &str = "-- queue::control::limit
with known as (
    select name, running_max, rate_max, rate_period_ms, tenant_running_max, tenant_rate_max
      from task_queue
     where name = $1
       for update
), changed as (
    update task_queue
       set running_max = $2, rate_max = $3, rate_period_ms = $4, tenant_running_max = $5, tenant_rate_max = $6
      from known
     where task_queue.name = known.name
       and (known.running_max, known.rate_max, known.rate_period_ms, known.tenant_running_max, known.tenant_rate_max)
           is distinct from ($2::int4, $3::int4, $4::int8, $5::int4, $6::int4)
    returning task_queue.name
), noted as (
    insert into task_action (id, actor, action, queue, detail)
    select gen_random_uuid(), $7, 'LIMITED', name,
           jsonb_build_object('running_max', $2::int4, 'rate_max', $3::int4, 'rate_period_ms', $4::int8,
                              'tenant_running_max', $5::int4, 'tenant_rate_max', $6::int4)
      from changed
)
select exists (select from changed) as changed, pg_notify('queue_limits', '')::text as said,
       pg_notify('queue_ready', name)::text as told
  from known";

const DRAIN_WORKER: &str = "-- queue::control::drain_worker
with known as (
    select id, name, draining from task_worker where id = $1 for update
), changed as (
    update task_worker
       set draining = true
      from known
     where task_worker.id = known.id and not known.draining
    returning task_worker.id, task_worker.name
), noted as (
    insert into task_action (id, actor, action, detail)
    select gen_random_uuid(), $2, 'DRAINED', jsonb_build_object('worker_id', id, 'worker', name) from changed
)
select exists (select from changed) as changed from known";

const ENSURE_PARTITIONS: &str = "-- queue::control::ensure_partitions
select sum(ensure_daily_partitions(parent, (now() at time zone 'UTC')::date + 1, $1))::int4
  from unnest(array['task_attempt', 'task_history']) as parent";

/// Limits what runs and what starts, over all workers; absent is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Running at once.
    pub running_max: Option<i32>,
    /// Started in each period. After a quiet time a whole period's worth may start at once and as much again while the period
    /// goes by; over time no more than this.
    pub rate_max: Option<i32>,
    /// The period of both rates.
    #[serde(rename = "rate_period_ms", serialize_with = "as_millis")]
    pub rate_period: Duration,
    /// Running at once for one tenant.
    pub tenant_running_max: Option<i32>,
    /// Started in each period for one tenant, in the same way.
    pub tenant_rate_max: Option<i32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            running_max: None,
            rate_max: None,
            rate_period: Duration::from_mins(1),
            tenant_running_max: None,
            tenant_rate_max: None,
        }
    }
}

impl Limits {
    fn mistake(&self) -> Option<&'static str> {
        let counts = [self.running_max, self.rate_max, self.tenant_running_max, self.tenant_rate_max];
        if counts.into_iter().flatten().any(|count| count < 1) {
            return Some("a limit is 1 or more; pause the queue to stop it");
        }
        (self.rate_period.as_millis() == 0).then_some("the period of a rate is a millisecond or more")
    }
}

fn as_millis<S: serde::Serializer>(period: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(millis(*period))
}

/// Stops claims from a queue; what runs goes on. False when it was paused already.
///
/// # Errors
/// [`Error::UnknownQueue`] and [`Error::Postgres`].
pub async fn pause<C>(client: &C, queue: &str, actor: &str) -> Result<bool, Error>
where
    C: GenericClient + Sync,
{
    let params: [(&(dyn ToSql + Sync), Type); 3] =
        [(&queue, Type::TEXT), (&true, Type::BOOL), (&actor, Type::TEXT)];
    changed(client, SET_PAUSED, &params).await?.ok_or_else(|| unknown(queue))
}

/// Lets a paused queue go on. False when it was not paused.
///
/// # Errors
/// [`Error::UnknownQueue`] and [`Error::Postgres`].
pub async fn resume<C>(client: &C, queue: &str, actor: &str) -> Result<bool, Error>
where
    C: GenericClient + Sync,
{
    let params: [(&(dyn ToSql + Sync), Type); 3] =
        [(&queue, Type::TEXT), (&false, Type::BOOL), (&actor, Type::TEXT)];
    changed(client, SET_PAUSED, &params).await?.ok_or_else(|| unknown(queue))
}

/// Replaces all limits of a queue; what runs already goes on. False when they were the same.
///
/// # Errors
/// [`Error::UnknownQueue`], [`Error::Unusable`] and [`Error::Postgres`].
pub async fn limit<C>(client: &C, queue: &str, limits: &Limits, actor: &str) -> Result<bool, Error>
where
    C: GenericClient + Sync,
{
    if let Some(advice) = limits.mistake() {
        return Err(Error::Unusable { name: queue.to_owned(), advice });
    }
    let period = millis(limits.rate_period);
    let params: [(&(dyn ToSql + Sync), Type); 7] = [
        (&queue, Type::TEXT),
        (&limits.running_max, Type::INT4),
        (&limits.rate_max, Type::INT4),
        (&period, Type::INT8),
        (&limits.tenant_running_max, Type::INT4),
        (&limits.tenant_rate_max, Type::INT4),
        (&actor, Type::TEXT),
    ];
    changed(client, LIMIT, &params).await?.ok_or_else(|| unknown(queue))
}

/// Asks a worker to claim no more and to finish what it has; it sees so at its next heartbeat. False when it was asked
/// before.
///
/// # Errors
/// [`Error::UnknownWorker`] and [`Error::Postgres`].
pub async fn drain_worker<C>(client: &C, id: Uuid, actor: &str) -> Result<bool, Error>
where
    C: GenericClient + Sync,
{
    let params: [(&(dyn ToSql + Sync), Type); 2] = [(&id, Type::UUID), (&actor, Type::TEXT)];
    changed(client, DRAIN_WORKER, &params).await?.ok_or(Error::UnknownWorker { id })
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

/// Runs a statement that answers with one row, whether it changed something, or with none for an unknown name.
pub(super) async fn changed<C>(
    client: &C,
    sql: &str,
    params: &[(&(dyn ToSql + Sync), Type)],
) -> Result<Option<bool>, Error>
where
    C: GenericClient + Sync,
{
    let rows = client.query_typed(sql, params).await?;
    rows.first().map(|row| row.try_get("changed").map_err(Error::from)).transpose()
}

fn unknown(queue: &str) -> Error {
    Error::UnknownQueue { queue: queue.to_owned() }
}
