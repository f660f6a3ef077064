//! Looking at the queues: how much there is, how old it is, who works on it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{GenericClient, Row};

use crate::Error;
use crate::control::Limits;

/// How far [`stats`] counts: of each queue the tasks that are ready or running, over all queues those of each other
/// state. Beyond it a count says "at least".
pub const COUNTED_MAX: i64 = 10_000;

/// How many heads of a queue that is too long to be counted are looked at for its oldest task.
const HEADS_MAX: i64 = 500;

/// How many tasks are passed over at one head because they run, or nobody knows their kind.
const HEAD_DEPTH: i64 = 1_000;

const QUEUES: &str = "-- queue::stats::queues
select name, paused, running_max, rate_max, rate_period_ms, tenant_running_max, tenant_rate_max
  from task_queue
 order by name";

const GROUPS: &str = "-- queue::stats::groups
select queue, state, kind, kind in (select name from task_kind) as known, tasks,
       extract(epoch from now() - oldest)::float8 as age_seconds
  from task_counts($1)";

// Of a queue that is longer than the limit, the oldest task stands at the head of one of its ranges. There is one for
// each tenant and priority: they are visited one after the other.
const OLDEST: &str = "-- queue::stats::oldest
with recursive range as (
    select long.queue, first.tenant, first.priority, 1 as number
      from unnest($1::text[]) as long (queue)
     cross join lateral (
           select coalesce(tenant, '00000000-0000-0000-0000-000000000000'::uuid) as tenant, priority
             from task
            where task.queue = long.queue and due
            order by queue, coalesce(tenant, '00000000-0000-0000-0000-000000000000'::uuid), priority, run_at, id
            limit 1
           ) as first
    union all
    select range.queue, following.tenant, following.priority, range.number + 1
      from range
     cross join lateral (
           select coalesce(tenant, '00000000-0000-0000-0000-000000000000'::uuid) as tenant, priority
             from task
            where task.queue = range.queue and due
              and (coalesce(tenant, '00000000-0000-0000-0000-000000000000'::uuid), priority)
                  > (range.tenant, range.priority)
            order by queue, coalesce(tenant, '00000000-0000-0000-0000-000000000000'::uuid), priority, run_at, id
            limit 1
           ) as following
     where range.number < $2
)
select range.queue, extract(epoch from now() - min(first.run_at))::float8 as age_seconds
  from range
 cross join lateral (
       select head.run_at
         from (
              select state, run_at, kind
                from task
               where task.queue = range.queue and due
                 and coalesce(tenant, '00000000-0000-0000-0000-000000000000'::uuid) = range.tenant
                 and task.priority = range.priority
               order by run_at, id
               limit $3
              ) as head
        where head.state = 'READY' and head.kind = any(array(select name from task_kind))
        limit 1
       ) as first
 group by range.queue";

const WORKERS: &str = "-- queue::stats::workers
select count(*) as alive, max(heartbeat_at) as heartbeat_at, coalesce(sum(running), 0) as running,
       coalesce(sum(buffered), 0) as buffered
  from task_worker
 where heartbeat_at > now() - interval '1 minute'";

/// Shows the state of all queues at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stats {
    /// Every queue, by name.
    pub queues: Vec<QueueStats>,
    /// Due tasks whose kind no worker has ever registered: they stay until one does. The most first.
    pub unknown_kinds: Vec<UnknownKind>,
    /// Workers that reported within the last minute.
    pub workers_alive: i64,
    /// The latest report of any of them.
    pub heartbeat_at: Option<Timestamp>,
    /// Tasks they run, as they last reported: right however long the queues are.
    pub running: i64,
    /// Tasks they have claimed ahead, as they last reported.
    pub buffered: i64,
}

impl Stats {
    /// Counts the tasks given up and not yet looked at, over all queues.
    pub fn dead_letters(&self) -> Count {
        self.queues.iter().map(|queue| queue.dead_letters).sum()
    }
}

