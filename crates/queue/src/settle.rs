//! Writing how attempts ended, many in one statement.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::mpsc::Receiver;
use uuid::Uuid;

use crate::attempt::{Fate, Verdict};
use crate::error::chain;
use crate::worker::{Pacing, Worker, millis};
use crate::{Error, telemetry};

// Successes are nearly all there is, so they have a statement of their own. A verdict counts only while the worker still
// holds the task in the same attempt. Finished tasks leave `task` here, and one row remembers task and attempt. Queues with
// limits on what runs are announced, since a place is free.
const SUCCEEDED: &str = "-- queue::settle::succeeded
with verdict as (
    select *
      from unnest($2::uuid[], $3::int4[], $4::timestamptz[], $5::timestamptz[], $6::jsonb[], $7::int8[])
           as verdict (id, attempt, started_at, finished_at, result, result_ms)
), gone as (
    delete from task
     using verdict
     where task.id = verdict.id and task.worker_id = $1 and task.attempt = verdict.attempt
    returning task.id, task.tenant, task.correlation, task.created_at, task.run_at, task.attempt, task.priority,
              task.queue, task.kind, task.args, task.parents, task.created_by, task.followed, task.counted,
              verdict.started_at, verdict.finished_at, verdict.result, verdict.result_ms
), remembered as (
    insert into task_history (id, worker_id, tenant, correlation, created_at, run_at, started_at, finished_at, attempts,
                              priority, queue, kind, outcome, last_outcome, args, parents, created_by,
                              result, result_until)
    select id, $1, tenant, correlation, created_at, run_at, started_at, finished_at, attempt,
           priority, queue, kind, 'SUCCEEDED', 'SUCCEEDED', args, parents, created_by,
           result, finished_at + result_ms * interval '1 millisecond'
      from gone
)
select (select count(*) from gone) as settled,
       (select task_follow(array_agg(id), true)::text from gone where followed having count(*) > 0) as followed,
       (select pg_notify('queue_ready', string_agg(distinct queue, ','))::text
          from gone where counted having count(*) > 0) as freed";

// Without history a success leaves no row; whoever keeps none asks for no results.
const VANISHED: &str = "-- queue::settle::vanished
with gone as (
    delete from task
     using unnest($2::uuid[], $3::int4[]) as verdict (id, attempt)
     where task.id = verdict.id and task.worker_id = $1 and task.attempt = verdict.attempt
    returning task.id, task.queue, task.followed, task.counted
)
select (select count(*) from gone) as settled,
       (select task_follow(array_agg(id), true)::text from gone where followed having count(*) > 0) as followed,
       (select pg_notify('queue_ready', string_agg(distinct queue, ','))::text
          from gone where counted having count(*) > 0) as freed";

