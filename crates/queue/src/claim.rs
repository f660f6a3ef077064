//! Taking ready tasks: one autocommit statement for all queues of the process.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::Error;
use crate::worker::{Worker, count, millis};

// Each queue is read from the head of its own index range, so a long backlog costs no sort. `for update skip locked`
// lets any number of claimers pass each other; the inner state check is repeated on the locked row by PostgreSQL. The
// rows are found again by an array of ids: how many a `limit` with a parameter lets through is guessed as a tenth of the
// backlog, and a join over that many would read the whole table.
pub(crate) const CLAIM: &str = "-- queue::claim
with open as (
    select task_queue.name,
           case when task_queue.running_max is null then wanted.free
                else least(wanted.free, greatest(0, task_queue.running_max
                     - (select count(*) from task where task.queue = task_queue.name and task.state = 'RUNNING')))
           end as free
      from unnest($1::text[], $2::int8[]) as wanted (queue, free)
      join task_queue on task_queue.name = wanted.queue
     where not task_queue.paused
), picked as materialized (
    select ready.id
      from open
     cross join lateral (
           select task.id
             from task
            where task.queue = open.name and task.state = 'READY' and task.kind = any($3::text[])
            order by task.priority, task.run_at, task.id
            limit open.free
              for update skip locked
           ) as ready
)
update task
   set state = 'RUNNING', attempt = task.attempt + 1, worker_id = $4,
       lease_until = clock_timestamp() + $5::int8 * interval '1 millisecond'
 where task.id = any (array(select id from picked))
returning task.id, task.queue, task.kind, task.args, task.attempt, task.attempts_max, task.crashes, task.priority,
          task.run_at, task.tenant, task.correlation, task.traceparent, clock_timestamp() as claimed_at";

/// A task that this process may run until its lease ends.
#[derive(Debug)]
pub(crate) struct Claimed {
    pub(crate) id: Uuid,
    pub(crate) queue: String,
    pub(crate) kind: String,
    pub(crate) args: Value,
    pub(crate) attempt: i32,
    pub(crate) attempts_max: Option<i32>,
    /// Attempts that ended with their worker.
    pub(crate) crashes: i32,
    pub(crate) priority: i16,
    pub(crate) run_at: Timestamp,
    pub(crate) tenant: Option<Uuid>,
    pub(crate) correlation: Option<Uuid>,
    pub(crate) traceparent: Option<String>,
    pub(crate) moment: Moment,
}

/// One attempt at one task, unlike any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) id: Uuid,
    pub(crate) attempt: i32,
}

impl Claimed {
    pub(crate) fn key(&self) -> Key {
        Key { id: self.id, attempt: self.attempt }
    }
}

/// The database's clock, carried on by the local one: processes with different clocks write comparable times.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    at: Timestamp,
    seen: Instant,
}

impl Moment {
    pub(crate) fn now(self) -> Timestamp {
        let passed = SignedDuration::try_from(self.seen.elapsed()).unwrap_or(SignedDuration::MAX);
        self.at.saturating_add(passed).unwrap_or(Timestamp::MAX)
    }

    /// How long after `earlier` it is; zero when it is not after.
    pub(crate) fn since(self, earlier: Timestamp) -> Duration {
        Duration::try_from(self.now().duration_since(earlier)).unwrap_or(Duration::ZERO)
    }
}

/// What to claim: so many at most from each queue.
pub(crate) type Wanted = Vec<(String, usize)>;

/// Claims ready tasks of known kinds in the order in which they are to run.
pub(crate) async fn claim(worker: &Worker, wanted: &Wanted) -> Result<Vec<Claimed>, Error> {
    let queues: Vec<&str> = wanted.iter().map(|(queue, _)| queue.as_str()).collect();
    let free: Vec<i64> = wanted.iter().map(|(_, free)| count(*free)).collect();
    let lease = millis(worker.settings.lease());
    let rows = worker.query(CLAIM, &[&queues, &free, &worker.kind_names(), &worker.id, &lease]).await?;
    let seen = Instant::now();
    let mut claimed = rows.iter().map(|row| read(row, seen)).collect::<Result<Vec<_>, _>>()?;
    claimed.sort_by_key(|task| (task.priority, task.run_at, task.id));
    Ok(claimed)
}

fn read(row: &Row, seen: Instant) -> Result<Claimed, Error> {
    Ok(Claimed {
        id: row.try_get("id")?,
        queue: row.try_get("queue")?,
        kind: row.try_get("kind")?,
        args: row.try_get("args")?,
        attempt: row.try_get("attempt")?,
        attempts_max: row.try_get("attempts_max")?,
        crashes: row.try_get("crashes")?,
        priority: row.try_get("priority")?,
        run_at: row.try_get("run_at")?,
        tenant: row.try_get("tenant")?,
        correlation: row.try_get("correlation")?,
        traceparent: row.try_get("traceparent")?,
        moment: Moment { at: row.try_get("claimed_at")?, seen },
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A claimed task like any other.
    pub(crate) fn claimed() -> Claimed {
        Claimed {
            id: crate::enqueue::new_id(),
            queue: "default".to_owned(),
            kind: "a".to_owned(),
            args: Value::Null,
            attempt: 1,
            attempts_max: None,
            crashes: 0,
            priority: 0,
            run_at: Timestamp::UNIX_EPOCH,
            tenant: None,
            correlation: None,
            traceparent: None,
            moment: Moment { at: Timestamp::UNIX_EPOCH, seen: Instant::now() },
        }
    }

    #[test]
    fn a_moment_goes_on_from_the_clock_of_the_database() {
        let moment = Moment { at: Timestamp::UNIX_EPOCH, seen: Instant::now() };
        assert!(moment.now() >= Timestamp::UNIX_EPOCH);
        assert_eq!(moment.since(Timestamp::MAX), Duration::ZERO);
    }
}
