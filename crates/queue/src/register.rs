//! Telling the tables what this engine knows.

use std::collections::HashSet;

use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::error::chain;
use crate::worker::{Pacing, Worker, millis, pause};

const QUEUES: &str = "-- queue::register::queues
select name from task_queue";

const KINDS: &str = "-- queue::register::kinds
insert into task_kind (name, queue, attempts_max, timeout_ms, backoff_base_ms, backoff_max_ms, uniqueness)
select *
  from unnest($1::text[], $2::text[], $3::int4[], $4::int8[], $5::int8[], $6::int8[], $7::text[])
    on conflict (name) do update
   set queue = excluded.queue, attempts_max = excluded.attempts_max, timeout_ms = excluded.timeout_ms,
       backoff_base_ms = excluded.backoff_base_ms, backoff_max_ms = excluded.backoff_max_ms,
       uniqueness = excluded.uniqueness, registered_at = now()";

// A schedule begins with the first tick after its registration, and again when its times change.
const SCHEDULES: &str = "-- queue::register::schedules
insert into task_schedule as known (name, cron, time_zone, kind, queue)
select *
  from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
    on conflict (name) do update
   set cron = excluded.cron, time_zone = excluded.time_zone, kind = excluded.kind, queue = excluded.queue,
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

async fn register(worker: &Worker) -> Result<(), Error> {
    refuse_unknown_queues(worker).await?;
    let mut kinds: Vec<_> = worker.kinds.values().collect();
    // In one order in every process, so that two that start together do not lock each other out.
    kinds.sort_by(|left, right| left.name.cmp(&right.name));
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name.as_str()).collect();
    let queues: Vec<&str> = kinds.iter().map(|kind| kind.queue.as_str()).collect();
    let attempts: Vec<i32> = kinds.iter().map(|kind| kind.attempts_max).collect();
    let timeouts: Vec<i64> = kinds.iter().map(|kind| millis(kind.timeout)).collect();
    let bases: Vec<i64> = kinds.iter().map(|kind| millis(kind.backoff_base)).collect();
    let maxima: Vec<i64> = kinds.iter().map(|kind| millis(kind.backoff_max)).collect();
    let uniqueness: Vec<&str> = kinds.iter().map(|kind| kind.uniqueness.as_str()).collect();
    worker.query(KINDS, &[&names, &queues, &attempts, &timeouts, &bases, &maxima, &uniqueness]).await?;

    let mut schedules: Vec<_> = worker.schedules.iter().map(|clockwork| &clockwork.schedule).collect();
    schedules.sort_by(|left, right| left.name.cmp(&right.name));
    let names: Vec<&str> = schedules.iter().map(|schedule| schedule.name.as_str()).collect();
    let crons: Vec<&str> = schedules.iter().map(|schedule| schedule.cron.as_str()).collect();
    let zones: Vec<&str> = schedules.iter().map(|schedule| schedule.time_zone.as_str()).collect();
    let kinds: Vec<&str> = schedules.iter().map(|schedule| schedule.task.kind.as_str()).collect();
    let queues: Vec<&str> = schedules.iter().map(|schedule| schedule.task.queue.as_str()).collect();
    worker.query(SCHEDULES, &[&names, &crons, &zones, &kinds, &queues]).await?;
    Ok(())
}

async fn refuse_unknown_queues(worker: &Worker) -> Result<(), Error> {
    let rows = worker.query(QUEUES, &[]).await?;
    let known: HashSet<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let kinds = worker.kinds.values().map(|kind| &kind.queue);
    let schedules = worker.schedules.iter().map(|clockwork| &clockwork.schedule.task.queue);
    match worker.settings.queues.keys().chain(kinds).chain(schedules).find(|queue| !known.contains(*queue)) {
        Some(queue) => Err(Error::UnknownQueue { queue: queue.clone() }),
        None => Ok(()),
    }
}
