//! Arguments of `youtility tasks`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};
use uuid::Uuid;

use super::Place;

/// Where the queue is.
#[derive(Args)]
pub(crate) struct QueuePlace {
    /// The running system's home.
    #[command(flatten)]
    pub(crate) place: Place,
    /// Settings files with a `database` section, for a database that `up` does not run; the environment wins.
    #[arg(long)]
    pub(crate) config: Vec<PathBuf>,
}

/// Where the queue is, and how the answer is written.
#[derive(Args)]
pub(crate) struct ReadOptions {
    /// Where the queue is.
    #[command(flatten)]
    pub(crate) place: QueuePlace,
    /// Writes JSON, for machines.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Commands on background tasks and their queues.
#[derive(Subcommand)]
pub(crate) enum TasksCommand {
    /// Lists tasks: live ones, or finished ones of an outcome.
    List(ListOptions),
    /// Shows everything about one task: arguments, attempts, errors, relatives, who did what.
    Show(OneReadOptions),
    /// Runs a task again that was given up, or at once when it waits for its time.
    Retry(OneOptions),
    /// Cancels a task: at once when it has not begun, through its worker when it runs.
    Cancel(OneOptions),
    /// Drops a dead letter.
    Discard(OneOptions),
    /// Lists dead letters, tasks that failed for good, the latest first.
    DeadLetters(DeadLetterOptions),
    /// Lists the queues with what they hold and their limits.
    Queues(ReadOptions),
    /// Lists the workers with what they do.
    Workers(ReadOptions),
    /// Lists what comes by the clock, with the next time.
    Schedules(ReadOptions),
    /// Lists what was done by hand, the latest first.
    Actions(ActionOptions),
    /// Stops a queue: nothing more is claimed from it, what runs goes on.
    Pause(QueueOptions),
    /// Lets a paused queue go on.
    Resume(QueueOptions),
    /// Changes a queue's limits; those not named stay.
    Limit(LimitOptions),
    /// Pauses a queue and waits until nothing of it runs.
    Drain(DrainOptions),
    /// Asks a worker to finish what it has and claim no more.
    DrainWorker(OneOptions),
    /// Enqueues a schedule's task at once.
    Tick(ScheduleOptions),
    /// Leaves a schedule's ticks out.
    PauseSchedule(ScheduleOptions),
    /// Lets a paused schedule tick again.
    ResumeSchedule(ScheduleOptions),
}

/// Options of `tasks list`.
#[derive(Args)]
pub(crate) struct ListOptions {
    /// Only of this queue.
    #[arg(long)]
    pub(crate) queue: Option<String>,
    /// Only of this kind.
    #[arg(long)]
    pub(crate) kind: Option<String>,
    /// Only in this state: waiting, delayed, ready, running; or with this outcome: succeeded, buried, cancelled.
    #[arg(long)]
    pub(crate) state: Option<Standing>,
    /// Only for this tenant.
    #[arg(long)]
    pub(crate) tenant: Option<Uuid>,
    /// So many at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=queue::ROWS_PER_PAGE_MAX))]
    pub(crate) limit: i64,
    /// Goes on where the page before ended.
    #[arg(long)]
    pub(crate) after: Option<queue::Cursor>,
    /// Where, and how it is written.
    #[command(flatten)]
    pub(crate) read: ReadOptions,
}

/// Options of `tasks dead-letters`.
#[derive(Args)]
pub(crate) struct DeadLetterOptions {
    /// Only of this queue.
    #[arg(long)]
    pub(crate) queue: Option<String>,
    /// Only of this kind.
    #[arg(long)]
    pub(crate) kind: Option<String>,
    /// So many at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=queue::ROWS_PER_PAGE_MAX))]
    pub(crate) limit: i64,
    /// Goes on where the page before ended.
    #[arg(long)]
    pub(crate) after: Option<queue::Cursor>,
    /// Where, and how it is written.
    #[command(flatten)]
    pub(crate) read: ReadOptions,
}

/// Options of `tasks actions`.
#[derive(Args)]
pub(crate) struct ActionOptions {
    /// So many at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=queue::ROWS_PER_PAGE_MAX))]
    pub(crate) limit: i64,
    /// Goes on where the page before ended.
    #[arg(long)]
    pub(crate) after: Option<queue::Cursor>,
    /// Where, and how it is written.
    #[command(flatten)]
    pub(crate) read: ReadOptions,
}

/// One task, or one worker, to be changed.
#[derive(Args)]
pub(crate) struct OneOptions {
    /// Its id.
    pub(crate) id: Uuid,
    /// Where the queue is.
    #[command(flatten)]
    pub(crate) place: QueuePlace,
}

/// One task to be shown.
#[derive(Args)]
pub(crate) struct OneReadOptions {
    /// Its id.
    pub(crate) id: Uuid,
    /// Where, and how it is written.
    #[command(flatten)]
    pub(crate) read: ReadOptions,
}

/// One queue to be changed.
#[derive(Args)]
pub(crate) struct QueueOptions {
    /// Its name.
    pub(crate) queue: String,
    /// Where the queue is.
    #[command(flatten)]
    pub(crate) place: QueuePlace,
}

/// One schedule to be changed.
#[derive(Args)]
pub(crate) struct ScheduleOptions {
    /// Its name.
    pub(crate) schedule: String,
    /// Where the queue is.
    #[command(flatten)]
    pub(crate) place: QueuePlace,
}

/// Options of `tasks limit`.
#[derive(Args)]
pub(crate) struct LimitOptions {
    /// The queue's name.
    pub(crate) queue: String,
    /// Tasks running at once over all workers; `none` lifts the limit.
    #[arg(long)]
    pub(crate) running_max: Option<LimitTo>,
    /// Tasks started in each period over all workers, or `none`.
    #[arg(long)]
    pub(crate) rate: Option<LimitTo>,
    /// The period of both rates, in milliseconds.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) rate_period_ms: Option<u64>,
    /// Tasks of one tenant running at once, or `none`.
    #[arg(long)]
    pub(crate) tenant_running_max: Option<LimitTo>,
    /// Tasks of one tenant started in each period, or `none`.
    #[arg(long)]
    pub(crate) tenant_rate: Option<LimitTo>,
    /// Where the queue is.
    #[command(flatten)]
    pub(crate) place: QueuePlace,
}

/// Options of `tasks drain`.
#[derive(Args)]
pub(crate) struct DrainOptions {
    /// The queue's name.
    pub(crate) queue: String,
    /// Seconds to wait at most.
    #[arg(long, default_value_t = 60)]
    pub(crate) timeout: u64,
    /// Where the queue is.
    #[command(flatten)]
    pub(crate) place: QueuePlace,
}

/// A new limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LimitTo(pub(crate) Option<i32>);

impl FromStr for LimitTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("none") {
            return Ok(Self(None));
        }
        match text.parse() {
            Ok(number) if number > 0 => Ok(Self(Some(number))),
            _ => Err("write a number from 1, or `none`; to stop a queue, pause it".to_owned()),
        }
    }
}

/// Where the tasks of a list stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Alive.
    Live(queue::TaskState),
    /// Finished.
    Finished(&'static str),
}

impl FromStr for Standing {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(state) = text.parse() {
            return Ok(Self::Live(state));
        }
        ["SUCCEEDED", "BURIED", "CANCELLED"]
            .into_iter()
            .find(|outcome| outcome.eq_ignore_ascii_case(text))
            .map(Self::Finished)
            .ok_or_else(|| {
                "use waiting, delayed, ready or running; or succeeded, buried or cancelled".to_owned()
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_from_one_or_none() {
        assert_eq!("7".parse(), Ok(LimitTo(Some(7))));
        assert_eq!("None".parse(), Ok(LimitTo(None)));
        for wrong in ["0", "-1", "many", ""] {
            assert!(wrong.parse::<LimitTo>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn states_and_outcomes_are_told_apart() {
        assert_eq!("ready".parse(), Ok(Standing::Live(queue::TaskState::Ready)));
        assert_eq!("Buried".parse(), Ok(Standing::Finished("BURIED")));
        assert!("done".parse::<Standing>().is_err());
    }
}
