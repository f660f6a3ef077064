//! Writing how attempts ended, many in one statement.

use std::sync::Arc;

use tokio::sync::mpsc::Receiver;

use crate::attempt::Verdict;
use crate::error::chain;
use crate::worker::{Pacing, Worker, millis};
use crate::{Error, telemetry};

// A verdict counts only while the worker still holds the task in the same attempt. Finished tasks leave `task` here;
// the others become ready or delayed again. Queues with a limit over all workers are announced, since a place is free.
const SETTLE: &str = "-- queue::settle
with verdict as (
    select *
      from unnest($2::uuid[], $3::int4[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[],
                  $8::int8[], $9::text[])
           as verdict (id, attempt, outcome, fate, started_at, finished_at, pause_ms, error)
), gone as (
    delete from task
     using verdict
     where task.id = verdict.id and task.worker_id = $1 and task.attempt = verdict.attempt
       and verdict.fate in ('DONE', 'EXHAUSTED', 'PERMANENT')
    returning task.*, verdict.outcome, verdict.fate, verdict.started_at, verdict.finished_at, verdict.error
), kept as (
    update task
       set state = case when verdict.pause_ms > 0 then 'DELAYED' else 'READY' end,
           run_at = clock_timestamp() + verdict.pause_ms * interval '1 millisecond'
                    * case verdict.fate when 'RETRY' then random() else 1 end,
           attempt = task.attempt - case verdict.fate when 'SNOOZE' then 1 else 0 end,
           worker_id = null, lease_until = null
      from verdict
     where task.id = verdict.id and task.worker_id = $1 and task.attempt = verdict.attempt
       and verdict.fate in ('RETRY', 'SNOOZE')
    returning task.id, task.queue, verdict.attempt, verdict.outcome, verdict.started_at, verdict.finished_at,
              verdict.error
), remembered as (
    insert into task_history (id, worker_id, tenant, correlation, created_at, run_at, finished_at,
                              attempts, queue, kind, outcome, args)
    select id, worker_id, tenant, correlation, created_at, run_at, finished_at,
           attempt, queue, kind, case fate when 'DONE' then 'SUCCEEDED' else 'BURIED' end, args
      from gone
), attempted as (
    insert into task_attempt (task_id, worker_id, started_at, finished_at, attempt, outcome, error)
    select id, $1, started_at, finished_at, attempt, outcome, error from gone
    union all
    select id, $1, started_at, finished_at, attempt, outcome, error from kept
), buried as (
    insert into task_dead_letter (id, tenant, correlation, created_at, buried_at, attempts, attempts_max, crashes,
                                  priority, queue, kind, reason, error, unique_key, traceparent, args)
    select id, tenant, correlation, created_at, finished_at, attempt, attempts_max, crashes,
           priority, queue, kind, fate, error, unique_key, traceparent, args
      from gone
     where fate <> 'DONE'
), freed as (
    select pg_notify('queue_ready', string_agg(task_queue.name, ',')) as done
      from task_queue
     where task_queue.running_max is not null
       and (task_queue.name in (select queue from gone) or task_queue.name in (select queue from kept))
    having count(*) > 0
)
select (select count(*) from gone) + (select count(*) from kept) as settled,
       (select count(*) from kept) as kept,
       (select count(*) from freed where done is not null) as freed";

/// Writes verdicts as they come until the senders are gone, as many at a time as have gathered.
pub(crate) async fn run(worker: Arc<Worker>, mut verdicts: Receiver<Verdict>) {
    let mut batch = Vec::with_capacity(worker.settings.settle_batch);
    while verdicts.recv_many(&mut batch, worker.settings.settle_batch).await > 0 {
        batch.sort_unstable_by_key(|verdict: &Verdict| verdict.id);
        write(&worker, &batch).await;
        batch.clear();
    }
}

/// Writes a batch; while PostgreSQL is away it waits, and the bounded channel holds the rest back.
async fn write(worker: &Worker, batch: &[Verdict]) {
    let mut pacing = Pacing::new(&worker.settings);
    loop {
        let error = match settle(worker, batch).await {
            Ok(()) => return,
            Err(error) => error,
        };
        if error.is_refusal() {
            return write_singly(worker, batch, error).await;
        }
        tracing::warn!(
            error.chain = chain(&error),
            tasks = batch.len(),
            "finished tasks are not written yet"
        );
        tokio::time::sleep(pacing.step()).await;
    }
}

/// Finds the verdict that PostgreSQL refuses, so that it does not hold the others back.
async fn write_singly(worker: &Worker, batch: &[Verdict], error: Error) {
    if let [verdict] = batch {
        tracing::error!(
            error.chain = chain(&error),
            task.id = %verdict.id,
            "the outcome of a task cannot be written; its lease will run out"
        );
        return;
    }
    for verdict in batch {
        if let Err(error) = settle(worker, std::slice::from_ref(verdict)).await {
            tracing::error!(
                error.chain = chain(&error),
                task.id = %verdict.id,
                "the outcome of a task cannot be written; its lease will run out"
            );
        }
    }
}

async fn settle(worker: &Worker, batch: &[Verdict]) -> Result<(), Error> {
    let ids: Vec<_> = batch.iter().map(|verdict| verdict.id).collect();
    let attempts: Vec<_> = batch.iter().map(|verdict| verdict.attempt).collect();
    let outcomes: Vec<_> = batch.iter().map(|verdict| verdict.outcome.as_str()).collect();
    let fates: Vec<_> = batch.iter().map(|verdict| verdict.fate.as_str()).collect();
    let started: Vec<_> = batch.iter().map(|verdict| verdict.started_at).collect();
    let finished: Vec<_> = batch.iter().map(|verdict| verdict.finished_at).collect();
    let pauses: Vec<_> = batch.iter().map(|verdict| millis(verdict.fate.pause())).collect();
    let errors: Vec<_> = batch.iter().map(|verdict| verdict.error.as_deref()).collect();
    let rows = worker
        .query(
            SETTLE,
            &[&worker.id, &ids, &attempts, &outcomes, &fates, &started, &finished, &pauses, &errors],
        )
        .await?;
    let Some(row) = rows.first() else { return Ok(()) };
    let (settled, kept, freed): (i64, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let late =
        u64::try_from(batch.len()).unwrap_or(u64::MAX).saturating_sub(u64::try_from(settled).unwrap_or(0));
    if late > 0 {
        telemetry::settled_late(late);
        tracing::warn!(tasks = late, "tasks ended after their lease was lost; they may run again");
    }
    if kept > 0 {
        worker.delayed.notify_one();
        worker.ready.notify_one();
    }
    if freed > 0 {
        worker.ready.notify_one();
    }
    Ok(())
}
