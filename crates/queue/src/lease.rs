//! Keeping what is held, giving back what is not run, taking back what others have lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::error::chain;
use crate::worker::{Worker, count, millis, pause};
use crate::{Error, telemetry};

// Rows are locked in the order of the array, here and when verdicts are written: sorted arrays do not lock each other out.
// A row that is locked is left out: a handler that completes its task in its own transaction holds it to the end.
const RENEW: &str = "-- queue::lease::renew
with mine as (
    select id from task where id = any ($1::uuid[]) and worker_id = $2 order by id for update skip locked
), renewed as (
    update task
       set lease_until = clock_timestamp() + $3::int8 * interval '1 millisecond'
      from mine
     where task.id = mine.id
    returning task.id, task.cancelled_at is not null as cancelled
)
select id, cancelled, true as extended from renewed
union all
select id, false, false
  from task
 where id = any ($1) and worker_id = $2 and not exists (select from mine where mine.id = task.id)";

const CANCELLED: &str = "-- queue::lease::cancelled
select id from task where id = any ($1::uuid[]) and worker_id = $2 and cancelled_at is not null";

// Tasks that were claimed and not run: the attempt does not count, and other workers hear of them at once.
const RELEASE: &str = "-- queue::lease::release
with released as (
    update task
       set state = 'READY', attempt = task.attempt - 1, worker_id = null, lease_until = null, counted = false
      from unnest($1::uuid[]) as held (id)
     where task.id = held.id and task.worker_id = $2
    returning task.queue
)
select count(*), pg_notify('queue_ready', string_agg(distinct queue, ',')) from released having count(*) > 0";

// Attempts that were cut by the end of a drain: they do not count either, but were begun.
const INTERRUPT: &str = "-- queue::lease::interrupt
with cut as (
    select * from unnest($1::uuid[], $3::timestamptz[]) as cut (id, started_at)
), released as (
    update task
       set state = 'READY', attempt = task.attempt - 1, worker_id = null, lease_until = null, counted = false
      from cut
     where task.id = cut.id and task.worker_id = $2
    returning task.id, task.queue, task.attempt + 1 as attempt, cut.started_at
), attempted as (
    insert into task_attempt (task_id, worker_id, started_at, finished_at, attempt, outcome, error)
    select id, $2, started_at, clock_timestamp(), attempt, 'INTERRUPTED', 'the worker was told to stop'
      from released
)
select count(*), pg_notify('queue_ready', string_agg(distinct queue, ',')) from released having count(*) > 0";

// Whether a look at all live tasks is worth its cost: a worker fell silent not long ago.
const SILENT: &str = "-- queue::lease::silent
select count(*)
  from task_worker
 where heartbeat_at < clock_timestamp() - $1::int8 * interval '1 millisecond'
   and heartbeat_at > clock_timestamp() - $2::int8 * interval '1 millisecond'";

// A lease that runs out beside a living worker (an answer that was lost, a stall) is a failed attempt like any other.
// Beside a silent one it is a crash, and what ends its workers again and again is buried. It took its neighbours with it,
// and nobody knows which of them it was: they come back one after another, each after a random part of a pause that grows,
// so that the next time it goes alone.
const RESCUE: &str = "-- queue::lease::rescue
with expired as materialized (
    select late.id, late.worker_id, worker.id is not null as alive,
           -- What is cancelled is ended by whoever claims it.
           late.cancelled_at is null
           and coalesce(case when worker.id is null then late.crashes + 1 >= $2
                             else late.attempt - late.crashes >= coalesce(late.attempts_max, known.attempts_max) end,
                        false) as hopeless
      from (
           select id, worker_id, kind, attempt, attempts_max, crashes, cancelled_at
             from task
            where state = 'RUNNING' and lease_until < clock_timestamp()
            limit $1::int8
              for update skip locked
           ) as late
      left join task_kind as known on known.name = late.kind
      left join task_worker as worker
             on worker.id = late.worker_id
            and worker.heartbeat_at > clock_timestamp() - $3::int8 * interval '1 millisecond'
), gone as (
    delete from task
     using expired
     where task.id = expired.id and expired.hopeless
    returning task.*, expired.alive
), freed as (
    update task
       set state = case when expired.alive or task.cancelled_at is not null then 'READY' else 'DELAYED' end,
           run_at = case when expired.alive or task.cancelled_at is not null then task.run_at
                         else clock_timestamp()
                              + random() * $4::int8 * interval '1 millisecond' * power(4, task.crashes) end,
           crashes = task.crashes + case when expired.alive then 0 else 1 end,
           worker_id = null, lease_until = null, counted = false
      from expired
     where task.id = expired.id and not expired.hopeless
    returning task.id, task.queue, task.attempt, expired.worker_id, expired.alive
), remembered as (
    insert into task_history (id, worker_id, tenant, correlation, created_at, run_at, finished_at, attempts, priority,
                              queue, kind, outcome, error, args, parents, created_by)
    select id, worker_id, tenant, correlation, created_at, run_at, now(), attempt, priority,
           queue, kind, 'BURIED', 'the lease ran out', args, parents, created_by
      from gone
), attempted as (
    insert into task_attempt (task_id, worker_id, finished_at, attempt, outcome, error)
    select id, worker_id, now(), attempt, case when alive then 'FAILED' else 'CRASHED' end, 'the lease ran out'
      from gone
    union all
    select id, worker_id, now(), attempt, case when alive then 'FAILED' else 'CRASHED' end, 'the lease ran out'
      from freed
), buried as (
    insert into task_dead_letter (id, tenant, correlation, created_at, buried_at, attempts, attempts_max, crashes,
                                  priority, queue, kind, reason, error, unique_key, traceparent, args,
                                  parents, created_by)
    select id, tenant, correlation, created_at, now(), attempt, attempts_max,
           crashes + case when alive then 0 else 1 end, priority, queue, kind,
           case when alive then 'EXHAUSTED' else 'CRASHED' end, 'the lease ran out', unique_key, traceparent, args,
           parents, created_by
      from gone
), woken as (
    select pg_notify('queue_ready', string_agg(distinct queue, ',')) as done
      from (select queue from freed union all select queue from gone where counted) as open
    having count(*) > 0
)
select (select count(*) from freed) as freed, (select count(*) from gone) as buried,
       (select count(*) from woken where done is not null) as woken,
       (select task_follow(array_agg(id), false)::text from gone where followed having count(*) > 0) as followed";

