//! Schedules, workers and kinds.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::GenericClient;
use uuid::Uuid;

use crate::Error;

// What no engine has watched for a while does not tick, whatever was foreseen.
const SCHEDULES: &str = "-- queue::browse::schedules
select name, cron, time_zone, kind, queue, args, tenant, catch_up, paused, last_tick,
       case when seen_at > clock_timestamp() - interval '15 minutes' then next_tick end as next_tick
  from task_schedule
 order by name
 limit 1000";

const WORKERS: &str = "-- queue::browse::workers
select id, name, state, draining, queues, running, buffered, started_at, heartbeat_at,
       extract(epoch from clock_timestamp() - heartbeat_at)::float8 as silent_seconds
  from task_worker
 order by name, started_at, id
 limit 1000";

const KINDS: &str = "-- queue::browse::kinds
select name, queue, description, attempts_max, timeout_ms, backoff_base_ms, backoff_max_ms, uniqueness, result_ms,
       registered_at
  from task_kind
 order by name
 limit 1000";

/// Shows a schedule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScheduleEntry {
    /// Its name.
    pub name: String,
    /// When it ticks.
    pub cron: String,
    /// In which time zone that is meant.
    pub time_zone: String,
    /// The kind it enqueues.
    pub kind: String,
    /// Into which queue.
    pub queue: String,
    /// With which arguments.
    pub args: Value,
    /// For whom.
    pub tenant: Option<Uuid>,
    /// What becomes of ticks that were missed: `NONE`, `LATEST` or `ALL`.
    pub catch_up: String,
    /// Whether its ticks are left out.
    pub paused: bool,
    /// When it last ticked, or was registered.
    pub last_tick: Timestamp,
    /// When it ticks next; none when it never does again, has not ticked yet, or no engine has known it for a quarter of an
    /// hour: it was removed, or all of them stand still.
    pub next_tick: Option<Timestamp>,
}

/// Shows a worker.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkerEntry {
    /// Its id, new at every start.
    pub id: Uuid,
    /// Its name, for people.
    pub name: String,
    /// `WORKING` or `DRAINING`.
    pub state: String,
    /// Whether somebody asked it to claim no more.
    pub draining: bool,
    /// The queues it serves.
    pub queues: Vec<String>,
    /// Tasks it runs.
    pub running: i32,
    /// Tasks it has claimed ahead.
    pub buffered: i32,
    /// When it started.
    pub started_at: Timestamp,
    /// When it last reported.
    pub heartbeat_at: Timestamp,
    /// How long ago that was by the database's clock.
    pub silent_seconds: f64,
}

/// Shows a kind as workers registered it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KindEntry {
    /// Its name.
    pub name: String,
    /// Its usual queue.
    pub queue: String,
    /// What it is for.
    pub description: Option<String>,
    /// How often it is tried.
    pub attempts_max: i32,
    /// How long an attempt may take.
    pub timeout_ms: i64,
    /// The first pause between attempts.
    pub backoff_base_ms: i64,
    /// The longest pause between attempts.
    pub backoff_max_ms: i64,
    /// `KEY` or `ARGS`.
    pub uniqueness: String,
    /// How long what the handler answers is kept; none keeps nothing.
    pub result_ms: Option<i64>,
    /// When a worker last registered it.
    pub registered_at: Timestamp,
}

/// Reads all schedules, by name.
///
/// # Errors
/// [`Error::Postgres`].
pub async fn schedules<C>(client: &C) -> Result<Vec<ScheduleEntry>, Error>
where
    C: GenericClient + Sync,
{
    let rows = client.query_typed(SCHEDULES, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(ScheduleEntry {
                name: row.try_get("name")?,
                cron: row.try_get("cron")?,
                time_zone: row.try_get("time_zone")?,
                kind: row.try_get("kind")?,
                queue: row.try_get("queue")?,
                args: row.try_get("args")?,
                tenant: row.try_get("tenant")?,
                catch_up: row.try_get("catch_up")?,
                paused: row.try_get("paused")?,
                last_tick: row.try_get("last_tick")?,
                next_tick: row.try_get("next_tick")?,
            })
        })
        .collect()
}

/// Reads all workers that are listed, by name.
///
/// # Errors
/// [`Error::Postgres`].
pub async fn workers<C>(client: &C) -> Result<Vec<WorkerEntry>, Error>
where
    C: GenericClient + Sync,
{
    let rows = client.query_typed(WORKERS, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(WorkerEntry {
                id: row.try_get("id")?,
                name: row.try_get("name")?,
                state: row.try_get("state")?,
                draining: row.try_get("draining")?,
                queues: row.try_get("queues")?,
                running: row.try_get("running")?,
                buffered: row.try_get("buffered")?,
                started_at: row.try_get("started_at")?,
                heartbeat_at: row.try_get("heartbeat_at")?,
                silent_seconds: row.try_get("silent_seconds")?,
            })
        })
        .collect()
}

/// Reads all kinds that workers registered, by name.
///
/// # Errors
/// [`Error::Postgres`].
pub async fn kinds<C>(client: &C) -> Result<Vec<KindEntry>, Error>
where
    C: GenericClient + Sync,
{
    let rows = client.query_typed(KINDS, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(KindEntry {
                name: row.try_get("name")?,
                queue: row.try_get("queue")?,
                description: row.try_get("description")?,
                attempts_max: row.try_get("attempts_max")?,
                timeout_ms: row.try_get("timeout_ms")?,
                backoff_base_ms: row.try_get("backoff_base_ms")?,
                backoff_max_ms: row.try_get("backoff_max_ms")?,
                uniqueness: row.try_get("uniqueness")?,
                result_ms: row.try_get("result_ms")?,
                registered_at: row.try_get("registered_at")?,
            })
        })
        .collect()
}
