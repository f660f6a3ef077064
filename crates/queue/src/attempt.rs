//! One attempt at one task: run the handler within its limits, judge how it ended, say so once.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use jiff::Timestamp;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;

use crate::claim::Claimed;
use crate::job::{Next, Settled};
use crate::worker::Worker;
use crate::{Failure, Job, telemetry};

/// How an attempt ended, and what becomes of the task.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) id: Uuid,
    pub(crate) attempt: i32,
    pub(crate) outcome: Outcome,
    pub(crate) fate: Fate,
    pub(crate) error: Option<String>,
    /// What the handler answered, and how long it is kept.
    pub(crate) result: Option<(Value, Duration)>,
    pub(crate) started_at: Timestamp,
    pub(crate) finished_at: Timestamp,
}

/// What the handler did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Succeeded,
    Failed,
    TimedOut,
    Panicked,
    Snoozed,
    Cancelled,
}

/// What becomes of the task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Done,
    /// Again after a random part of this.
    Retry(Duration),
    /// Again after exactly this, without counting the attempt.
    Snooze(Duration),
    Exhausted,
    Permanent,
    Cancelled,
}

/// Stops an attempt from outside.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop {
    pub(crate) token: CancellationToken,
    cancelled: Arc<AtomicBool>,
}

impl Stop {
    /// Ends the attempt without a verdict: the task is another's to judge.
    pub(crate) fn cut(&self) {
        self.token.cancel();
    }

    /// Ends the attempt and its task: somebody does not want it done any more.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        self.token.cancel();
    }

    /// Whether somebody does not want the task done any more.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }
}

impl Outcome {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED_OUT",
            Self::Panicked => "PANICKED",
            Self::Snoozed => "SNOOZED",
            Self::Cancelled => "CANCELLED",
        }
    }
}

impl Fate {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Done => "DONE",
            Self::Retry(_) => "RETRY",
            Self::Snooze(_) => "SNOOZE",
            Self::Exhausted => "EXHAUSTED",
            Self::Permanent => "PERMANENT",
            Self::Cancelled => "CANCELLED",
        }
    }

    pub(crate) fn pause(self) -> Duration {
        match self {
            Self::Retry(pause) | Self::Snooze(pause) => pause,
            Self::Done | Self::Exhausted | Self::Permanent | Self::Cancelled => Duration::ZERO,
        }
    }
}

/// How an attempt is over for the driver.
#[derive(Debug)]
pub(crate) enum Over {
    /// The verdict is to be written.
    Judged(Verdict),
    /// The handler has written the end of its task itself.
    Settled,
    /// Stopped before its end, without a verdict; when it had begun.
    Cut(Timestamp),
}

/// Runs an attempt, and judges also a panic that comes from outside of the handler's future: from its being dropped, or from
/// the words of its error.
pub(crate) async fn run_safely(task: Claimed, worker: Arc<Worker>, stop: Stop) -> Over {
    let (id, attempt, started_at, moment, fate) =
        (task.id, task.attempt, task.moment.now(), task.moment, again(&task));
    let chars_max = worker.settings.error_chars_max;
    match AssertUnwindSafe(run(task, worker, stop)).catch_unwind().await {
        Ok(over) => over,
        Err(panic) => {
            let error = Some(panic_text(&*panic, chars_max));
            tracing::error!(task.id = %id, error.chain = error, "an attempt panicked outside of its handler");
            let (outcome, finished_at) = (Outcome::Panicked, moment.now());
            Over::Judged(Verdict { id, attempt, outcome, fate, error, result: None, started_at, finished_at })
        }
    }
}

/// Runs the handler to its end, unless it is stopped before.
async fn run(mut task: Claimed, worker: Arc<Worker>, stop: Stop) -> Over {
    let (begun, started_at) = (Instant::now(), task.moment.now());
    telemetry::waited(&task);
    let guard = stop.token.clone().drop_guard();
    let (ended, settled) = if task.cancelled || stop.is_cancelled() {
        (Ended::Cancelled, Settled::default())
    } else {
        let job = Job::begin(&mut task, &worker, stop.token.clone());
        let settled = job.settled.clone();
        let ended = tokio::select! {
            biased;
            () = stop.token.cancelled() => Ended::stopped(&stop),
            ended = call(&task, job, &worker) => Some(ended),
        };
        let Some(ended) = ended else { return Over::Cut(started_at) };
        (ended, settled)
    };
    if !matches!(ended, Ended::TimedOut) {
        guard.disarm();
    }
    let done = matches!(ended, Ended::Ok(_));
    let verdict = judge(ended, &task, worker.settings.error_chars_max).verdict(&task, started_at);
    telemetry::attempt_ended(&task, &verdict, begun.elapsed());
    if done && settled.get() { Over::Settled } else { Over::Judged(verdict) }
}

