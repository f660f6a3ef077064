//! Taking ready tasks: one autocommit statement for all queues of the process.
//!
//! Queues with limits are left to [`crate::limit`]. A claim begins at the head of each tenant's range, or goes on where the claim before ended. The second kind passes over
//! nothing that was claimed already, so it costs the same however many dead rows a long transaction keeps in the index.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::worker::{Worker, count, millis};
use crate::{Error, Kind};

// The tenants of a queue are found one by one, each by a look into the index behind the one before. Each has its share of
// the claim; within it the order is priority, then due time. `for update skip locked` lets any number of claimers pass each
// other; the inner state check is repeated on the locked row by PostgreSQL. The rows are found again by an array of their places (nobody moves a locked row): how
// many a `limit` with a parameter lets through is guessed as a tenth of the backlog, and a join over that many would read
// the whole table. The update touches no indexed column and stays within its page.
pub(crate) const CLAIM_AT_HEAD: &str = "-- queue::claim::at_head
with recursive open as (
    select wanted.queue, wanted.free, wanted.first
      from unnest($1::text[], $2::int8[], $3::uuid[]) as wanted (queue, free, first)
      join task_queue on task_queue.name = wanted.queue
     where not task_queue.paused and not task_queue.limited
), slot as (
    select open.queue, open.free, head.tenant, 1 as turn
      from open
     cross join lateral (
           select coalesce(tenant, '00000000-0000-0000-0000-000000000000'::uuid) as tenant
             from task
            where task.queue = open.queue and task.due and task.state = 'READY' and task.kind = any ($4::text[])
              and coalesce(task.tenant, '00000000-0000-0000-0000-000000000000'::uuid) >= open.first
            order by coalesce(tenant, '00000000-0000-0000-0000-000000000000'::uuid)
            limit 1
           ) as head
    union all
    select slot.queue, slot.free, head.tenant, slot.turn + 1
      from slot
     cross join lateral (
           select coalesce(tenant, '00000000-0000-0000-0000-000000000000'::uuid) as tenant
             from task
            where task.queue = slot.queue and task.due and task.state = 'READY' and task.kind = any ($4::text[])
              and coalesce(task.tenant, '00000000-0000-0000-0000-000000000000'::uuid) > slot.tenant
            order by coalesce(tenant, '00000000-0000-0000-0000-000000000000'::uuid)
            limit 1
           ) as head
     where slot.turn < least(slot.free, $5::int8)
), share as (
    select slot.queue, slot.tenant, slot.free / count(*) over (partition by slot.queue) as free from slot
), picked as materialized (
    select ready.place
      from share
     cross join lateral (
           select task.ctid as place
             from task
            where task.queue = share.queue and task.due and task.state = 'READY' and task.kind = any ($4::text[])
              and coalesce(task.tenant, '00000000-0000-0000-0000-000000000000'::uuid) = share.tenant
            order by task.priority, task.run_at, task.id
            limit share.free
              for update skip locked
           ) as ready
)
update task
   set state = 'RUNNING', attempt = task.attempt + 1, worker_id = $6,
       lease_until = clock_timestamp() + $7::int8 * interval '1 millisecond',
       unique_key = case when task.unique_until_start then null else task.unique_key end
 where task.ctid = any (array(select place from picked))
returning task.id, task.queue, task.kind, task.args, task.attempt, task.attempts_max, task.crashes, task.priority,
          task.run_at, task.tenant, task.correlation, task.traceparent, task.parents,
          task.cancelled_at is not null as cancelled, clock_timestamp() as claimed_at";

// Goes on behind the last task of each slot.
pub(crate) const CLAIM_ONWARD: &str = "-- queue::claim::onward
with slot as (
    select slot.*
      from unnest($1::text[], $2::uuid[], $3::int8[], $4::int2[], $5::timestamptz[], $6::uuid[])
           as slot (queue, tenant, free, priority, run_at, id)
      join task_queue on task_queue.name = slot.queue
     where not task_queue.paused and not task_queue.limited
), picked as materialized (
    select ready.place
      from slot
     cross join lateral (
           select task.ctid as place
             from task
            where task.queue = slot.queue and task.due and task.state = 'READY' and task.kind = any ($7::text[])
              and coalesce(task.tenant, '00000000-0000-0000-0000-000000000000'::uuid) = slot.tenant
              and (task.priority, task.run_at, task.id) > (slot.priority, slot.run_at, slot.id)
            order by task.priority, task.run_at, task.id
            limit slot.free
              for update skip locked
           ) as ready
)
update task
   set state = 'RUNNING', attempt = task.attempt + 1, worker_id = $8,
       lease_until = clock_timestamp() + $9::int8 * interval '1 millisecond',
       unique_key = case when task.unique_until_start then null else task.unique_key end
 where task.ctid = any (array(select place from picked))
returning task.id, task.queue, task.kind, task.args, task.attempt, task.attempts_max, task.crashes, task.priority,
          task.run_at, task.tenant, task.correlation, task.traceparent, task.parents,
          task.cancelled_at is not null as cancelled, clock_timestamp() as claimed_at";

