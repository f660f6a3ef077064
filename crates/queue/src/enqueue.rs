//! Putting tasks into the table, inside the caller's transaction.

use std::collections::HashMap;

use tokio_postgres::types::Type;
use tokio_postgres::{GenericClient, Row};
use uuid::Uuid;

use crate::columns::{Columns, column, given};
use crate::keys::TaskKey;
use crate::worker::millis;
use crate::{Error, NewTask};

/// How many tasks one call of [`enqueue`] takes.
pub const TASKS_PER_CALL_MAX: usize = 50_000;

/// Says what became of a task that was to be enqueued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enqueued {
    /// It was inserted under this id.
    New(Uuid),
    /// Its key is held: by this task, when it can be told.
    Held(Option<Uuid>),
}

impl Enqueued {
    /// The id of the task that was inserted.
    pub fn new_id(self) -> Option<Uuid> {
        match self {
            Self::New(id) => Some(id),
            Self::Held(_) => None,
        }
    }

    /// The id of the task that is to do the work: the one inserted, or the one that holds the key.
    pub fn id(self) -> Option<Uuid> {
        match self {
            Self::New(id) => Some(id),
            Self::Held(holder) => holder,
        }
    }
}

// A name that is not in its table refuses the whole call: nothing is inserted and the name comes back. Kinds whose
// arguments are their keys come back too, for the statement below.
const PLAIN: &str = concat!(
    "-- queue::enqueue::plain\n",
    given!("", ""),
    ", keyed as (
    select name from task_kind where name = any($16::text[]) and uniqueness = 'ARGS'
), inserted as (
    insert into task (id, queue, kind, priority, state, run_at, attempts_max,
                      tenant, correlation, traceparent, created_by, args)
    select id, queue, kind, priority, case when run_at > now() then 'DELAYED' else 'READY' end, run_at, attempts_max,
           tenant, correlation, traceparent, created_by, args
      from given
     where not exists (select from unknown) and not exists (select from keyed)
), woken as (
    select pg_notify('queue_ready', wanted.name) as done
      from unnest($15::text[]) as wanted (name)
     where not exists (select from unknown) and not exists (select from keyed)
)
select what, name from unknown
union all
select 'KEYED', name from keyed
union all
select null, null from woken where done is null"
);

// Keys are taken in one order by all callers, so that two calls do not lock each other out. A key that another
// transaction has taken is waited for; a lasting key whose time is over changes hands. What was not inserted comes back.
const KEYED: &str = concat!(
    "-- queue::enqueue::keyed\n",
    given!(
        ", $17::text[], $18::bool[], $19::text[], $20::int8[]",
        ", unique_key, until_start, lasting_key, period_ms"
    ),
    ", keyed as materialized (
    select given.*,
           coalesce(given.unique_key,
                    case when task_kind.uniqueness = 'ARGS' and given.lasting_key is null then md5(given.args::text) end)
           as live_key
      from given
      join task_kind on task_kind.name = given.kind
     where not exists (select from unknown)
), lasting as (
    insert into task_key as held (kind, key, task_id, expires_at)
    select kind, lasting_key, id, clock_timestamp() + period_ms * interval '1 millisecond'
      from (
           select distinct on (kind, lasting_key) kind, lasting_key, id, period_ms
             from keyed
            where lasting_key is not null
            order by kind, lasting_key, position
           ) as first
     order by kind, lasting_key
        on conflict (kind, key) do update
       set task_id = excluded.task_id, expires_at = excluded.expires_at
     where held.expires_at <= clock_timestamp()
    returning task_id
), inserted as (
    insert into task (id, queue, kind, priority, state, run_at, unique_key, unique_until_start, attempts_max,
                      tenant, correlation, traceparent, created_by, args)
    select id, queue, kind, priority, case when run_at > now() then 'DELAYED' else 'READY' end, run_at,
           live_key, coalesce(until_start, false), attempts_max, tenant, correlation, traceparent, created_by, args
      from keyed
     where lasting_key is null or id in (select task_id from lasting)
     order by kind, live_key, position
        on conflict (kind, unique_key) where unique_key is not null do nothing
    returning id, queue
), woken as (
    select pg_notify('queue_ready', queue) as done from (select distinct queue from inserted) as called
)
select 'HELD' as what, kind as name, id, live_key, lasting_key
  from keyed
 where id not in (select id from inserted)
union all
select what, name, null, null, null from unknown
union all
select null, null, null, null, null from woken where done is null"
);

const HOLDERS: &str = "-- queue::enqueue::holders
select wanted.id, coalesce(task.id, task_key.task_id)
  from unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) as wanted (id, kind, live_key, lasting_key)
  left join task on task.kind = wanted.kind and task.unique_key = wanted.live_key
  left join task_key on task_key.kind = wanted.kind and task_key.key = wanted.lasting_key";

