//! The task queue, as operators of the installation see it.

use domain::{ClientId, CorrelationId, TaskId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::schema;

/// Query of `GET /api/v1/operate/tasks` and of the lists of tasks under `/operate/tasks`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct TaskQuery {
    /// Only this queue; an empty text means any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Only this kind; an empty text means any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Only this state, or this outcome where finished tasks are listed; an empty text means any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Only tasks for this client; an empty text means any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Cursor from the previous page's `next`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Rows per page, 1 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u16>,
}

/// The client a task works for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaskTenant {
    /// Its id.
    #[schema(schema_with = schema::id)]
    pub id: ClientId,
    /// Its code; absent when it does not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Its name; absent when it does not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A count of tasks. Of very many, counting stops at a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaskCount {
    /// So many were seen.
    pub number: i64,
    /// Whether there may be more.
    pub at_least: bool,
}

/// One queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaskQueue {
    /// Its name.
    pub name: String,
    /// Whether nothing is started from it.
    pub paused: bool,
    /// Tasks that could start at once.
    pub ready: TaskCount,
    /// Tasks whose time has not come.
    pub delayed: TaskCount,
    /// Tasks that wait for other tasks.
    pub waiting: TaskCount,
    /// Tasks claimed by a worker.
    pub running: TaskCount,
    /// Seconds for which the oldest ready task has been ready; 0 without one.
    pub oldest_age_seconds: f64,
    /// Tasks given up and not yet settled by anybody.
    pub dead_letters: TaskCount,
    /// Running at once over all workers; absent is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_max: Option<i32>,
    /// Started in each period over all workers; absent is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_max: Option<i32>,
    /// The period, in seconds.
    pub rate_period_seconds: f64,
    /// Running at once for each client; absent is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_running_max: Option<i32>,
    /// Started in each period for each client; absent is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_rate_max: Option<i32>,
}

/// One worker process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaskWorker {
    /// Its name: host and process.
    pub name: String,
    /// Whether it takes no more tasks, or was asked not to.
    pub draining: bool,
    /// The queues it takes tasks from.
    pub queues: Vec<String>,
    /// Tasks it runs.
    pub running: i32,
    /// Tasks it has claimed and not begun.
    pub buffered: i32,
    /// When it started.
    #[schema(schema_with = schema::moment)]
    pub started_at: Timestamp,
    /// When it last said that it lives.
    #[schema(schema_with = schema::moment)]
    pub heartbeat_at: Timestamp,
    /// How long ago that was, by the database's clock.
    pub silent_seconds: f64,
}

/// Live tasks of a kind that no worker has ever known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnknownTaskKind {
    /// The kind.
    pub kind: String,
    /// How many wait.
    pub tasks: i64,
}

/// Every queue and every worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaskOverview {
    /// The queues, by name.
    pub queues: Vec<TaskQueue>,
    /// The workers.
    pub workers: Vec<TaskWorker>,
    /// Kinds without a worker.
    pub unknown_kinds: Vec<UnknownTaskKind>,
}

/// How far a running task is, as it says itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaskProgress {
    /// Parts done.
    pub done: u32,
    /// Parts altogether; 0 when nobody knows.
    pub total: u32,
    /// In words.
    #[serde(default)]
    pub note: String,
}

/// One row of a list of tasks, live or finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaskRow {
    /// Its id.
    #[schema(schema_with = schema::id)]
    pub id: TaskId,
    /// Its kind.
    pub kind: String,
    /// Its queue.
    pub queue: String,
    /// `WAITING`, `DELAYED`, `READY` or `RUNNING` while it lives; `SUCCEEDED`, `BURIED` or `CANCELLED` afterwards.
    pub state: String,
    /// Whom it works for; absent when it works for nobody in particular.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TaskTenant>,
    /// Attempts begun.
    pub attempts: i32,
    /// Attempts it may have; absent when its kind says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts_max: Option<i32>,
    /// When it was enqueued.
    #[schema(schema_with = schema::moment)]
    pub created_at: Timestamp,
    /// When it is or was due.
    #[schema(schema_with = schema::moment)]
    pub run_at: Timestamp,
    /// When the last attempt began, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::moment, required = false)]
    pub started_at: Option<Timestamp>,
    /// When it ended; absent while it lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::moment, required = false)]
    pub finished_at: Option<Timestamp>,
    /// Since when it is asked to stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::moment, required = false)]
    pub cancelled_at: Option<Timestamp>,
    /// How far it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<TaskProgress>,
}

