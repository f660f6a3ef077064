//! Telling the tables what this engine knows.

use std::collections::HashSet;

use jiff::Timestamp;
use serde_json::value::RawValue;
use tokio_postgres::GenericClient;
use tokio_postgres::types::{Json, ToSql, Type};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::columns::args_of;
use crate::enqueue::refuse_unknown;
use crate::error::chain;
use crate::schedule::Clockwork;
use crate::worker::{Pacing, Worker, millis, pause};
use crate::{Error, Kind, report};

const QUEUES: &str = "-- queue::register::queues
select name, clock_timestamp() as now from task_queue";

const KINDS: &str = "-- queue::register::kinds
with given as (
    select *
      from unnest($1::text[], $2::text[], $3::int4[], $4::int8[], $5::int8[], $6::int8[], $7::text[], $8::text[],
                  $9::int8[])
           as given (name, queue, attempts_max, timeout_ms, backoff_base_ms, backoff_max_ms, uniqueness, description,
                     result_ms)
), unknown as (
    select distinct queue
      from given
     where not exists (select from task_queue where task_queue.name = given.queue)
), written as (
    insert into task_kind (name, queue, attempts_max, timeout_ms, backoff_base_ms, backoff_max_ms, uniqueness,
                           description, result_ms)
    select * from given where not exists (select from unknown)
        on conflict (name) do update
       set queue = excluded.queue, attempts_max = excluded.attempts_max, timeout_ms = excluded.timeout_ms,
           backoff_base_ms = excluded.backoff_base_ms, backoff_max_ms = excluded.backoff_max_ms,
           uniqueness = excluded.uniqueness, result_ms = excluded.result_ms,
           description = coalesce(excluded.description, task_kind.description), registered_at = now()
)
select 'QUEUE' as what, queue as name from unknown";

// A schedule begins with the first tick after its registration, and again when its times change.
const SCHEDULES: &str = "-- queue::register::schedules
insert into task_schedule as known (name, cron, time_zone, kind, queue, catch_up, args, tenant, next_tick)
select *
  from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::jsonb[], $8::uuid[],
              $9::timestamptz[])
    on conflict (name) do update
   set cron = excluded.cron, time_zone = excluded.time_zone, kind = excluded.kind, queue = excluded.queue,
       catch_up = excluded.catch_up, args = excluded.args, tenant = excluded.tenant, next_tick = excluded.next_tick,
       seen_at = clock_timestamp(),
       last_tick = case when (known.cron, known.time_zone) = (excluded.cron, excluded.time_zone)
                        then known.last_tick else excluded.last_tick end";

/// Registers, waiting for PostgreSQL, and for the migration that makes its queues, as long as it takes; false when told
/// to stop before.
pub(crate) async fn until_done(worker: &Worker, stop: &CancellationToken) -> bool {
    let mut pacing = Pacing::new(&worker.settings);
    loop {
        let error = tokio::select! {
            () = stop.cancelled() => return false,
            result = register(worker) => match result {
                Ok(()) => return true,
                Err(error) => error,
            },
        };
        if matches!(error, Error::UnknownQueue { .. }) {
            tracing::error!(error.chain = chain(&error), "the engine waits for a queue that does not exist");
        } else {
            tracing::warn!(error.chain = chain(&error), "the engine waits for PostgreSQL");
        }
        if !pause(pacing.step(), stop).await {
            return false;
        }
    }
}

/// Writes kinds into the table without running an engine, so that their tasks may be enqueued before a worker starts: a
/// step of a deployment, or of a test. Engines do so themselves when they start.
///
/// # Errors
/// [`Error::Unusable`], [`Error::Duplicate`], [`Error::UnknownQueue`], after which nothing was written, and
/// [`Error::Postgres`].
pub async fn declare<C>(client: &C, kinds: &[Kind]) -> Result<(), Error>
where
    C: GenericClient + Sync,
{
    let mut names = HashSet::new();
    for kind in kinds {
        if let Some(advice) = kind.mistake() {
            return Err(Error::Unusable { name: kind.name.clone(), advice });
        }
        if !names.insert(&kind.name) {
            return Err(Error::Duplicate { name: kind.name.clone() });
        }
    }
    let columns = KindColumns::of(kinds.iter().collect());
    let types = [
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::INT4_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::INT8_ARRAY,
    ];
    let params: Vec<_> = columns.params().into_iter().zip(types).collect();
    client.query_typed(KINDS, &params).await?.iter().try_for_each(refuse_unknown)
}

async fn register(worker: &Worker) -> Result<(), Error> {
    let now = refuse_unknown_queues(worker).await?;
    let columns = KindColumns::of(worker.kinds.values().map(AsRef::as_ref).collect());
    worker.query(KINDS, &columns.params()).await?.iter().try_for_each(refuse_unknown)?;
    // A process without schedules needs no right to write them.
    if !worker.schedules.is_empty() {
        let columns = ScheduleColumns::of(&worker.schedules, now)?;
        worker.query(SCHEDULES, &columns.params()).await?;
    }
    // Before the first claim: whoever dies right after it is missed.
    report::beat_once(worker, "WORKING").await
}

