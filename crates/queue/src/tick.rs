//! Enqueuing what the schedules want, once per tick for any number of engines.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Client;
use jiff::Timestamp;
use tokio_postgres::types::ToSql;
use tokio_util::sync::CancellationToken;

use crate::error::chain;
use crate::schedule::{Clockwork, Due, Patience};
use crate::worker::{Pacing, Worker, pause};
use crate::{Error, NewTask, enqueue};

// Each minute one of the engines that know a schedule says so: one that none has any more is shown as such.
const LAST: &str = "-- queue::tick::last
with seen as (
    update task_schedule
       set seen_at = clock_timestamp()
     where name = any (array(select name
                               from task_schedule
                              where name = any($1::text[]) and seen_at < clock_timestamp() - interval '1 minute'
                              order by name
                                for update skip locked))
)
select name, last_tick, next_tick, paused, clock_timestamp() as now
  from task_schedule
 where name = any($1::text[])";

// Whoever moves `last_tick` forward enqueues the ticks in the same transaction; the others find it moved. The times are
// those of the row: an engine of the version before ticks no more by times that a newer one has replaced.
const ADVANCE: &str = "-- queue::tick::advance
update task_schedule
   set last_tick = $2, next_tick = $3
 where name = $1 and last_tick < $2 and not paused and cron = $4 and time_zone = $5";

// For those who look at it: registration and ticks write it too, and clocks jump.
const FORESEE: &str = "-- queue::tick::foresee
update task_schedule
   set next_tick = $2
 where name = $1 and next_tick is distinct from $2 and cron = $3 and time_zone = $4";

/// What the table knows of a schedule.
struct Known {
    last: Timestamp,
    next: Option<Timestamp>,
    paused: bool,
    now: Timestamp,
}

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
    let known = read(worker).await?;
    let (mut wait, mut failure) = (Duration::MAX, None);
    for clockwork in &worker.schedules {
        let Some(known) = known.get(&clockwork.schedule.name) else { continue };
        let next = clockwork.next(known.now);
        // One that cannot be fired does not keep the others waiting.
        if let Err(error) = advance(worker, clockwork, known, next).await {
            tracing::warn!(
                schedule.name = clockwork.schedule.name,
                error.chain = chain(&error),
                "a schedule did not tick"
            );
            failure = Some(error);
        }
        if let Some(next) = next {
            wait = wait.min(Duration::try_from(next.duration_since(known.now)).unwrap_or(Duration::ZERO));
        }
    }
    failure.map_or(Ok(wait), Err)
}

async fn read(worker: &Worker) -> Result<HashMap<String, Known>, Error> {
    let names: Vec<&str> =
        worker.schedules.iter().map(|clockwork| clockwork.schedule.name.as_str()).collect();
    let mut known = HashMap::with_capacity(names.len());
    for row in worker.query(LAST, &[&names]).await? {
        let schedule = Known {
            last: row.try_get("last_tick")?,
            next: row.try_get("next_tick")?,
            paused: row.try_get("paused")?,
            now: row.try_get("now")?,
        };
        known.insert(row.try_get("name")?, schedule);
    }
    Ok(known)
}

async fn advance(
    worker: &Worker,
    clockwork: &Clockwork,
    known: &Known,
    next: Option<Timestamp>,
) -> Result<(), Error> {
    let patience = Patience {
        late_max: Duration::from_millis(worker.settings.schedule_interval_ms),
        ticks_max: worker.settings.catch_up_max,
    };
    let due = clockwork.due(known.last, known.now, patience).filter(|_| !known.paused);
    match due {
        Some(due) => {
            let mut client = worker.client().await?;
            let answer = worker.in_time(fire(&mut client, clockwork, due, next)).await;
            Worker::keep_or_drop(client, &answer);
            if answer? {
                worker.ready.notify_one();
            }
            Ok(())
        }
        None if known.next != next => {
            let schedule = &clockwork.schedule;
            let params: [&(dyn ToSql + Sync); 4] =
                [&schedule.name, &next, &schedule.cron, &schedule.time_zone];
            worker.query(FORESEE, &params).await.map(drop)
        }
        None => Ok(()),
    }
}

/// Answers whether this engine was the one to tick.
async fn fire(
    client: &mut Client,
    clockwork: &Clockwork,
    due: Due,
    next: Option<Timestamp>,
) -> Result<bool, Error> {
    let schedule = &clockwork.schedule;
    let name = &schedule.name;
    let transaction = client.transaction().await?;
    let params: [&(dyn ToSql + Sync); 5] = [name, &due.latest, &next, &schedule.cron, &schedule.time_zone];
    let first = transaction.execute(ADVANCE, &params).await? == 1;
    if first {
        let tasks: Vec<NewTask> = due.ticks.iter().map(|tick| clockwork.task_at(*tick)).collect();
        enqueue(&*transaction, &tasks).await?;
        tracing::info!(schedule.name = name, tick = %due.latest, tasks = tasks.len(), "a schedule ticked");
    }
    transaction.commit().await?;
    Ok(first)
}
