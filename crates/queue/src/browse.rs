//! Looking at tasks, live and finished, and at what else the tables hold; for pages and the command line.

mod detail;
mod finished;
mod live;
mod register;

pub use detail::{Attempt, Relative, TaskDetail, task};
pub use finished::{FinishedTask, HistoryFilter, history};
pub use live::{LiveTask, TaskFilter, TaskState, tasks};
pub use register::{KindEntry, ScheduleEntry, WorkerEntry, kinds, schedules, workers};
