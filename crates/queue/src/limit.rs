//! Claiming from queues that limit what runs at once or starts in a period, over all workers or for each tenant.
//!
//! Such claims come one after another for each queue, by a lock that writes nothing: whoever does not get it asks again in a
//! moment, and its other queues go on. Rates are token buckets, filled by the database's clock and as deep as one period's
//! worth. A clock that is set back fills them like one that is set forward: nobody waits until it has caught up. A bucket
//! that has no row is full; rows are written only when something starts.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Transaction;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::Error;
use crate::claim::{AtHead, Claimed, read_all};
use crate::error::chain;
use crate::worker::{Worker, count};

const LIMITED: &str = "-- queue::limit::limited
select name from task_queue where limited";

/// How soon a queue is asked again from which another worker is claiming.
const TURN_PAUSE: Duration = Duration::from_millis(10);

/// So many tenants that may start nothing are passed over in one claim for each that may; the next goes on behind them.
const LOOKS_FACTOR: i64 = 10;

/// The bucket of a whole queue is kept beside those of its tenants; no tenant has this id.
const WHOLE_QUEUE: Uuid = Uuid::max();

// Held to the end of the transaction, so that no other claim counts the same places. A statement of its own: what comes
// after it sees what the holder before has written.
const LOCK: &str = "-- queue::limit::lock
select pg_try_advisory_xact_lock(hashtext('queue::limit'), hashtext($1))";

const OPEN: &str = "-- queue::limit::open
select task_queue.running_max, task_queue.rate_max, task_queue.rate_period_ms, task_queue.tenant_running_max,
       task_queue.tenant_rate_max,
       least(task_queue.rate_max,
             coalesce(bucket.tokens + task_queue.rate_max
                      * least(1.0, abs(extract(epoch from clock_timestamp() - bucket.refilled_at))::float8 * 1000
                                   / task_queue.rate_period_ms),
                      task_queue.rate_max))::float8 as tokens
  from task_queue
  left join task_tenant as bucket on bucket.queue = task_queue.name and bucket.tenant = $2
 where task_queue.name = $1 and not task_queue.paused";

const RUNNING: &str = "-- queue::limit::running
select coalesce(tenant, '00000000-0000-0000-0000-000000000000'::uuid) as tenant, count(*) as running
  from task
 where queue = $1 and counted and state = 'RUNNING'
 group by tenant";

