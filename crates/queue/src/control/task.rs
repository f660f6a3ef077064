//! Single tasks: cancelling, and not waiting for their time.

use serde::Serialize;
use tokio_postgres::GenericClient;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use crate::Error;

// The lock decides between this and a claim of the same moment: whichever has it first, the other sees its outcome in
// `target`. The later parts go by `target`, since their own view of the row is as old as the statement. What waits for the
// task is locked with it, by the order of ids: that is how `task_follow` locks.
const CANCEL: &str = "-- queue::control::cancel
with locked as materialized (
    select id, state, cancelled_at
      from task
     where id = any (array(select $1 union all select task_id from task_dependency where waits_for = $1))
     order by id
       for update
), target as materialized (
    select id, state, cancelled_at from locked where id = $1
), removed as (
    delete from task
     using target
     where task.id = target.id and target.state <> 'RUNNING'
    returning task.id, task.tenant, task.correlation, task.created_at, task.run_at, task.attempt, task.priority,
              task.queue, task.kind, task.args, task.parents, task.created_by, task.followed, target.state as was
), asked as (
    update task
       set cancelled_at = clock_timestamp()
      from target
     where task.id = target.id and target.state = 'RUNNING' and target.cancelled_at is null
    returning task.id, task.queue, target.state as was
), unbound as (
    delete from task_dependency using removed where task_dependency.task_id = removed.id
), remembered as (
    insert into task_history (id, tenant, correlation, created_at, run_at, finished_at, attempts, priority, queue, kind,
                              outcome, args, parents, created_by)
    select id, tenant, correlation, created_at, run_at, clock_timestamp(), attempt, priority, queue, kind,
           'CANCELLED', args, parents, created_by
      from removed
), noted as (
    insert into task_action (id, actor, action, task_id, queue, detail)
    select gen_random_uuid(), $2, 'CANCELLED', id, queue, jsonb_build_object('was', was) from removed
    union all
    select gen_random_uuid(), $2, 'CANCELLED', id, queue, jsonb_build_object('was', was) from asked
)
select target.state = 'RUNNING' as running,
       case when target.state = 'RUNNING' then pg_notify('queue_cancel', target.id::text)::text end as told,
       (select task_follow(array_agg(id), false)::text from removed where followed having count(*) > 0) as followed
  from target";

const RETRY_NOW: &str = "-- queue::control::retry_now
with hurried as (
    update task
       set state = 'READY', run_at = clock_timestamp()
     where id = $1 and state = 'DELAYED'
    returning id, queue
), noted as (
    insert into task_action (id, actor, action, task_id, queue)
    select gen_random_uuid(), $2, 'RETRIED', id, queue from hurried
)
select id, pg_notify('queue_ready', queue) as told from hurried";

/// Says what became of a request to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Cancel {
    /// It had not begun and is gone; history holds it as `CANCELLED`.
    Removed,
    /// It runs: its worker was told to stop it. It may still end by itself first.
    Requested,
    /// No such task is alive.
    Unknown,
}

/// Cancels a task: at once when it does not run, through its worker when it does.
///
/// Tasks that wait for its success are cancelled with it, one after the other, by the workers.
///
/// # Errors
/// [`Error::Postgres`].
pub async fn cancel<C>(client: &C, id: Uuid, actor: &str) -> Result<Cancel, Error>
where
    C: GenericClient + Sync,
{
    let params: [(&(dyn ToSql + Sync), Type); 2] = [(&id, Type::UUID), (&actor, Type::TEXT)];
    let rows = client.query_typed(CANCEL, &params).await?;
    let Some(row) = rows.first() else { return Ok(Cancel::Unknown) };
    Ok(if row.try_get("running")? { Cancel::Requested } else { Cancel::Removed })
}

/// Makes a delayed task ready before its time. False when no delayed task has this id.
///
/// # Errors
/// [`Error::Postgres`].
pub async fn retry_now<C>(client: &C, id: Uuid, actor: &str) -> Result<bool, Error>
where
    C: GenericClient + Sync,
{
    let params: [(&(dyn ToSql + Sync), Type); 2] = [(&id, Type::UUID), (&actor, Type::TEXT)];
    Ok(!client.query_typed(RETRY_NOW, &params).await?.is_empty())
}