/// Counts tasks, up to a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Count {
    /// So many were seen.
    pub number: i64,
    /// There may be more.
    pub at_least: bool,
}

impl Count {
    /// Counts exactly so many.
    pub fn exactly(number: i64) -> Self {
        Self { number, at_least: false }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}{}", self.number, if self.at_least { "+" } else { "" }))
    }
}

impl std::iter::Sum for Count {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |sum, one| Self {
            number: sum.number.saturating_add(one.number),
            at_least: sum.at_least || one.at_least,
        })
    }
}

/// Shows one queue.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QueueStats {
    /// Its name.
    pub name: String,
    /// Whether it is paused.
    pub paused: bool,
    /// What limits it.
    pub limits: Limits,
    /// Tasks that could start at once.
    pub ready: Count,
    /// Tasks whose time has not come.
    pub delayed: Count,
    /// Tasks that wait for other tasks.
    pub waiting: Count,
    /// Tasks claimed by a worker.
    pub running: Count,
    /// How long the oldest ready task of a registered kind has been ready; 0 without one.
    pub oldest_age_seconds: f64,
    /// Tasks given up and not yet looked at.
    pub dead_letters: Count,
}

/// Counts due tasks of one kind without a handler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnknownKind {
    /// The kind as enqueued.
    pub kind: String,
    /// How many were seen; more may stand behind the limit of what is counted.
    pub tasks: i64,
}

/// Measures all queues. However long they are, it takes some ten milliseconds: counts stop at [`COUNTED_MAX`].
///
/// # Errors
/// [`Error::Postgres`].
pub async fn stats<C>(client: &C) -> Result<Stats, Error>
where
    C: GenericClient + Sync,
{
    stats_up_to(client, COUNTED_MAX).await
}

/// Measures all queues and counts less far, for those who ask often.
///
/// # Errors
/// [`Error::Postgres`].
pub async fn stats_up_to<C>(client: &C, counted_max: i64) -> Result<Stats, Error>
where
    C: GenericClient + Sync,
{
    let counted_max = counted_max.clamp(1, COUNTED_MAX);
    let mut queues = BTreeMap::new();
    for row in client.query_typed(QUEUES, &[]).await? {
        let queue = read_queue(&row)?;
        queues.insert(queue.name.clone(), queue);
    }
    let groups = client.query_typed(GROUPS, &[(&counted_max, Type::INT8)]).await?;
    let groups: Vec<Group> = groups.iter().map(Group::read).collect::<Result<_, _>>()?;
    let unknown_kinds = unknown_kinds(&groups);
    for group in &groups {
        if let Some(queue) = queues.get_mut(&group.queue) {
            queue.add(group, counted_max);
        }
    }
    let long = mark_limits(&mut queues, &groups, counted_max);
    if !long.is_empty() {
        let params: [(&(dyn ToSql + Sync), Type); 3] =
            [(&long, Type::TEXT_ARRAY), (&HEADS_MAX, Type::INT8), (&HEAD_DEPTH, Type::INT8)];
        for row in client.query_typed(OLDEST, &params).await? {
            let (name, age): (&str, f64) = (row.try_get("queue")?, row.try_get("age_seconds")?);
            if let Some(queue) = queues.get_mut(name) {
                queue.oldest_age_seconds = queue.oldest_age_seconds.max(age);
            }
        }
    }
    let workers = client.query_typed_one(WORKERS, &[]).await?;
    Ok(Stats {
        queues: queues.into_values().collect(),
        unknown_kinds,
        workers_alive: workers.try_get("alive")?,
        heartbeat_at: workers.try_get("heartbeat_at")?,
        running: workers.try_get("running")?,
        buffered: workers.try_get("buffered")?,
    })
}

/// Tasks of a queue that were counted together.
struct Group {
    queue: String,
    state: String,
    kind: Option<String>,
    known: bool,
    tasks: i64,
    age_seconds: f64,
}

