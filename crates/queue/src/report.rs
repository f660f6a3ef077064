//! Saying that this worker lives, and measuring the queues.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::error::chain;
use crate::worker::{Worker, count, millis, pause};
use crate::{Error, Stats, stats, telemetry};

const BEAT: &str = "-- queue::report::beat
with forgotten as (
    delete from task_worker
     where heartbeat_at < now() - $7::int8 * interval '1 millisecond' and id <> $1
)
insert into task_worker (id, name, state, queues, running, buffered)
values ($1, $2, $3, $4, $5::int8::int4, $6::int8::int4)
    on conflict (id) do update
   set state = excluded.state, running = excluded.running, buffered = excluded.buffered, heartbeat_at = now()
returning draining";

const LEAVE: &str = "-- queue::report::leave
delete from task_worker where id = $1";

/// Reports each heartbeat until the drain is over; then takes the worker off the list.
pub(crate) async fn beat(worker: Arc<Worker>, draining: CancellationToken, drained: CancellationToken) {
    loop {
        let ending = draining.is_cancelled();
        let asked = worker.draining.load(Ordering::Acquire);
        let state = if ending || asked { "DRAINING" } else { "WORKING" };
        if let Err(error) = beat_once(&worker, state).await {
            tracing::warn!(error.chain = chain(&error), "the worker did not report");
        }
        let beat = tokio::time::sleep(worker.settings.heartbeat());
        tokio::select! {
            () = drained.cancelled() => break,
            () = draining.cancelled(), if !ending => {}
            () = beat => {}
        }
    }
    match tokio::time::timeout_at(worker.end(), worker.query(LEAVE, &[&worker.id])).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => {
            tracing::warn!(error.chain = chain(&error), "the worker did not sign off");
        }
        Err(_elapsed) => tracing::warn!("the worker did not sign off in time"),
    }
}

/// Reports once; others learn from it whether this worker lives.
pub(crate) async fn beat_once(worker: &Worker, state: &str) -> Result<(), Error> {
    let (running, buffered) = worker.load.get();
    let forget = millis(Duration::from_millis(worker.settings.worker_forget_ms));
    let (name, queues) = (&worker.settings.name, worker.queue_names());
    let rows = worker
        .query(BEAT, &[&worker.id, name, &state, &queues, &count(running), &count(buffered), &forget])
        .await?;
    let asked = rows.first().map_or(Ok(false), |row| row.try_get(0))?;
    if worker.draining.swap(asked, Ordering::AcqRel) != asked {
        tracing::info!(draining = asked, "somebody told this worker whether to claim tasks");
        worker.ready.notify_one();
    }
    Ok(())
}

/// Publishes depth and age of the queues as metrics.
pub(crate) async fn measure(worker: Arc<Worker>, stop: CancellationToken) {
    let every = Duration::from_millis(worker.settings.stats_interval_ms);
    loop {
        match measured(&worker).await {
            Ok(stats) => telemetry::publish(&stats),
            Err(error) => tracing::warn!(error.chain = chain(&error), "the queues were not measured"),
        }
        if !pause(every, &stop).await {
            return;
        }
    }
}

async fn measured(worker: &Worker) -> Result<Stats, Error> {
    let client = worker.client().await?;
    let answer = worker.in_time(stats(&**client)).await;
    Worker::keep_or_drop(client, &answer);
    answer
}