enum Ended {
    Ok(Option<Value>),
    Failed(Failure),
    TimedOut,
    Panicked(Box<dyn Any + Send>),
    Cancelled,
}

impl Ended {
    fn stopped(stop: &Stop) -> Option<Self> {
        stop.is_cancelled().then_some(Self::Cancelled)
    }
}

async fn call(task: &Claimed, job: Job, worker: &Worker) -> Ended {
    let kind = &task.kind;
    let span = telemetry::span(task);
    if let Some(traceparent) = &task.traceparent {
        (worker.adopt)(&span, traceparent);
    }
    // The call itself stands inside, so that a panic before the first `await` is caught as well.
    let handled = AssertUnwindSafe(async { (kind.handler)(job).await }).catch_unwind().instrument(span);
    match tokio::time::timeout(kind.timeout, handled).await {
        Ok(Ok(Ok(answer))) => Ended::Ok(answer),
        Ok(Ok(Err(failure))) => Ended::Failed(failure),
        Ok(Err(panic)) => Ended::Panicked(panic),
        Err(_elapsed) => Ended::TimedOut,
    }
}

/// What is thought of an attempt.
struct Judgement {
    outcome: Outcome,
    fate: Fate,
    error: Option<String>,
    result: Option<(Value, Duration)>,
}

impl Judgement {
    fn of(outcome: Outcome, fate: Fate, error: Option<String>) -> Self {
        Self { outcome, fate, error, result: None }
    }

    fn verdict(self, task: &Claimed, started_at: Timestamp) -> Verdict {
        let Self { outcome, fate, error, result } = self;
        let (id, attempt, finished_at) = (task.id, task.attempt, task.moment.now());
        Verdict { id, attempt, outcome, fate, error, result, started_at, finished_at }
    }
}

fn judge(ended: Ended, task: &Claimed, chars_max: usize) -> Judgement {
    let kind = &task.kind;
    match ended {
        Ended::Ok(answer) => Judgement {
            result: answer.zip(kind.result_kept),
            ..Judgement::of(Outcome::Succeeded, Fate::Done, None)
        },
        Ended::Failed(failure) => {
            let error = failure.chain(chars_max);
            match failure.next {
                Next::Retry => Judgement::of(Outcome::Failed, again(task), error),
                Next::Bury => Judgement::of(Outcome::Failed, Fate::Permanent, error),
                Next::Snooze(pause) => Judgement::of(Outcome::Snoozed, Fate::Snooze(pause), None),
            }
        }
        Ended::TimedOut => {
            let error = format!("not finished after {} ms", kind.timeout.as_millis());
            Judgement::of(Outcome::TimedOut, again(task), Some(error))
        }
        Ended::Panicked(panic) => {
            Judgement::of(Outcome::Panicked, again(task), Some(panic_text(&*panic, chars_max)))
        }
        Ended::Cancelled => Judgement::of(Outcome::Cancelled, Fate::Cancelled, None),
    }
}

/// The number of an attempt tells it from all others, so attempts that ended with their worker keep theirs; they do not
/// count here.
fn again(task: &Claimed) -> Fate {
    let counted = task.attempt.saturating_sub(task.crashes);
    if counted >= task.attempts_max.unwrap_or(task.kind.attempts_max) {
        Fate::Exhausted
    } else {
        Fate::Retry(task.kind.backoff_after(task.attempt))
    }
}

fn panic_text(panic: &(dyn Any + Send), chars_max: usize) -> String {
    let text = panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("the handler panicked without a text");
    readable(text, chars_max)
}

/// Cuts a text, and leaves out the one character that PostgreSQL refuses.
pub(crate) fn readable(text: &str, chars_max: usize) -> String {
    text.chars().filter(|character| *character != '\0').take(chars_max).collect()
}