/// A lease that this worker still has.
pub(crate) struct Renewed {
    pub(crate) id: Uuid,
    /// Somebody does not want the task done any more.
    pub(crate) cancelled: bool,
    /// Not while its row is locked; then it keeps the time it had.
    pub(crate) extended: bool,
}

/// Extends leases and answers which of them this worker still has.
pub(crate) async fn renew(worker: &Worker, ids: &[Uuid]) -> Result<Vec<Renewed>, Error> {
    let rows = worker.query(RENEW, &[&ids, &worker.id, &worker.lease_ms()]).await?;
    rows.iter()
        .map(|row| Ok(Renewed { id: row.try_get(0)?, cancelled: row.try_get(1)?, extended: row.try_get(2)? }))
        .collect()
}

/// Answers which of these are not wanted any more.
pub(crate) async fn cancelled(worker: &Worker, ids: &[Uuid]) -> Result<Vec<Uuid>, Error> {
    let rows = worker.query(CANCELLED, &[&ids, &worker.id]).await?;
    rows.iter().map(|row| row.try_get(0).map_err(Error::from)).collect()
}

/// Gives tasks back that were not begun.
pub(crate) async fn release(worker: &Worker, ids: &[Uuid]) -> Result<(), Error> {
    if !ids.is_empty() {
        worker.query(RELEASE, &[&ids, &worker.id]).await?;
    }
    Ok(())
}

/// Gives tasks back that were begun and not ended.
pub(crate) async fn interrupt(worker: &Worker, cut: &[(Uuid, Timestamp)]) -> Result<(), Error> {
    if !cut.is_empty() {
        let (ids, started): (Vec<Uuid>, Vec<Timestamp>) = cut.iter().copied().unzip();
        worker.query(INTERRUPT, &[&ids, &worker.id, &started]).await?;
    }
    Ok(())
}

/// Takes tasks back whose leases ran out: looks at the beginning, each heartbeat while a worker is silent, and once in a
/// while, because an answer that was lost leaves a lease beside a living worker.
pub(crate) async fn keep_rescuing(worker: Arc<Worker>, stop: CancellationToken) {
    let sweep = Duration::from_millis(worker.settings.sweep_interval_ms);
    let mut swept: Option<Instant> = None;
    loop {
        let due = worker.is_doubtful() || swept.is_none_or(|last| last.elapsed() >= sweep);
        let looked =
            if due { rescue(&worker).await.map(|()| true) } else { rescue_from_silent(&worker).await };
        match looked {
            Ok(true) => swept = Some(Instant::now()),
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(error.chain = chain(&error), "leases that ran out were not looked for");
            }
        }
        if !pause(worker.settings.heartbeat(), &stop).await {
            return;
        }
    }
}

/// Says whether all live tasks were looked at.
async fn rescue_from_silent(worker: &Worker) -> Result<bool, Error> {
    let silent = somebody_is_silent(worker).await?;
    if silent {
        rescue(worker).await?;
    }
    Ok(silent)
}

async fn somebody_is_silent(worker: &Worker) -> Result<bool, Error> {
    let silent = millis(worker.settings.heartbeat() * 2);
    let forgotten = millis(worker.settings.lease() + worker.settings.heartbeat() * 3);
    let rows = worker.query(SILENT, &[&silent, &forgotten]).await?;
    let silent: i64 = rows.first().map_or(Ok(0), |row| row.try_get(0))?;
    Ok(silent > 0)
}

pub(crate) async fn rescue(worker: &Worker) -> Result<(), Error> {
    let batch = count(worker.settings.rescue_batch);
    // Leases last five heartbeats at least and are renewed after a third: beside a lease that ran out, the last
    // heartbeat of a dead worker is more than two old.
    let silent_after = millis(worker.settings.heartbeat() * 2);
    let spread = millis(Duration::from_millis(worker.settings.crash_pause_ms));
    loop {
        let rows =
            worker.query(RESCUE, &[&batch, &worker.settings.crash_max, &silent_after, &spread]).await?;
        let Some(row) = rows.first() else { return Ok(()) };
        let (freed, buried): (i64, i64) = (row.try_get("freed")?, row.try_get("buried")?);
        report(u64::try_from(freed).unwrap_or(0), u64::try_from(buried).unwrap_or(0));
        if freed + buried > 0 {
            worker.ready.notify_one();
        }
        if freed + buried < batch {
            return Ok(());
        }
    }
}

fn report(freed: u64, buried: u64) {
    if freed + buried == 0 {
        return;
    }
    telemetry::rescued(freed, buried);
    if buried > 0 {
        tracing::error!(target: "task", tasks = buried, "tasks whose leases ran out were given up");
    }
    if freed > 0 {
        tracing::warn!(target: "task", tasks = freed, "tasks whose leases ran out were taken back");
    }
}
