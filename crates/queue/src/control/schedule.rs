//! Schedules: pausing, and ticking by hand.

use tokio_postgres::GenericClient;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::queue::changed;
use crate::Error;
use crate::enqueue::new_id;

// What falls into a pause is not made up afterwards.
const SET_PAUSED: &str = "-- queue::control::set_schedule_paused
with known as (
    select name, queue, paused from task_schedule where name = $1 for update
), changed as (
    update task_schedule
       set paused = $2,
           last_tick = case when $2 then task_schedule.last_tick else greatest(task_schedule.last_tick, now()) end
      from known
     where task_schedule.name = known.name and known.paused <> $2
    returning task_schedule.name, task_schedule.queue, task_schedule.paused
), noted as (
    insert into task_action (id, actor, action, queue, detail)
    select gen_random_uuid(), $3, case when paused then 'SCHEDULE_PAUSED' else 'SCHEDULE_RESUMED' end, queue,
           jsonb_build_object('schedule', name)
      from changed
)
select exists (select from changed) as changed from known";

// Pressed twice, it runs once: the key is held while the first is alive. A key that is held refuses the statement.
const TICK: &str = "-- queue::control::tick_schedule
with known as (
    select task_schedule.name, task_schedule.kind, task_schedule.queue, task_schedule.args, task_schedule.tenant,
           case when task_kind.uniqueness = 'ARGS' then md5(task_schedule.args::text)
                else task_schedule.name || '@hand' end as unique_key
      from task_schedule
      left join task_kind on task_kind.name = task_schedule.kind
     where task_schedule.name = $1
), inserted as (
    insert into task (id, queue, kind, args, tenant, unique_key, created_by)
    select $2, queue, kind, args, tenant, unique_key, $3 from known
    returning id, queue
), noted as (
    insert into task_action (id, actor, action, task_id, queue, detail)
    select gen_random_uuid(), $3, 'SCHEDULE_TICKED', inserted.id, inserted.queue,
           jsonb_build_object('schedule', $1::text)
      from inserted
)
select id, pg_notify('queue_ready', queue) as told from inserted";

/// Leaves a schedule's ticks out until it is resumed. False when it was paused already.
///
/// # Errors
/// [`Error::UnknownSchedule`] and [`Error::Postgres`].
pub async fn pause_schedule<C>(client: &C, name: &str, actor: &str) -> Result<bool, Error>
where
    C: GenericClient + Sync,
{
    let params: [(&(dyn ToSql + Sync), Type); 3] =
        [(&name, Type::TEXT), (&true, Type::BOOL), (&actor, Type::TEXT)];
    changed(client, SET_PAUSED, &params).await?.ok_or_else(|| unknown(name))
}

/// Lets a paused schedule tick again. False when it was not paused.
///
/// # Errors
/// [`Error::UnknownSchedule`] and [`Error::Postgres`].
pub async fn resume_schedule<C>(client: &C, name: &str, actor: &str) -> Result<bool, Error>
where
    C: GenericClient + Sync,
{
    let params: [(&(dyn ToSql + Sync), Type); 3] =
        [(&name, Type::TEXT), (&false, Type::BOOL), (&actor, Type::TEXT)];
    changed(client, SET_PAUSED, &params).await?.ok_or_else(|| unknown(name))
}

/// Enqueues a schedule's task at once, beside its ticks; answers its id.
///
/// # Errors
/// [`Error::UnknownSchedule`], [`Error::KeyHeld`] while the task of an earlier call is alive, and [`Error::Postgres`].
pub async fn tick_schedule<C>(client: &C, name: &str, actor: &str) -> Result<Uuid, Error>
where
    C: GenericClient + Sync,
{
    let params: [(&(dyn ToSql + Sync), Type); 3] =
        [(&name, Type::TEXT), (&new_id(), Type::UUID), (&actor, Type::TEXT)];
    match client.query_typed(TICK, &params).await {
        Ok(rows) => Ok(rows.first().ok_or_else(|| unknown(name))?.try_get("id")?),
        Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => Err(Error::KeyHeld),
        Err(error) => Err(Error::Postgres(error)),
    }
}

fn unknown(name: &str) -> Error {
    Error::UnknownSchedule { name: name.to_owned() }
}
