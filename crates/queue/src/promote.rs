//! Making delayed tasks ready when their time has come.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::error::chain;
use crate::worker::{Pacing, Worker, count};

// Claims read ready tasks only, so that any number of delayed ones costs them nothing. An array of ids for the same reason
// as in a claim.
const PROMOTE: &str = "-- queue::promote
with due as materialized (
    select id
      from task
     where not due and pending = 0 and state = 'DELAYED' and run_at <= now()
     order by run_at
     limit $1::int8
       for update skip locked
), promoted as (
    update task set state = 'READY' where task.id = any (array(select id from due)) returning task.queue
), woken as (
    select pg_notify('queue_ready', string_agg(distinct queue, ',')) as done from promoted having count(*) > 0
)
select (select count(*) from promoted) as promoted,
       (select count(*) from woken where done is not null) as woken,
       (select extract(epoch from min(run_at) - now())::float8
          from task where not due and pending = 0 and run_at > now()) as next_seconds";

/// Promotes whenever the next task is due, something was delayed anew, or the poll interval has passed.
pub(crate) async fn run(worker: Arc<Worker>, stop: CancellationToken) {
    let mut pacing = Pacing::new(&worker.settings);
    loop {
        let earliest = Instant::now() + worker.settings.promote_interval();
        let next = match promote(&worker).await {
            Ok(next) => {
                pacing.reset();
                next.min(worker.settings.poll_interval())
            }
            Err(error) => {
                tracing::warn!(error.chain = chain(&error), "delayed tasks were not looked at");
                pacing.step()
            }
        };
        // Counted from the answer, not from the question: a look that comes early would have to be repeated.
        let due = (Instant::now() + next).max(earliest);
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep_until(due) => {}
            () = async { worker.delayed.notified().await; sleep_until(earliest).await } => {}
        }
    }
}

/// Promotes what is due and answers how long it is until the next.
pub(crate) async fn promote(worker: &Worker) -> Result<Duration, Error> {
    let batch = count(worker.settings.promote_batch);
    let rows = worker.query(PROMOTE, &[&batch]).await?;
    let Some(row) = rows.first() else { return Ok(Duration::MAX) };
    let (promoted, next): (i64, Option<f64>) = (row.try_get("promoted")?, row.try_get("next_seconds")?);
    if promoted > 0 {
        worker.ready.notify_one();
    }
    if promoted >= batch {
        return Ok(Duration::ZERO);
    }
    Ok(next.map_or(Duration::MAX, |seconds| {
        Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
    }))
}
