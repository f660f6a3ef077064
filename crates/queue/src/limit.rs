//! Claiming from queues that limit what runs at once or starts in a period, over all workers or for each tenant.
//!
//! Such claims come one after another for each queue: they hold its row. Rates are token buckets, filled by the database's
//! clock and as deep as one period's worth. A clock that is set back fills them like one that is set forward: nobody waits
//! until it has caught up.

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

// The row stays locked to the end of the transaction, so that no other claim counts the same places.
const OPEN: &str = "-- queue::limit::open
update task_queue
   set tokens = least(coalesce(rate_max, 0),
                      tokens + coalesce(rate_max, 0)
                      * least(1.0, abs(extract(epoch from clock_timestamp() - refilled_at))::float8 * 1000 / rate_period_ms)),
       refilled_at = clock_timestamp()
 where name = $1 and not paused
returning running_max, rate_max, rate_period_ms, tenant_running_max, tenant_rate_max, tokens";

const RUNNING: &str = "-- queue::limit::running
select coalesce(tenant, '00000000-0000-0000-0000-000000000000'::uuid) as tenant, count(*) as running
  from task
 where queue = $1 and counted
 group by tenant";

// As a claim from the head of a queue; what a tenant may still start bounds its share.
const CLAIM: &str = "-- queue::limit::claim
with recursive slot as (
    select head.tenant, 1 as turn
      from (
           select coalesce(tenant, '00000000-0000-0000-0000-000000000000'::uuid) as tenant
             from task
            where queue = $1 and due and state = 'READY' and kind = any ($2::text[])
              and coalesce(tenant, '00000000-0000-0000-0000-000000000000'::uuid) >= $3::uuid
            order by coalesce(tenant, '00000000-0000-0000-0000-000000000000'::uuid)
            limit 1
           ) as head
    union all
    select head.tenant, slot.turn + 1
      from slot
     cross join lateral (
           select coalesce(tenant, '00000000-0000-0000-0000-000000000000'::uuid) as tenant
             from task
            where queue = $1 and due and state = 'READY' and kind = any ($2::text[])
              and coalesce(tenant, '00000000-0000-0000-0000-000000000000'::uuid) > slot.tenant
            order by coalesce(tenant, '00000000-0000-0000-0000-000000000000'::uuid)
            limit 1
           ) as head
     where slot.turn < $4::int8
), allowed as (
    select slot.tenant,
           least(case when $5::int4 is null then $8::int8 else $5 - coalesce(busy.running, 0) end,
                 case when $6::int4 is null then $8::int8
                      else floor(least($6, coalesce(task_tenant.tokens, $6) + $6
                           * least(1.0, abs(extract(epoch from clock_timestamp()
                                  - coalesce(task_tenant.refilled_at, clock_timestamp())))::float8 * 1000 / $7::int8)))::int8
                 end) as free
      from slot
      left join unnest($9::uuid[], $10::int8[]) as busy (tenant, running) on busy.tenant = slot.tenant
      left join task_tenant on task_tenant.queue = $1 and task_tenant.tenant = slot.tenant
), share as (
    select tenant, least(free, greatest(1, $8::int8 / count(*) over ())) as free,
           row_number() over (order by tenant) as turn
      from allowed
     where free > 0
), picked as materialized (
    select ready.id
      from share
     cross join lateral (
           select task.id
             from task
            where task.queue = $1 and task.due and task.state = 'READY' and task.kind = any ($2::text[])
              and coalesce(task.tenant, '00000000-0000-0000-0000-000000000000'::uuid) = share.tenant
            order by task.priority, task.run_at, task.id
            limit share.free
              for update skip locked
           ) as ready
     limit $8::int8
)
update task
   set state = 'RUNNING', attempt = task.attempt + 1, worker_id = $11, counted = true,
       lease_until = clock_timestamp() + $12::int8 * interval '1 millisecond',
       unique_key = case when task.unique_until_start then null else task.unique_key end
 where task.id = any (array(select id from picked))
returning task.id, task.queue, task.kind, task.args, task.attempt, task.attempts_max, task.crashes, task.priority,
          task.run_at, task.tenant, task.correlation, task.traceparent, task.parents,
          task.cancelled_at is not null as cancelled, clock_timestamp() as claimed_at";

const SPEND: &str = "-- queue::limit::spend
update task_queue set tokens = tokens - $2::int8 where name = $1 and rate_max is not null";

const SPEND_OF_TENANTS: &str = "-- queue::limit::spend_of_tenants
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
    tokens: f64,
}

/// What a claim under limits brought.
pub(crate) struct Taken {
    pub(crate) claimed: Vec<Claimed>,
    /// When a rate lets the next task start; nothing when no rate held one back.
    pub(crate) next: Option<Duration>,
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
    let Some(row) = prepared(transaction, OPEN, &[&queue]).await?.pop() else {
        return Ok(Taken { claimed: Vec::new(), next: None });
    };
    let open = Open::read(&row)?;
    let running = running(transaction, queue).await?;
    let free = open.free(asked.free, running.values().sum());
    if free == 0 {
        return Ok(Taken { claimed: Vec::new(), next: open.next() });
    }
    let (tenants, counts): (Vec<Uuid>, Vec<i64>) = running.into_iter().unzip();
    let rows = prepared(
        transaction,
        CLAIM,
        &[
            &queue,
            &worker.kind_names,
            &asked.first,
            &count(worker.settings.tenants_per_claim),
            &open.tenant_running_max,
            &open.tenant_rate_max,
            &open.rate_period_ms,
            &free,
            &tenants,
            &counts,
            &worker.id,
            &worker.lease_ms(),
        ],
    )
    .await?;
    let claimed = read_all(worker, &rows)?;
    open.spend(transaction, queue, &claimed).await?;
    // A claim that came up short of what the queue's own rate allows was not held back by it.
    let held_back = open.tenant_rate_max.is_some() || count(claimed.len()) >= free;
    let next = if held_back { open.next() } else { None };
    Ok(Taken { claimed, next })
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
        let starts = self.rate_max.map_or(i64::MAX, |_| whole(self.tokens));
        count(wanted).min(places).min(starts).max(0)
    }

    /// How long until the bucket that fills slowest gives one more start.
    fn next(&self) -> Option<Duration> {
        let rate = [self.rate_max, self.tenant_rate_max].into_iter().flatten().min()?;
        let millis = u64::try_from(self.rate_period_ms / i64::from(rate)).unwrap_or(1);
        Some(Duration::from_millis(millis.max(1)))
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
        if self.rate_max.is_some() {
            prepared(transaction, SPEND, &[&queue, &count(claimed.len())]).await?;
        }
        let Some(rate) = self.tenant_rate_max else { return Ok(()) };
        let mut started: HashMap<Uuid, i64> = HashMap::new();
        for task in claimed {
            *started.entry(task.share_of()).or_default() += 1;
        }
        let (tenants, counts): (Vec<Uuid>, Vec<i64>) = started.into_iter().unzip();
        prepared(transaction, SPEND_OF_TENANTS, &[&queue, &tenants, &counts, &rate, &self.rate_period_ms])
            .await?;
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