impl Group {
    fn read(row: &Row) -> Result<Self, Error> {
        let known: Option<bool> = row.try_get("known")?;
        let age_seconds: Option<f64> = row.try_get("age_seconds")?;
        Ok(Self {
            queue: row.try_get("queue")?,
            state: row.try_get("state")?,
            kind: row.try_get("kind")?,
            known: known.unwrap_or(true),
            tasks: row.try_get("tasks")?,
            age_seconds: age_seconds.unwrap_or(0.0),
        })
    }

    fn is_due(&self) -> bool {
        self.kind.is_some()
    }
}

impl QueueStats {
    fn add(&mut self, group: &Group, counted_max: i64) {
        let count = match group.state.as_str() {
            "READY" => &mut self.ready,
            "RUNNING" => &mut self.running,
            "DELAYED" => &mut self.delayed,
            "WAITING" => &mut self.waiting,
            _ => &mut self.dead_letters,
        };
        count.number = (count.number + group.tasks).min(counted_max);
        if group.state == "READY" && group.known {
            self.oldest_age_seconds = self.oldest_age_seconds.max(group.age_seconds);
        }
    }
}

/// Marks counts that stopped at the limit; answers which queues have more due tasks than were counted.
fn mark_limits(queues: &mut BTreeMap<String, QueueStats>, groups: &[Group], counted_max: i64) -> Vec<String> {
    let more = |counts: &dyn Fn(&Group) -> bool| {
        let counted: i64 = groups.iter().filter(|group| counts(group)).map(|group| group.tasks).sum();
        counted > counted_max
    };
    let reached = |state: &str| more(&|group| group.state == state);
    let (delayed, waiting, buried) = (reached("DELAYED"), reached("WAITING"), reached("BURIED"));
    let mut long = Vec::new();
    for (name, queue) in queues {
        queue.delayed.at_least = delayed;
        queue.waiting.at_least = waiting;
        queue.dead_letters.at_least = buried;
        if more(&|group| group.is_due() && group.queue == *name) {
            (queue.ready.at_least, queue.running.at_least) = (true, true);
            long.push(name.clone());
        }
    }
    long
}

/// Adds up what nobody knows, over the queues.
fn unknown_kinds(groups: &[Group]) -> Vec<UnknownKind> {
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    for group in groups.iter().filter(|group| group.is_due() && !group.known) {
        *sums.entry(group.kind.as_deref().unwrap_or("")).or_default() += group.tasks;
    }
    let mut unknown: Vec<_> =
        sums.into_iter().map(|(kind, tasks)| UnknownKind { kind: kind.to_owned(), tasks }).collect();
    unknown.sort_by(|left, right| right.tasks.cmp(&left.tasks).then_with(|| left.kind.cmp(&right.kind)));
    unknown
}

fn read_queue(row: &Row) -> Result<QueueStats, Error> {
    let period_ms: i64 = row.try_get("rate_period_ms")?;
    Ok(QueueStats {
        name: row.try_get("name")?,
        paused: row.try_get("paused")?,
        limits: Limits {
            running_max: row.try_get("running_max")?,
            rate_max: row.try_get("rate_max")?,
            rate_period: Duration::from_millis(period_ms.unsigned_abs()),
            tenant_running_max: row.try_get("tenant_running_max")?,
            tenant_rate_max: row.try_get("tenant_rate_max")?,
        },
        ready: Count::default(),
        delayed: Count::default(),
        waiting: Count::default(),
        running: Count::default(),
        oldest_age_seconds: 0.0,
        dead_letters: Count::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_exact_when_all_of_it_is() {
        let sum: Count = [Count::exactly(2), Count::exactly(3)].into_iter().sum();
        assert_eq!((sum, sum.to_string()), (Count::exactly(5), "5".to_owned()));
        let sum: Count = [Count::exactly(2), Count { number: 3, at_least: true }].into_iter().sum();
        assert_eq!(sum.to_string(), "5+");
    }
}