// One look into the index for each gap between tenants that are known to have more: whoever came meanwhile is found without
// reading what the others have. Of several in a gap the next look finds the next.
const NEWCOMERS: &str = "-- queue::claim::newcomers
select gap.queue, head.tenant
  from unnest($1::text[], $2::uuid[], $3::uuid[]) as gap (queue, first, last)
 cross join lateral (
       select coalesce(tenant, '00000000-0000-0000-0000-000000000000'::uuid) as tenant
         from task
        where task.queue = gap.queue and task.due and task.state = 'READY' and task.kind = any ($4::text[])
          and coalesce(task.tenant, '00000000-0000-0000-0000-000000000000'::uuid) between gap.first and gap.last
        order by coalesce(tenant, '00000000-0000-0000-0000-000000000000'::uuid)
        limit 1
       ) as head";

/// A task that this process may run until its lease ends.
#[derive(Debug)]
pub(crate) struct Claimed {
    pub(crate) id: Uuid,
    pub(crate) queue: Arc<str>,
    pub(crate) kind: Arc<Kind>,
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
    pub(crate) parents: Vec<Uuid>,
    /// It is not to be done any more, only to be ended.
    pub(crate) cancelled: bool,
    pub(crate) moment: Moment,
}

/// One attempt at one task, unlike any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) id: Uuid,
    pub(crate) attempt: i32,
}

/// A place in the order of a tenant's tasks.
pub(crate) type Place = (i16, Timestamp, Uuid);

impl Claimed {
    pub(crate) fn key(&self) -> Key {
        Key { id: self.id, attempt: self.attempt }
    }

    pub(crate) fn place(&self) -> Place {
        (self.priority, self.run_at, self.id)
    }

    /// The tenant as the index knows it: tasks without one share the id of zeros.
    pub(crate) fn share_of(&self) -> Uuid {
        self.tenant.unwrap_or(Uuid::nil())
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

/// What to claim from the head of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AtHead {
    pub(crate) queue: Arc<str>,
    pub(crate) free: usize,
    /// The tenant whose turn it is, or the next one after it.
    pub(crate) first: Uuid,
    /// The last look was dear and brought nothing: it is asked by a statement of its own, which holds up no other queue.
    pub(crate) alone: bool,
}

/// What to claim behind a place of one tenant's tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Onward {
    pub(crate) queue: Arc<str>,
    pub(crate) tenant: Uuid,
    pub(crate) free: usize,
    pub(crate) behind: Place,
}

/// Tenants that are not known to have tasks: those from `first` to `last`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) queue: Arc<str>,
    pub(crate) first: Uuid,
    pub(crate) last: Uuid,
}

/// The gaps between the tenants from which claims go on.
pub(crate) fn gaps(onward: &[Onward]) -> Vec<Gap> {
    let mut known: Vec<(&Arc<str>, u128)> =
        onward.iter().map(|one| (&one.queue, one.tenant.as_u128())).collect();
    known.sort_unstable();
    let mut gaps = Vec::with_capacity(known.len() * 2);
    let mut from: Option<(&Arc<str>, Option<u128>)> = None;
    for (queue, tenant) in known {
        let first = match from {
            Some((before, next)) if before == queue => next,
            Some((before, next)) => {
                gaps.extend(gap(before, next, Some(u128::MAX)));
                Some(0)
            }
            None => Some(0),
        };
        gaps.extend(gap(queue, first, tenant.checked_sub(1)));
        from = Some((queue, tenant.checked_add(1)));
    }
    gaps.extend(from.and_then(|(queue, next)| gap(queue, next, Some(u128::MAX))));
    gaps
}

fn gap(queue: &Arc<str>, first: Option<u128>, last: Option<u128>) -> Option<Gap> {
    let (first, last) = first.zip(last)?;
    (first <= last).then(|| Gap {
        queue: Arc::clone(queue),
        first: Uuid::from_u128(first),
        last: Uuid::from_u128(last),
    })
}

