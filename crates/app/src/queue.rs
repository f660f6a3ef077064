//! Seeing and steering the task queue of the whole installation, for operators.
//!
//! The queue knows no tenants, so an operator sees the tasks of all. What somebody does stands twice, and both times in the
//! transaction of its effect: in the queue's own list of actions, and in the audit trail of the operator's client. Where the
//! task works for another client, that one's trail has a line of its own.

pub mod by_hand;
mod filter;
mod read;
mod steer;
mod trail;

pub use filter::{Narrowing, NarrowingText, PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX, Place};
pub use read::{
    Choices, Known, Listed, Overview, Tenants, actions, choices, dead_letters, finished_tasks, live_tasks,
    overview, schedules, task,
};
pub use steer::{
    cancel_task, discard_dead_letter, pause_queue, pause_schedule, resume_queue, resume_schedule,
    retry_dead_letter, run_task_now, tick_schedule,
};

pub use queue::{
    Action, Attempt, Count, DeadLetter, FinishedTask, LiveTask, Page, QueueStats, Relative, ScheduleEntry,
    Stats, TaskDetail, WorkerEntry,
};