/// Kinds, column by column.
struct KindColumns<'a> {
    names: Vec<&'a str>,
    queues: Vec<&'a str>,
    attempts: Vec<i32>,
    timeouts: Vec<i64>,
    backoff_bases: Vec<i64>,
    backoff_maxima: Vec<i64>,
    uniqueness: Vec<&'static str>,
    descriptions: Vec<Option<&'a str>>,
    results: Vec<Option<i64>>,
}

impl<'a> KindColumns<'a> {
    /// In one order in every process, so that two that start together do not lock each other out.
    fn of(mut kinds: Vec<&'a Kind>) -> Self {
        kinds.sort_by(|left, right| left.name.cmp(&right.name));
        Self {
            names: kinds.iter().map(|kind| kind.name.as_str()).collect(),
            queues: kinds.iter().map(|kind| kind.queue.as_str()).collect(),
            attempts: kinds.iter().map(|kind| kind.attempts_max).collect(),
            timeouts: kinds.iter().map(|kind| millis(kind.timeout)).collect(),
            backoff_bases: kinds.iter().map(|kind| millis(kind.backoff_base)).collect(),
            backoff_maxima: kinds.iter().map(|kind| millis(kind.backoff_max)).collect(),
            uniqueness: kinds.iter().map(|kind| kind.uniqueness.as_str()).collect(),
            descriptions: kinds.iter().map(|kind| kind.description.as_deref()).collect(),
            results: kinds.iter().map(|kind| kind.result_kept.map(millis)).collect(),
        }
    }

    fn params(&self) -> [&(dyn ToSql + Sync); 9] {
        [
            &self.names,
            &self.queues,
            &self.attempts,
            &self.timeouts,
            &self.backoff_bases,
            &self.backoff_maxima,
            &self.uniqueness,
            &self.descriptions,
            &self.results,
        ]
    }
}

/// Schedules, column by column.
struct ScheduleColumns<'a> {
    names: Vec<&'a str>,
    crons: Vec<&'a str>,
    zones: Vec<&'a str>,
    kinds: Vec<&'a str>,
    queues: Vec<&'a str>,
    catch_ups: Vec<&'static str>,
    args: Vec<Json<&'a RawValue>>,
    tenants: Vec<Option<Uuid>>,
    next_ticks: Vec<Option<Timestamp>>,
}

impl<'a> ScheduleColumns<'a> {
    fn of(clockworks: &'a [Clockwork], now: Timestamp) -> Result<Self, Error> {
        let mut clockworks: Vec<&Clockwork> = clockworks.iter().collect();
        clockworks.sort_by(|left, right| left.schedule.name.cmp(&right.schedule.name));
        let schedules = || clockworks.iter().map(|clockwork| &clockwork.schedule);
        Ok(Self {
            names: schedules().map(|schedule| schedule.name.as_str()).collect(),
            crons: schedules().map(|schedule| schedule.cron.as_str()).collect(),
            zones: schedules().map(|schedule| schedule.time_zone.as_str()).collect(),
            kinds: schedules().map(|schedule| schedule.task.kind.as_str()).collect(),
            queues: schedules().map(|schedule| schedule.task.queue.as_str()).collect(),
            catch_ups: schedules().map(|schedule| schedule.catch_up.as_str()).collect(),
            args: schedules().map(|schedule| args_of(&schedule.task)).collect::<Result<_, _>>()?,
            tenants: schedules().map(|schedule| schedule.task.tenant).collect(),
            next_ticks: clockworks.iter().map(|clockwork| clockwork.next(now)).collect(),
        })
    }

    fn params(&self) -> [&(dyn ToSql + Sync); 9] {
        [
            &self.names,
            &self.crons,
            &self.zones,
            &self.kinds,
            &self.queues,
            &self.catch_ups,
            &self.args,
            &self.tenants,
            &self.next_ticks,
        ]
    }
}

/// Answers the database's time, unless a queue is missing.
async fn refuse_unknown_queues(worker: &Worker) -> Result<Timestamp, Error> {
    let rows = worker.query(QUEUES, &[]).await?;
    let known: HashSet<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let kinds = worker.kinds.values().map(|kind| &kind.queue);
    let schedules = worker.schedules.iter().map(|clockwork| &clockwork.schedule.task.queue);
    let missing =
        worker.settings.queues.keys().chain(kinds).chain(schedules).find(|queue| !known.contains(*queue));
    match (missing, rows.first()) {
        (Some(queue), _) => Err(Error::UnknownQueue { queue: queue.clone() }),
        (None, Some(row)) => Ok(row.try_get("now")?),
        (None, None) => Ok(Timestamp::UNIX_EPOCH),
    }
}
