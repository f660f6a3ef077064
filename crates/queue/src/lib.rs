#![doc = include_str!("../README.md")]

mod attempt;
mod claim;
mod control;
mod dead_letter;
mod driver;
mod engine;
mod enqueue;
mod error;
mod job;
mod kind;
mod lane;
mod lease;
mod listen;
mod new_task;
mod promote;
mod register;
mod report;
mod schedule;
mod settings;
mod settle;
mod stats;
mod telemetry;
mod tick;
mod worker;

pub use control::{ensure_partitions, pause, resume};
pub use dead_letter::{
    DEAD_LETTERS_PER_PAGE_MAX, DeadLetter, dead_letters, discard_dead_letter, expire_dead_letters,
    retry_dead_letter,
};
pub use engine::{Builder, Engine};
pub use enqueue::{TASKS_PER_CALL_MAX, enqueue};
pub use error::Error;
pub use job::{Failure, Job};
pub use kind::Kind;
pub use new_task::NewTask;
pub use schedule::Schedule;
pub use settings::EngineSettings;
pub use stats::{QueueStats, Stats, UnknownKind, stats};

/// The channel on which enqueuing wakes the engines.
pub const CHANNEL: &str = "queue_ready";

/// Creates the queue's tables in a database that holds nothing else of the product; run it once, as their owner.
pub const SCHEMA: &str =
    concat!(include_str!("../sql/prelude.sql"), include_str!("../../../migrations/V0003__task_queue.sql"));
