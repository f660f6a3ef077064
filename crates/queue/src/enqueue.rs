//! Putting tasks into the table, inside the caller's transaction.

use std::collections::HashSet;

use serde_json::value::RawValue;
use tokio_postgres::GenericClient;
use tokio_postgres::types::{Json, ToSql, Type};
use uuid::Uuid;

use crate::{Error, NewTask};

/// How many tasks one call of [`enqueue`] takes.
pub const TASKS_PER_CALL_MAX: usize = 50_000;

// A name that is not in `task_queue` refuses the whole call: nothing is inserted and the name comes back.
const ENQUEUE: &str = "-- queue::enqueue
with given as (
    select *
      from unnest($1::uuid[], $2::text[], $3::text[], $4::int2[], $5::timestamptz[], $6::text[], $7::int4[],
                  $8::uuid[], $9::uuid[], $10::text[], $11::jsonb[])
           with ordinality
           as given (id, queue, kind, priority, run_at, unique_key, attempts_max,
                     tenant, correlation, traceparent, args, position)
), unknown as (
    select distinct queue
      from given
     where not exists (select from task_queue where task_queue.name = given.queue)
), inserted as (
    insert into task (id, queue, kind, priority, state, run_at, unique_key, attempts_max,
                      tenant, correlation, traceparent, args)
    select given.id, given.queue, given.kind, given.priority,
           case when given.run_at > now() then 'DELAYED' else 'READY' end, coalesce(given.run_at, now()),
           coalesce(given.unique_key, case when task_kind.uniqueness = 'ARGS' then md5(given.args::text) end),
           given.attempts_max, given.tenant, given.correlation, given.traceparent, given.args
      from given
      left join task_kind on task_kind.name = given.kind
     where not exists (select from unknown)
     order by given.position
        on conflict (kind, unique_key) where unique_key is not null do nothing
    returning id, queue
), woken as (
    select pg_notify('queue_ready', string_agg(distinct queue, ',')) as done
      from inserted
    having count(*) > 0
)
select id, null::text as unknown_queue from inserted
union all
select null::uuid, queue from unknown
union all
select null::uuid, null::text from woken where done is not null";

/// Enqueues tasks in one statement and wakes the engines when the caller's transaction commits.
///
/// The answer has one entry for each task, in order: its id, or `None` where a live task holds the unique key.
/// A transaction, a client and a pooled connection all do: they give a `tokio_postgres` client.
///
/// # Errors
/// [`Error::Args`], [`Error::TooMany`], [`Error::UnknownQueue`] (nothing was inserted) and [`Error::Postgres`].
pub async fn enqueue<C>(client: &C, tasks: &[NewTask]) -> Result<Vec<Option<Uuid>>, Error>
where
    C: GenericClient + Sync,
{
    if tasks.is_empty() {
        return Ok(Vec::new());
    }
    let columns = Columns::of(tasks)?;
    let rows = client.query_typed(ENQUEUE, &columns.params()).await?;
    let mut inserted = HashSet::with_capacity(tasks.len());
    for row in rows {
        let (id, unknown): (Option<Uuid>, Option<String>) = (row.try_get(0)?, row.try_get(1)?);
        if let Some(queue) = unknown {
            return Err(Error::UnknownQueue { queue });
        }
        inserted.extend(id);
    }
    Ok(columns.ids.into_iter().map(|id| inserted.contains(&id).then_some(id)).collect())
}

/// The tasks of one call, column by column.
struct Columns<'a> {
    ids: Vec<Uuid>,
    queues: Vec<&'a str>,
    kinds: Vec<&'a str>,
    priorities: Vec<i16>,
    run_ats: Vec<Option<jiff::Timestamp>>,
    unique_keys: Vec<Option<&'a str>>,
    attempts: Vec<Option<i32>>,
    tenants: Vec<Option<Uuid>>,
    correlations: Vec<Option<Uuid>>,
    traceparents: Vec<Option<&'a str>>,
    args: Vec<Json<&'a RawValue>>,
}

impl<'a> Columns<'a> {
    fn of(tasks: &'a [NewTask]) -> Result<Self, Error> {
        let count = tasks.len();
        if count > TASKS_PER_CALL_MAX {
            return Err(Error::TooMany { count, max: TASKS_PER_CALL_MAX });
        }
        Ok(Self {
            ids: tasks.iter().map(|_| new_id()).collect(),
            queues: tasks.iter().map(|task| task.queue.as_str()).collect(),
            kinds: tasks.iter().map(|task| task.kind.as_str()).collect(),
            priorities: tasks.iter().map(|task| task.priority).collect(),
            run_ats: tasks.iter().map(|task| task.run_at).collect(),
            unique_keys: tasks.iter().map(|task| task.unique_key.as_deref()).collect(),
            attempts: tasks.iter().map(|task| task.attempts_max).collect(),
            tenants: tasks.iter().map(|task| task.tenant).collect(),
            correlations: tasks.iter().map(|task| task.correlation).collect(),
            traceparents: tasks.iter().map(|task| task.traceparent.as_deref()).collect(),
            args: tasks.iter().map(args_of).collect::<Result<_, _>>()?,
        })
    }

    fn params(&self) -> [(&(dyn ToSql + Sync), Type); 11] {
        [
            (&self.ids, Type::UUID_ARRAY),
            (&self.queues, Type::TEXT_ARRAY),
            (&self.kinds, Type::TEXT_ARRAY),
            (&self.priorities, Type::INT2_ARRAY),
            (&self.run_ats, Type::TIMESTAMPTZ_ARRAY),
            (&self.unique_keys, Type::TEXT_ARRAY),
            (&self.attempts, Type::INT4_ARRAY),
            (&self.tenants, Type::UUID_ARRAY),
            (&self.correlations, Type::UUID_ARRAY),
            (&self.traceparents, Type::TEXT_ARRAY),
            (&self.args, Type::JSONB_ARRAY),
        ]
    }
}

fn args_of(task: &NewTask) -> Result<Json<&RawValue>, Error> {
    match &task.args {
        Ok(args) => Ok(Json(args)),
        Err(source) => Err(Error::Args { kind: task.kind.clone(), source: source.clone() }),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this crate stands alone; ids of version 7 keep the table in order of arrival"
)]
pub(crate) fn new_id() -> Uuid {
    Uuid::now_v7()
}