// As a claim from the head of a queue; what a tenant may still start bounds its share. Tenants that may start nothing are
// passed over and do not count among those that a claim takes from. The answer tells how far the look went, even when it
// brings no task.
const CLAIM: &str = "-- queue::limit::claim
with recursive looked as (
    select $3::uuid as tenant, -32768 as mark, null::float8 as tokens, null::int8 as places, 0::int8 as free,
           0::int8 as looks, 0::int8 as able
    union all
    select head.tenant, 32768, bucket.tokens, room.places, allowed.free, looked.looks + 1,
           looked.able + case when allowed.free > 0 then 1 else 0 end
      from looked
     cross join lateral (
           select coalesce(tenant, '00000000-0000-0000-0000-000000000000'::uuid) as tenant
             from task
            where queue = $1 and due and state = 'READY' and kind = any ($2::text[])
              and (coalesce(tenant, '00000000-0000-0000-0000-000000000000'::uuid), priority) >= (looked.tenant, looked.mark)
            order by coalesce(tenant, '00000000-0000-0000-0000-000000000000'::uuid)
            limit 1
           ) as head
     cross join lateral (
           select coalesce((
                  select least($6::int4, known.tokens + $6 * least(1.0, abs(extract(epoch from clock_timestamp()
                                                                      - known.refilled_at))::float8 * 1000 / $7::int8))
                    from task_tenant as known
                   where known.queue = $1 and known.tenant = head.tenant and $6 is not null
                  ), $6)::float8 as tokens
           ) as bucket
     cross join lateral (
           select $5::int4 - coalesce(($10::int8[])[array_position($9::uuid[], head.tenant)], 0) as places
           ) as room
     cross join lateral (
           select least(coalesce(room.places, $8::int8), coalesce(floor(bucket.tokens)::int8, $8::int8)) as free
           ) as allowed
     where looked.able < $4::int8 and looked.looks < $13::int8
), share as (
    select tenant, free, least(free, greatest(1, $8::int8 / count(*) over ())) as part
      from looked
     where looks > 0 and free > 0
), picked as materialized (
    select ready.id, share.tenant
      from share
     cross join lateral (
           select task.id
             from task
            where task.queue = $1 and task.due and task.state = 'READY' and task.kind = any ($2::text[])
              and coalesce(task.tenant, '00000000-0000-0000-0000-000000000000'::uuid) = share.tenant
            order by task.priority, task.run_at, task.id
            limit share.part
              for update skip locked
           ) as ready
     limit $8::int8
), claimed as (
    update task
       set state = 'RUNNING', attempt = task.attempt + 1, worker_id = $11, counted = true,
           lease_until = clock_timestamp() + $12::int8 * interval '1 millisecond',
           unique_key = case when task.unique_until_start then null else task.unique_key end
     where task.id = any (array(select id from picked))
    returning task.id, task.queue, task.kind, task.args, task.attempt, task.attempts_max, task.crashes, task.priority,
              task.run_at, task.tenant, task.correlation, task.traceparent, task.parents,
              task.cancelled_at is not null as cancelled, clock_timestamp() as claimed_at
), taken as (
    select tenant, count(*) as tasks from picked group by tenant
), seen as (
    select (array_agg(looked.tenant order by looked.looks desc))[1] as last,
           coalesce(max(looked.able) < $4::int8 and max(looked.looks) < $13::int8, true) as ended,
           coalesce(bool_or(taken.tasks = share.part and share.part < share.free), false) as more,
           min(case when looked.tokens - coalesce(taken.tasks, 0) < 1
                     and coalesce(looked.places > coalesce(taken.tasks, 0), true)
                    then ceil((1 - looked.tokens + coalesce(taken.tasks, 0)) * $7::int8 / $6) end)::int8 as next_ms
      from looked
      left join taken on taken.tenant = looked.tenant
      left join share on share.tenant = looked.tenant
     where looked.looks > 0
)
select claimed.id, claimed.queue, claimed.kind, claimed.args, claimed.attempt, claimed.attempts_max, claimed.crashes,
       claimed.priority, claimed.run_at, claimed.tenant, claimed.correlation, claimed.traceparent, claimed.parents,
       claimed.cancelled, claimed.claimed_at, seen.last, seen.ended, seen.more, seen.next_ms
  from seen
  left join claimed on true";

const SPEND: &str = "-- queue::limit::spend
insert into task_tenant as known (queue, tenant, tokens, refilled_at)
select $1, spent.tenant, $4::int4 - spent.started, clock_timestamp()
  from unnest($2::uuid[], $3::int8[]) as spent (tenant, started)
    on conflict (queue, tenant) do update
   set tokens = least($4, known.tokens + $4 * least(1.0, abs(extract(epoch from clock_timestamp() - known.refilled_at))::float8
                                                        * 1000 / $5::int8)) - ($4 - excluded.tokens),
       refilled_at = clock_timestamp()";

/// The limits of a queue at one moment.
struct Open {
    running_max: Option<i32>,
    rate_max: Option<i32>,
    rate_period_ms: i64,
    tenant_running_max: Option<i32>,
    tenant_rate_max: Option<i32>,
    /// Nothing without a rate.
    tokens: Option<f64>,
}

/// What a claim under limits brought.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) claimed: Vec<Claimed>,
    /// When a rate lets the next task start, or the queue is another's turn no more; nothing when no such thing held one back.
    pub(crate) next: Option<Duration>,
    pub(crate) seen: Seen,
}