/// One task that was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaskDeadLetter {
    /// The task's id, kept when it is retried.
    #[schema(schema_with = schema::id)]
    pub id: TaskId,
    /// Its kind.
    pub kind: String,
    /// Its queue.
    pub queue: String,
    /// `EXHAUSTED`, `PERMANENT` or `CRASHED`.
    pub reason: String,
    /// The last error with its causes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Attempts made.
    pub attempts: i32,
    /// Whom it worked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TaskTenant>,
    /// When it was enqueued.
    #[schema(schema_with = schema::moment)]
    pub created_at: Timestamp,
    /// When it was given up.
    #[schema(schema_with = schema::moment)]
    pub buried_at: Timestamp,
}

/// One attempt at a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaskAttempt {
    /// Its number, from 1.
    pub number: i32,
    /// The worker: its name while it is known, else its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// When it began; absent after a crash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::moment, required = false)]
    pub started_at: Option<Timestamp>,
    /// When it ended; absent while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::moment, required = false)]
    pub finished_at: Option<Timestamp>,
    /// How it ended, such as `FAILED`; `RUNNING` while it has not.
    pub outcome: String,
    /// The error with its causes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A task that another one waits for or is waited for by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaskLink {
    /// Its id.
    #[schema(schema_with = schema::id)]
    pub id: TaskId,
    /// Its kind; absent when nothing is known of it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Its state or outcome; absent when nothing is known of it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

/// What somebody did by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaskAction {
    /// When.
    #[schema(schema_with = schema::moment)]
    pub at: Timestamp,
    /// Who: `person:<id> <name>`, or the tool that was used.
    pub actor: String,
    /// What, such as `CANCELLED`.
    pub action: String,
    /// To which task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::id, required = false)]
    pub task_id: Option<TaskId>,
    /// To which queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// What else there is to know.
    #[schema(value_type = Object)]
    pub detail: Value,
}

/// One task with everything that is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Task {
    /// What every list shows of it.
    #[serde(flatten)]
    pub row: TaskRow,
    /// How often its worker died of it or fell silent.
    pub crashes: i32,
    /// Its priority; the lowest number first.
    pub priority: i16,
    /// Why it was given up, while somebody has yet to settle that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<TaskDeadLetter>,
    /// Its arguments.
    #[schema(value_type = Object)]
    pub args: Value,
    /// What it answered, while that is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub result: Option<Value>,
    /// Keeps others like it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_key: Option<String>,
    /// Links request, task and mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::id, required = false)]
    pub correlation_id: Option<CorrelationId>,
    /// Who or what enqueued it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// Every attempt, the first first.
    pub tries: Vec<TaskAttempt>,
    /// Tasks it waits or waited for.
    pub parents: Vec<TaskLink>,
    /// Tasks that wait for it.
    pub children: Vec<TaskLink>,
    /// What people did to it, the first first.
    pub actions: Vec<TaskAction>,
}

/// One schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaskSchedule {
    /// Its name.
    pub name: String,
    /// When, as a cron expression.
    pub cron: String,
    /// The IANA time zone of that.
    pub time_zone: String,
    /// The kind of task it enqueues.
    pub kind: String,
    /// Into which queue.
    pub queue: String,
    /// Whether it rests.
    pub paused: bool,
    /// What becomes of ticks nobody was there for: `NONE`, `LATEST` or `ALL`.
    pub catch_up: String,
    /// When it last enqueued.
    #[schema(schema_with = schema::moment)]
    pub last_tick: Timestamp,
    /// When it enqueues next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::moment, required = false)]
    pub next_tick: Option<Timestamp>,
}
