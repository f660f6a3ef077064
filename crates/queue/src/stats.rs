//! Looking at the queues.

use serde::Serialize;
use tokio_postgres::GenericClient;

use crate::Error;

const QUEUES: &str = "-- queue::stats::queues
select task_queue.name, task_queue.paused,
       coalesce(live.ready, 0) as ready, coalesce(live.delayed, 0) as delayed,
       coalesce(live.waiting, 0) as waiting, coalesce(live.running, 0) as running,
       coalesce(extract(epoch from now() - live.oldest), 0)::float8 as oldest_age_seconds,
       coalesce(dead.letters, 0) as dead_letters
  from task_queue
  left join (
       select queue,
              count(*) filter (where state = 'READY') as ready,
              count(*) filter (where state = 'DELAYED') as delayed,
              count(*) filter (where state = 'WAITING') as waiting,
              count(*) filter (where state = 'RUNNING') as running,
              min(run_at) filter (where state = 'READY' and kind in (select name from task_kind)) as oldest
         from task
        group by queue
       ) as live on live.queue = task_queue.name
  left join (select queue, count(*) as letters from task_dead_letter group by queue) as dead
         on dead.queue = task_queue.name
 order by task_queue.name";

const UNKNOWN_KINDS: &str = "-- queue::stats::unknown_kinds
select task.kind, count(*) as tasks
  from task
 where not exists (select from task_kind where task_kind.name = task.kind)
 group by task.kind
 order by count(*) desc, task.kind
 limit 100";

const WORKERS: &str = "-- queue::stats::workers
select count(*) as alive, max(heartbeat_at) as heartbeat_at
  from task_worker
 where heartbeat_at > now() - interval '1 minute'";

/// Shows the state of all queues at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stats {
    /// Every queue, by name.
    pub queues: Vec<QueueStats>,
    /// Live tasks whose kind no worker has ever registered: they stay until one does.
    pub unknown_kinds: Vec<UnknownKind>,
    /// Workers that reported within the last minute.
    pub workers_alive: i64,
    /// The latest report of any of them.
    pub heartbeat_at: Option<jiff::Timestamp>,
}

impl Stats {
    /// Counts the tasks given up and not yet looked at, over all queues.
    pub fn dead_letters(&self) -> i64 {
        self.queues.iter().map(|queue| queue.dead_letters).sum()
    }
}

/// Shows one queue.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QueueStats {
    /// Its name.
    pub name: String,
    /// Whether it is paused.
    pub paused: bool,
    /// Tasks that could start at once.
    pub ready: i64,
    /// Tasks whose time has not come.
    pub delayed: i64,
    /// Tasks that wait for other tasks.
    pub waiting: i64,
    /// Tasks claimed by a worker.
    pub running: i64,
    /// How long the oldest ready task of a registered kind has been ready; 0 without one.
    pub oldest_age_seconds: f64,
    /// Tasks given up and not yet looked at.
    pub dead_letters: i64,
}

/// Counts live tasks of one kind without a handler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnknownKind {
    /// The kind as enqueued.
    pub kind: String,
    /// How many wait.
    pub tasks: i64,
}

/// Measures all queues; it counts every live task, so ask every few seconds, not for every request.
///
/// # Errors
/// [`Error::Postgres`].
pub async fn stats<C>(client: &C) -> Result<Stats, Error>
where
    C: GenericClient + Sync,
{
    let mut queues = Vec::new();
    for row in client.query_typed(QUEUES, &[]).await? {
        queues.push(QueueStats {
            name: row.try_get("name")?,
            paused: row.try_get("paused")?,
            ready: row.try_get("ready")?,
            delayed: row.try_get("delayed")?,
            waiting: row.try_get("waiting")?,
            running: row.try_get("running")?,
            oldest_age_seconds: row.try_get("oldest_age_seconds")?,
            dead_letters: row.try_get("dead_letters")?,
        });
    }
    let mut unknown_kinds = Vec::new();
    for row in client.query_typed(UNKNOWN_KINDS, &[]).await? {
        unknown_kinds.push(UnknownKind { kind: row.try_get("kind")?, tasks: row.try_get("tasks")? });
    }
    let workers = client.query_typed_one(WORKERS, &[]).await?;
    Ok(Stats {
        queues,
        unknown_kinds,
        workers_alive: workers.try_get("alive")?,
        heartbeat_at: workers.try_get("heartbeat_at")?,
    })
}