/// Finds tenants that have ready tasks beside those that are known to.
pub(crate) async fn newcomers(worker: &Worker, gaps: &[Gap]) -> Result<Vec<(String, Uuid)>, Error> {
    let queues: Vec<&str> = gaps.iter().map(|gap| &*gap.queue).collect();
    let first: Vec<Uuid> = gaps.iter().map(|gap| gap.first).collect();
    let last: Vec<Uuid> = gaps.iter().map(|gap| gap.last).collect();
    let rows = worker.query(NEWCOMERS, &[&queues, &first, &last, &worker.kind_names]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Claims ready tasks of known kinds from the heads of queues, in the order in which they are to run.
pub(crate) async fn at_head(worker: &Worker, wanted: &[AtHead]) -> Result<Vec<Claimed>, Error> {
    let queues: Vec<&str> = wanted.iter().map(|one| &*one.queue).collect();
    let free: Vec<i64> = wanted.iter().map(|one| count(one.free)).collect();
    let first: Vec<Uuid> = wanted.iter().map(|one| one.first).collect();
    let tenants = count(worker.settings.tenants_per_claim);
    let rows = worker
        .query(
            CLAIM_AT_HEAD,
            &[&queues, &free, &first, &worker.kind_names, &tenants, &worker.id, &worker.lease_ms()],
        )
        .await?;
    read_all(worker, &rows)
}

/// Claims on behind where earlier claims ended.
pub(crate) async fn onward(worker: &Worker, wanted: &[Onward]) -> Result<Vec<Claimed>, Error> {
    let queues: Vec<&str> = wanted.iter().map(|one| &*one.queue).collect();
    let tenants: Vec<Uuid> = wanted.iter().map(|one| one.tenant).collect();
    let free: Vec<i64> = wanted.iter().map(|one| count(one.free)).collect();
    let priorities: Vec<i16> = wanted.iter().map(|one| one.behind.0).collect();
    let run_ats: Vec<Timestamp> = wanted.iter().map(|one| one.behind.1).collect();
    let ids: Vec<Uuid> = wanted.iter().map(|one| one.behind.2).collect();
    let rows = worker
        .query(
            CLAIM_ONWARD,
            &[
                &queues,
                &tenants,
                &free,
                &priorities,
                &run_ats,
                &ids,
                &worker.kind_names,
                &worker.id,
                &worker.lease_ms(),
            ],
        )
        .await?;
    read_all(worker, &rows)
}

/// Reads claimed rows; sorted as they are to run, tenants by turns.
pub(crate) fn read_all(worker: &Worker, rows: &[Row]) -> Result<Vec<Claimed>, Error> {
    let seen = Instant::now();
    rows.iter().filter_map(|row| read(worker, row, seen).transpose()).collect()
}

/// Columns are read by their place in the statement: by name each would be searched for in every row.
fn read(worker: &Worker, row: &Row, seen: Instant) -> Result<Option<Claimed>, Error> {
    let kind = worker.kinds.get(row.try_get::<_, &str>(2)?);
    let queue = worker.queues.get(row.try_get::<_, &str>(1)?);
    // The statement asks for known kinds of served queues only.
    let (Some(kind), Some(queue)) = (kind, queue) else { return Ok(None) };
    Ok(Some(Claimed {
        id: row.try_get(0)?,
        queue: Arc::clone(queue),
        kind: Arc::clone(kind),
        args: row.try_get(3)?,
        attempt: row.try_get(4)?,
        attempts_max: row.try_get(5)?,
        crashes: row.try_get(6)?,
        priority: row.try_get(7)?,
        run_at: row.try_get(8)?,
        tenant: row.try_get(9)?,
        correlation: row.try_get(10)?,
        traceparent: row.try_get(11)?,
        parents: row.try_get::<_, Option<Vec<Uuid>>>(12)?.unwrap_or_default(),
        cancelled: row.try_get(13)?,
        moment: Moment { at: row.try_get(14)?, seen },
    }))
}

/// How long a claim is valid, as PostgreSQL takes it.
impl Worker {
    pub(crate) fn lease_ms(&self) -> i64 {
        millis(self.settings.lease())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A claimed task like any other.
    pub(crate) fn claimed() -> Claimed {
        Claimed {
            id: crate::enqueue::new_id(),
            queue: Arc::from("default"),
            kind: Arc::new(Kind::new("a", "default", |_| {
                std::future::pending::<Result<(), crate::Failure>>()
            })),
            args: Value::Null,
            attempt: 1,
            attempts_max: None,
            crashes: 0,
            priority: 0,
            run_at: Timestamp::UNIX_EPOCH,
            tenant: None,
            correlation: None,
            traceparent: None,
            parents: Vec::new(),
            cancelled: false,
            moment: Moment { at: Timestamp::UNIX_EPOCH, seen: Instant::now() },
        }
    }

    #[test]
    fn the_gaps_between_known_tenants_leave_out_nobody_else() {
        let behind = claimed().place();
        let one = |queue: &str, tenant| Onward {
            queue: Arc::from(queue),
            tenant: Uuid::from_u128(tenant),
            free: 1,
            behind,
        };
        let found: Vec<(String, u128, u128)> = gaps(&[one("b", 7), one("a", 5), one("a", 0), one("a", 6)])
            .into_iter()
            .map(|gap| (gap.queue.to_string(), gap.first.as_u128(), gap.last.as_u128()))
            .collect();
        let wanted = [("a", 1, 4), ("a", 7, u128::MAX), ("b", 0, 6), ("b", 8, u128::MAX)];
        assert_eq!(found, wanted.map(|(queue, first, last)| (queue.to_owned(), first, last)));
    }

    #[test]
    fn a_moment_goes_on_from_the_clock_of_the_database() {
        let moment = Moment { at: Timestamp::UNIX_EPOCH, seen: Instant::now() };
        assert!(moment.now() >= Timestamp::UNIX_EPOCH);
        assert_eq!(moment.since(Timestamp::MAX), Duration::ZERO);
    }
}
