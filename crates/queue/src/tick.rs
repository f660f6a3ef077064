//! Enqueuing what the schedules want, once per tick for any number of engines.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::error::chain;
use crate::schedule::Clockwork;
use crate::worker::{Pacing, Worker, pause};
use crate::{Error, enqueue};

const LAST: &str = "-- queue::tick::last
select name, last_tick, clock_timestamp() as now
  from task_schedule
 where name = any($1::text[])";

// Whoever moves `last_tick` forward enqueues the tick in the same transaction; the others find it moved.
const ADVANCE: &str = "-- queue::tick::advance
update task_schedule
   set last_tick = $2, next_tick = $3
 where name = $1 and last_tick < $2";

/// Watches the schedules by the database's clock.
pub(crate) async fn run(worker: Arc<Worker>, stop: CancellationToken) {
    let mut pacing = Pacing::new(&worker.settings);
    let most = Duration::from_millis(worker.settings.schedule_interval_ms);
    loop {
        let wait = match look(&worker).await {
            Ok(next) => {
                pacing.reset();
                next.min(most)
            }
            Err(error) => {
                tracing::warn!(error.chain = chain(&error), "the schedules were not looked at");
                pacing.step()
            }
        };
        if !pause(wait, &stop).await {
            return;
        }
    }
}

/// Enqueues what is due and answers how long it is until the next tick of any schedule.
async fn look(worker: &Worker) -> Result<Duration, Error> {
    let names: Vec<&str> =
        worker.schedules.iter().map(|clockwork| clockwork.schedule.name.as_str()).collect();
    let mut last: HashMap<String, (Timestamp, Timestamp)> = HashMap::new();
    for row in worker.query(LAST, &[&names]).await? {
        last.insert(row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?));
    }
    let (mut wait, mut failure) = (Duration::MAX, None);
    for clockwork in &worker.schedules {
        let Some((last, now)) = last.get(&clockwork.schedule.name) else { continue };
        let next = clockwork.next(*now);
        if let Some(tick) = clockwork.due(*last, *now) {
            // One that cannot be fired does not keep the others waiting.
            if let Err(error) = worker.in_time(fire(worker, clockwork, tick, next)).await {
                tracing::warn!(
                    schedule.name = clockwork.schedule.name,
                    error.chain = chain(&error),
                    "a schedule did not tick"
                );
                failure = Some(error);
            }
        }
        if let Some(next) = next {
            wait = wait.min(Duration::try_from(next.duration_since(*now)).unwrap_or(Duration::ZERO));
        }
    }
    failure.map_or(Ok(wait), Err)
}

async fn fire(
    worker: &Worker,
    clockwork: &Clockwork,
    tick: Timestamp,
    next: Option<Timestamp>,
) -> Result<(), Error> {
    let name = &clockwork.schedule.name;
    let mut client = worker.pool.get().await?;
    let transaction = client.transaction().await?;
    if transaction.execute(ADVANCE, &[name, &tick, &next]).await? == 1 {
        enqueue(&*transaction, &[clockwork.task_at(tick)]).await?;
        tracing::info!(schedule.name = name, %tick, "a schedule ticked");
    }
    transaction.commit().await?;
    worker.ready.notify_one();
    Ok(())
}