// What did not succeed: tried again, put off, given up or cancelled. Announced are free places, and what is ready at once.
const ENDED: &str = "-- queue::settle::ended
with verdict as (
    select *
      from unnest($2::uuid[], $3::int4[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[],
                  $8::int8[], $9::text[])
           as verdict (id, attempt, outcome, fate, started_at, finished_at, pause_ms, error)
), gone as (
    delete from task
     using verdict
     where task.id = verdict.id and task.worker_id = $1 and task.attempt = verdict.attempt
       and (verdict.fate in ('EXHAUSTED', 'PERMANENT', 'CANCELLED') or task.cancelled_at is not null)
    returning task.*, verdict.outcome, verdict.fate, verdict.started_at, verdict.finished_at, verdict.error
), kept as (
    update task
       set state = case when verdict.pause_ms > 0 then 'DELAYED' else 'READY' end,
           run_at = clock_timestamp() + verdict.pause_ms * interval '1 millisecond'
                    * case verdict.fate when 'RETRY' then random() else 1 end,
           attempt = task.attempt - case verdict.fate when 'SNOOZE' then 1 else 0 end,
           worker_id = null, lease_until = null, counted = false
      from verdict
     where task.id = verdict.id and task.worker_id = $1 and task.attempt = verdict.attempt
       and verdict.fate in ('RETRY', 'SNOOZE') and task.cancelled_at is null
    returning task.id, task.queue, task.state, verdict.attempt, verdict.outcome, verdict.started_at,
              verdict.finished_at, verdict.error
), remembered as (
    insert into task_history (id, worker_id, tenant, correlation, created_at, run_at, started_at, finished_at, attempts,
                              priority, queue, kind, outcome, last_outcome, error, args, parents, created_by)
    select id, $1, tenant, correlation, created_at, run_at, started_at, finished_at, attempt,
           priority, queue, kind,
           case when fate = 'CANCELLED' or cancelled_at is not null then 'CANCELLED' else 'BURIED' end,
           case outcome when 'SNOOZED' then 'CANCELLED' else outcome end, error, args, parents, created_by
      from gone
), attempted as (
    insert into task_attempt (task_id, worker_id, started_at, finished_at, attempt, outcome, error)
    select id, $1, started_at, finished_at, attempt, outcome, error from kept
), buried as (
    insert into task_dead_letter (id, tenant, correlation, created_at, buried_at, attempts, attempts_max, crashes,
                                  priority, queue, kind, reason, error, unique_key, traceparent, args,
                                  parents, created_by)
    select id, tenant, correlation, created_at, finished_at, attempt, attempts_max, crashes,
           priority, queue, kind, fate, error, unique_key, traceparent, args, parents, created_by
      from gone
     where fate <> 'CANCELLED' and cancelled_at is null
)
select (select count(*) from gone) + (select count(*) from kept) as settled,
       (select task_follow(array_agg(id), false)::text from gone where followed having count(*) > 0) as followed,
       (select pg_notify('queue_ready', string_agg(task_queue.name, ','))::text
          from task_queue
         where task_queue.limited and task_queue.name in (select queue from gone)
            or task_queue.name in (select queue from kept where task_queue.limited or state = 'READY')
        having count(*) > 0) as freed";

// Which rows another transaction holds: they are there, and are not to be had.
const LOCKED: &str = "-- queue::settle::locked
with free as (
    select id from task where id = any ($1::uuid[]) and worker_id = $2 order by id for update skip locked
)
select id
  from task
 where id = any ($1) and worker_id = $2 and not exists (select from free where free.id = task.id)";

/// Writes verdicts as they come until the senders are gone, as many at a time as have gathered. What cannot be written
/// because another transaction holds the row waits for the next batch, and holds nothing else back.
pub(crate) async fn run(worker: Arc<Worker>, mut verdicts: Receiver<Verdict>) {
    let most = worker.settings.settle_batch;
    let mut batch = Vec::with_capacity(most);
    loop {
        let locked = !batch.is_empty();
        let came = tokio::select! {
            came = verdicts.recv_many(&mut batch, most) => came,
            () = tokio::time::sleep(LOCKED_PAUSE), if locked => 1,
        };
        if came == 0 {
            if batch.is_empty() {
                return;
            }
            tokio::time::sleep(LOCKED_PAUSE).await;
        }
        // Rows are locked in the order of the arrays, here and when leases are renewed.
        batch.sort_unstable_by_key(|verdict: &Verdict| verdict.id);
        let (done, others) = batch.drain(..).partition(|verdict| verdict.fate == Fate::Done);
        write(&worker, done, &mut batch).await;
        write(&worker, others, &mut batch).await;
    }
}

/// How long verdicts wait whose rows are locked.
const LOCKED_PAUSE: Duration = Duration::from_millis(200);

/// Writes a batch; while PostgreSQL is away it waits, and the bounded channel holds the rest back. A batch that is refused
/// is halved, until the verdicts that PostgreSQL does not take are found; those whose rows are locked go into `later`, found
/// by one look.
async fn write(worker: &Worker, batch: Vec<Verdict>, later: &mut Vec<Verdict>) {
    let mut batches = vec![batch];
    let mut pacing = Pacing::new(&worker.settings);
    while let Some(mut batch) = batches.pop() {
        if batch.is_empty() {
            continue;
        }
        let Err(error) = settle(worker, &batch).await else {
            pacing.reset();
            continue;
        };
        if error.is_locked() && set_aside(worker, &mut batch, later).await {
            batches.push(batch);
        } else if !error.is_refusal() && !error.is_locked() {
            tracing::warn!(
                error.chain = chain(&error),
                tasks = batch.len(),
                "finished tasks are not written yet"
            );
            tokio::time::sleep(pacing.step()).await;
            batches.push(batch);
        } else if batch.len() > 1 {
            let rest = batch.split_off(batch.len() / 2);
            batches.extend([rest, batch]);
        } else if error.is_locked() {
            later.append(&mut batch);
        } else {
            tracing::error!(
                error.chain = chain(&error),
                task.id = batch.first().map(|verdict| tracing::field::display(verdict.id)),
                "the outcome of a task cannot be written; its lease will run out"
            );
        }
    }
}

/// Moves the verdicts whose rows are locked into `later`; says whether there were any.
async fn set_aside(worker: &Worker, batch: &mut Vec<Verdict>, later: &mut Vec<Verdict>) -> bool {
    let ids: Vec<Uuid> = batch.iter().map(|verdict| verdict.id).collect();
    let Ok(rows) = worker.query(LOCKED, &[&ids, &worker.id]).await else { return false };
    let locked: HashSet<Uuid> = rows.iter().filter_map(|row| row.try_get(0).ok()).collect();
    later.extend(batch.extract_if(.., |verdict| locked.contains(&verdict.id)));
    !locked.is_empty()
}

/// Writes verdicts that are all successes, or all something else.
pub(crate) async fn settle(worker: &Worker, batch: &[Verdict]) -> Result<(), Error> {
    let succeeded = batch.first().is_some_and(|verdict| verdict.fate == Fate::Done);
    let rows = if succeeded { succeed(worker, batch).await? } else { end(worker, batch).await? };
    let settled: i64 = rows.first().map_or(Ok(0), |row| row.try_get("settled"))?;
    let late =
        u64::try_from(batch.len()).unwrap_or(u64::MAX).saturating_sub(u64::try_from(settled).unwrap_or(0));
    if late > 0 {
        telemetry::settled_late(late);
        tracing::warn!(tasks = late, "tasks ended after their lease was lost; they may run again");
    }
    if !succeeded {
        worker.delayed.notify_one();
        worker.ready.notify_one();
    }
    Ok(())
}

async fn succeed(worker: &Worker, batch: &[Verdict]) -> Result<Vec<tokio_postgres::Row>, Error> {
    let ids: Vec<Uuid> = batch.iter().map(|verdict| verdict.id).collect();
    let attempts: Vec<i32> = batch.iter().map(|verdict| verdict.attempt).collect();
    if !worker.settings.history {
        return worker.query(VANISHED, &[&worker.id, &ids, &attempts]).await;
    }
    let started: Vec<Timestamp> = batch.iter().map(|verdict| verdict.started_at).collect();
    let finished: Vec<Timestamp> = batch.iter().map(|verdict| verdict.finished_at).collect();
    let results: Vec<Option<&Value>> =
        batch.iter().map(|verdict| verdict.result.as_ref().map(|(value, _)| value)).collect();
    let kept: Vec<Option<i64>> =
        batch.iter().map(|verdict| verdict.result.as_ref().map(|(_, kept)| millis(*kept))).collect();
    worker.query(SUCCEEDED, &[&worker.id, &ids, &attempts, &started, &finished, &results, &kept]).await
}

async fn end(worker: &Worker, batch: &[Verdict]) -> Result<Vec<tokio_postgres::Row>, Error> {
    let ids: Vec<_> = batch.iter().map(|verdict| verdict.id).collect();
    let attempts: Vec<_> = batch.iter().map(|verdict| verdict.attempt).collect();
    let outcomes: Vec<_> = batch.iter().map(|verdict| verdict.outcome.as_str()).collect();
    let fates: Vec<_> = batch.iter().map(|verdict| verdict.fate.as_str()).collect();
    let started: Vec<_> = batch.iter().map(|verdict| verdict.started_at).collect();
    let finished: Vec<_> = batch.iter().map(|verdict| verdict.finished_at).collect();
    let pauses: Vec<_> = batch.iter().map(|verdict| millis(verdict.fate.pause())).collect();
    let errors: Vec<_> = batch.iter().map(|verdict| verdict.error.as_deref()).collect();
    worker
        .query(
            ENDED,
            &[&worker.id, &ids, &attempts, &outcomes, &fates, &started, &finished, &pauses, &errors],
        )
        .await
}
