//! Steering by hand. Every action that has an effect is written to `task_action` by the statement that has it.

mod queue;
mod schedule;
mod task;

pub use queue::{Limits, drain_worker, ensure_partitions, limit, pause, resume};
pub use schedule::{pause_schedule, resume_schedule, tick_schedule};
pub use task::{Cancel, cancel, retry_now};