/// Enqueues tasks in one statement and wakes the engines when the caller's transaction commits.
///
/// The answer has one entry for each task, in order. A transaction, a client and a pooled connection all do: they give a
/// `tokio_postgres` client. When another transaction is about to enqueue the same key, the call waits for its end.
///
/// # Errors
/// [`Error::Args`], [`Error::Unusable`], [`Error::TooMany`], [`Error::UnknownQueue`] and [`Error::UnknownKind`], after
/// which nothing was inserted, and [`Error::Postgres`].
pub async fn enqueue<C>(client: &C, tasks: &[NewTask]) -> Result<Vec<Enqueued>, Error>
where
    C: GenericClient + Sync,
{
    if tasks.is_empty() {
        return Ok(Vec::new());
    }
    let columns = Columns::of(tasks)?;
    let mut held = HashMap::new();
    if tasks.iter().any(|task| task.key.is_some()) || !insert_plain(client, &columns).await? {
        held = insert_keyed(client, &columns, tasks).await?;
    }
    let answer = |id| held.get(&id).map_or(Enqueued::New(id), |holder| Enqueued::Held(*holder));
    Ok(columns.ids.iter().copied().map(answer).collect())
}

/// Inserts tasks without keys; false, and nothing was inserted, when their kinds give them keys.
async fn insert_plain<C>(client: &C, columns: &Columns<'_>) -> Result<bool, Error>
where
    C: GenericClient + Sync,
{
    let rows = client.query_typed(PLAIN, &columns.params()).await?;
    for row in &rows {
        refuse_unknown(row)?;
    }
    Ok(rows.is_empty())
}

/// Inserts the tasks whose keys are free; answers the others with their holders.
async fn insert_keyed<C>(
    client: &C,
    columns: &Columns<'_>,
    tasks: &[NewTask],
) -> Result<HashMap<Uuid, Option<Uuid>>, Error>
where
    C: GenericClient + Sync,
{
    let live = column(tasks, |task| task.key.as_ref().and_then(TaskKey::live));
    let until_start = column(tasks, |task| task.key.as_ref().map(TaskKey::is_until_start));
    let lasting = column(tasks, |task| task.key.as_ref().and_then(TaskKey::lasting));
    let periods: Vec<Option<i64>> =
        lasting.iter().map(|key| key.as_ref().map(|(_, period)| millis(*period))).collect();
    let lasting: Vec<Option<String>> = lasting.into_iter().map(|key| key.map(|(key, _)| key)).collect();
    let mut params = columns.params();
    params.push((&live, Type::TEXT_ARRAY));
    params.push((&until_start, Type::BOOL_ARRAY));
    params.push((&lasting, Type::TEXT_ARRAY));
    params.push((&periods, Type::INT8_ARRAY));
    let rows = client.query_typed(KEYED, &params).await?;
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    let mut held = Held::default();
    for row in &rows {
        refuse_unknown(row)?;
        held.push(row)?;
    }
    held.find_holders(client).await
}

/// Tasks that were not inserted, and the keys they asked for.
#[derive(Default)]
struct Held {
    ids: Vec<Uuid>,
    kinds: Vec<String>,
    live_keys: Vec<Option<String>>,
    lasting_keys: Vec<Option<String>>,
}

impl Held {
    fn push(&mut self, row: &Row) -> Result<(), Error> {
        self.kinds.push(row.try_get("name")?);
        self.ids.push(row.try_get("id")?);
        self.live_keys.push(row.try_get("live_key")?);
        self.lasting_keys.push(row.try_get("lasting_key")?);
        Ok(())
    }

    /// A second look: the statement that lost against another transaction does not see what that one wrote.
    async fn find_holders<C>(&self, client: &C) -> Result<HashMap<Uuid, Option<Uuid>>, Error>
    where
        C: GenericClient + Sync,
    {
        let rows = client
            .query_typed(
                HOLDERS,
                &[
                    (&self.ids, Type::UUID_ARRAY),
                    (&self.kinds, Type::TEXT_ARRAY),
                    (&self.live_keys, Type::TEXT_ARRAY),
                    (&self.lasting_keys, Type::TEXT_ARRAY),
                ],
            )
            .await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }
}

/// Reads what an inserting statement refused.
pub(crate) fn refuse_unknown(row: &Row) -> Result<(), Error> {
    let (what, name): (Option<&str>, Option<String>) = (row.try_get("what")?, row.try_get("name")?);
    match (what, name) {
        (Some("QUEUE"), Some(queue)) => Err(Error::UnknownQueue { queue }),
        (Some("KIND"), Some(kind)) => Err(Error::UnknownKind { kind }),
        _ => Ok(()),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this crate stands alone; ids of version 7 keep the table in order of arrival"
)]
pub(crate) fn new_id() -> Uuid {
    Uuid::now_v7()
}