/// How far a claim under limits has looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Seen {
    /// Not to the tenants: nothing may be claimed from the queue at the moment.
    #[default]
    Nothing,
    /// To this tenant, with more of them behind it, and all that the queue may start for the moment was taken.
    Filled(Uuid),
    /// To this tenant, with more of them behind it.
    Until(Uuid),
    /// To the last tenant, and some have more that may start.
    AllAndMore,
    /// To the last tenant, and none has more that may start.
    All,
}

/// Reads which queues have limits, whenever they change and each heartbeat, until told to stop.
pub(crate) async fn keep_reading(worker: Arc<Worker>, stop: CancellationToken) {
    loop {
        match limited(&worker).await {
            Ok(queues) => {
                if worker.set_limited(queues) {
                    worker.ready.notify_one();
                }
            }
            Err(error) => {
                tracing::warn!(error.chain = chain(&error), "the limits of the queues were not read");
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = worker.limits.notified() => {}
            () = tokio::time::sleep(worker.settings.heartbeat()) => {}
        }
    }
}

pub(crate) async fn limited(worker: &Worker) -> Result<Vec<String>, Error> {
    let rows = worker.query(LIMITED, &[]).await?;
    rows.iter().map(|row| row.try_get(0).map_err(Error::from)).collect()
}

/// Claims from one queue within its limits.
pub(crate) async fn claim(worker: &Worker, asked: &AtHead) -> Result<Taken, Error> {
    let mut client = worker.client().await?;
    let taken = worker
        .in_time(async {
            let transaction = client.transaction().await?;
            let taken = within(worker, &transaction, asked).await?;
            transaction.commit().await?;
            Ok(taken)
        })
        .await;
    Worker::keep_or_drop(client, &taken);
    taken
}

async fn within(worker: &Worker, transaction: &Transaction<'_>, asked: &AtHead) -> Result<Taken, Error> {
    let queue = &*asked.queue;
    if !lock(transaction, queue).await? {
        return Ok(Taken { next: Some(TURN_PAUSE), ..Taken::default() });
    }
    let Some(row) = prepared(transaction, OPEN, &[&queue, &WHOLE_QUEUE]).await?.pop() else {
        return Ok(Taken::default());
    };
    let open = Open::read(&row)?;
    let running = running(transaction, queue).await?;
    let free = open.free(asked.free, running.values().sum());
    if free == 0 {
        return Ok(Taken { next: open.next_after(0), ..Taken::default() });
    }
    let (tenants, counts): (Vec<Uuid>, Vec<i64>) = running.into_iter().unzip();
    let able = count(worker.settings.tenants_per_claim).min(free);
    let rows = prepared(
        transaction,
        CLAIM,
        &[
            &queue,
            &worker.kind_names,
            &asked.first,
            &able,
            &open.tenant_running_max,
            &open.tenant_rate_max,
            &open.rate_period_ms,
            &free,
            &tenants,
            &counts,
            &worker.id,
            &worker.lease_ms(),
            &count(worker.settings.tenants_per_claim).saturating_mul(LOOKS_FACTOR),
        ],
    )
    .await?;
    let taken = open.judge(worker, &rows, free, asked.free)?;
    open.spend(transaction, queue, &taken.claimed).await?;
    Ok(taken)
}

async fn lock(transaction: &Transaction<'_>, queue: &str) -> Result<bool, Error> {
    let rows = prepared(transaction, LOCK, &[&queue]).await?;
    rows.first().map_or(Ok(false), |row| Ok(row.try_get(0)?))
}

async fn running(transaction: &Transaction<'_>, queue: &str) -> Result<HashMap<Uuid, i64>, Error> {
    let rows = prepared(transaction, RUNNING, &[&queue]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

impl Open {
    fn read(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            running_max: row.try_get(0)?,
            rate_max: row.try_get(1)?,
            rate_period_ms: row.try_get(2)?,
            tenant_running_max: row.try_get(3)?,
            tenant_rate_max: row.try_get(4)?,
            tokens: row.try_get(5)?,
        })
    }

    fn free(&self, wanted: usize, running: i64) -> i64 {
        let places = self.running_max.map_or(i64::MAX, |max| i64::from(max) - running);
        let starts = self.tokens.map_or(i64::MAX, whole);
        count(wanted).min(places).min(starts).max(0)
    }

    /// How long until the queue's bucket gives one more start, after it gave `started`; nothing when it can give one at once.
    fn next_after(&self, started: usize) -> Option<Duration> {
        let rate = f64::from(self.rate_max?);
        let spent = f64::from(u32::try_from(started).unwrap_or(u32::MAX));
        let left = self.tokens? - spent;
        let share = (1.0 - left) / rate;
        let period = Duration::from_millis(u64::try_from(self.rate_period_ms).unwrap_or(1));
        // A millisecond more, so that it is there by then.
        (share > 0.0).then(|| period.mul_f64(share.min(1.0)) + Duration::from_millis(1))
    }

    fn judge(&self, worker: &Worker, rows: &[Row], free: i64, wanted: usize) -> Result<Taken, Error> {
        let Some(row) = rows.first() else { return Ok(Taken::default()) };
        let last: Option<Uuid> = row.try_get(15)?;
        let (ended, more): (bool, bool) = (row.try_get(16)?, row.try_get(17)?);
        let tenants_next = row
            .try_get::<_, Option<i64>>(18)?
            .map(|millis| Duration::from_millis(u64::try_from(millis).unwrap_or(0).saturating_add(1)));
        // One row says how far the look went when there is no task.
        let none = row.try_get::<_, Option<Uuid>>(0)?.is_none();
        let claimed = if none { Vec::new() } else { read_all(worker, rows)? };
        let taken = count(claimed.len());
        let queues_next = if taken >= free { self.next_after(claimed.len()) } else { None };
        let seen = match last {
            Some(last) if taken >= free && free < count(wanted) => Seen::Filled(last),
            Some(last) if !ended => Seen::Until(last),
            _ if more || taken >= count(wanted) => Seen::AllAndMore,
            _ => Seen::All,
        };
        Ok(Taken { claimed, next: [queues_next, tenants_next].into_iter().flatten().min(), seen })
    }

    async fn spend(
        &self,
        transaction: &Transaction<'_>,
        queue: &str,
        claimed: &[Claimed],
    ) -> Result<(), Error> {
        if claimed.is_empty() {
            return Ok(());
        }
        if let Some(rate) = self.rate_max {
            let spent = (vec![WHOLE_QUEUE], vec![count(claimed.len())]);
            prepared(transaction, SPEND, &[&queue, &spent.0, &spent.1, &rate, &self.rate_period_ms]).await?;
        }
        let Some(rate) = self.tenant_rate_max else { return Ok(()) };
        let mut started: HashMap<Uuid, i64> = HashMap::new();
        for task in claimed {
            *started.entry(task.share_of()).or_default() += 1;
        }
        let (tenants, counts): (Vec<Uuid>, Vec<i64>) = started.into_iter().unzip();
        prepared(transaction, SPEND, &[&queue, &tenants, &counts, &rate, &self.rate_period_ms]).await?;
        Ok(())
    }
}

/// The whole starts in a bucket.
#[expect(
    clippy::cast_possible_truncation,
    clippy::as_conversions,
    reason = "a bucket holds at most `rate_max`, which is an int4"
)]
fn whole(tokens: f64) -> i64 {
    tokens.floor() as i64
}

async fn prepared(
    transaction: &Transaction<'_>,
    sql: &str,
    params: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, Error> {
    let statement = transaction.prepare_cached(sql).await?;
    Ok(transaction.query(&statement, params).await?)
}
