#![doc = include_str!("../README.md")]

#[cfg(test)]
extern crate self as queue;

mod action;
mod attempt;
mod browse;
mod claim;
mod columns;
mod complete;
mod control;
mod dead_letter;
mod driver;
mod engine;
mod enqueue;
mod error;
mod job;
mod keys;
mod kind;
mod lane;
mod lease;
mod limit;
mod listen;
mod new_task;
mod page;
mod progress;
mod promote;
mod register;
mod report;
mod result;
mod round;
mod schedule;
mod settings;
mod settle;
#[cfg(test)]
mod simulation;
mod stats;
mod status;
mod task_type;
mod telemetry;
mod tick;
mod upkeep;
mod worker;
mod workflow;

pub use action::{Action, actions};
pub use browse::{
    Attempt, FinishedTask, HistoryFilter, KindEntry, LiveTask, Relative, ScheduleEntry, TaskDetail,
    TaskFilter, TaskState, WorkerEntry, history, kinds, schedules, task, tasks, workers,
};
pub use control::{
    Cancel, Limits, cancel, drain_worker, ensure_partitions, limit, pause, pause_schedule, resume,
    resume_schedule, retry_now, tick_schedule,
};
pub use dead_letter::{
    DeadLetter, DeadLetterFilter, dead_letters, discard_dead_letter, expire_dead_letters, retry_dead_letter,
};
pub use engine::{Builder, Engine};
pub use enqueue::{Enqueued, TASKS_PER_CALL_MAX, enqueue};
pub use error::Error;
pub use job::{Failure, Job};
pub use keys::{KEY_CHARS_MAX, expire_keys};
pub use kind::Kind;
pub use new_task::NewTask;
pub use page::{Cursor, Page, ROWS_PER_PAGE_MAX};
pub use progress::Progress;
pub use register::declare;
pub use result::{RESULT_BYTES_MAX, result};
pub use schedule::{CatchUp, Schedule, check_cron};
pub use settings::EngineSettings;
pub use stats::{COUNTED_MAX, Count, QueueStats, Stats, UnknownKind, stats, stats_up_to};
pub use status::{State, Status, status};
pub use task_type::TaskType;
pub use upkeep::{DeadLetterCount, count_dead_letters, expire_actions, forget_tenants, release_forgotten};
pub use worker::Adopt;
pub use workflow::{PARENTS_MAX, WAITS_PER_CALL_MAX, Workflow, enqueue_workflow};

/// The channel on which enqueuing wakes the engines.
pub const CHANNEL: &str = "queue_ready";

/// The channel on which running tasks are cancelled, by their ids.
pub(crate) const CANCEL_CHANNEL: &str = "queue_cancel";

/// The channel on which changed limits are announced.
pub(crate) const LIMITS_CHANNEL: &str = "queue_limits";

/// Creates the queue's tables in a database that holds nothing else of the product; run it once, as their owner.
pub const SCHEMA: &str = concat!(
    include_str!("../sql/prelude.sql"),
    include_str!("../../../migrations/V0003__task_queue.sql"),
    include_str!("../../../migrations/V0006__task_queue_depth.sql"),
);
