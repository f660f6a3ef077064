//! One attempt at one task: run the handler within its limits, judge how it ended, say so once.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use jiff::Timestamp;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;

use crate::claim::Claimed;
use crate::job::Next;
use crate::{Failure, Job, Kind, telemetry};

/// How an attempt ended, and what becomes of the task.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) id: Uuid,
    pub(crate) attempt: i32,
    pub(crate) outcome: Outcome,
    pub(crate) fate: Fate,
    pub(crate) error: Option<String>,
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
}

impl Outcome {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED_OUT",
            Self::Panicked => "PANICKED",
            Self::Snoozed => "SNOOZED",
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
        }
    }

    pub(crate) fn pause(self) -> Duration {
        match self {
            Self::Retry(pause) | Self::Snooze(pause) => pause,
            Self::Done | Self::Exhausted | Self::Permanent => Duration::ZERO,
        }
    }
}

/// Runs the handler to its end; `None` when `cancel` came first, and the task is another's to judge.
pub(crate) async fn run(
    mut task: Claimed,
    kind: Kind,
    cancel: CancellationToken,
    error_chars_max: usize,
) -> Option<Verdict> {
    let (begun, started_at) = (Instant::now(), task.moment.now());
    telemetry::waited(&task.kind, task.moment.since(task.run_at));
    let guard = cancel.clone().drop_guard();
    let args = std::mem::take(&mut task.args);
    let ended = tokio::select! {
        biased;
        () = cancel.cancelled() => return None,
        ended = call(&task, args, &kind, cancel.clone()) => ended,
    };
    if !matches!(ended, Ended::TimedOut) {
        guard.disarm();
    }
    let (outcome, fate, error) = judge(&ended, &task, &kind, error_chars_max);
    let verdict = Verdict {
        id: task.id,
        attempt: task.attempt,
        outcome,
        fate,
        error,
        started_at,
        finished_at: task.moment.now(),
    };
    telemetry::attempt_ended(&task, &verdict, begun.elapsed());
    Some(verdict)
}

enum Ended {
    Ok,
    Failed(Failure),
    TimedOut,
    Panicked(Box<dyn Any + Send>),
}

async fn call(task: &Claimed, args: Value, kind: &Kind, cancel: CancellationToken) -> Ended {
    let job = Job {
        id: task.id,
        kind: task.kind.clone(),
        args,
        attempt: task.attempt,
        tenant: task.tenant,
        correlation: task.correlation,
        traceparent: task.traceparent.clone(),
        cancel,
    };
    let span = telemetry::span(task);
    // The call itself stands inside, so that a panic before the first `await` is caught as well.
    let handled = AssertUnwindSafe(async { (kind.handler)(job).await }).catch_unwind().instrument(span);
    match tokio::time::timeout(kind.timeout, handled).await {
        Ok(Ok(Ok(()))) => Ended::Ok,
        Ok(Ok(Err(failure))) => Ended::Failed(failure),
        Ok(Err(panic)) => Ended::Panicked(panic),
        Err(_elapsed) => Ended::TimedOut,
    }
}

fn judge(ended: &Ended, task: &Claimed, kind: &Kind, chars_max: usize) -> (Outcome, Fate, Option<String>) {
    // The number of an attempt tells it from all others, so attempts that ended with their worker keep theirs; they do
    // not count here.
    let counted = task.attempt.saturating_sub(task.crashes);
    let again = if counted >= task.attempts_max.unwrap_or(kind.attempts_max) {
        Fate::Exhausted
    } else {
        Fate::Retry(kind.backoff_after(task.attempt))
    };
    match ended {
        Ended::Ok => (Outcome::Succeeded, Fate::Done, None),
        Ended::Failed(failure) => {
            let error = failure.chain(chars_max);
            match failure.next {
                Next::Retry => (Outcome::Failed, again, error),
                Next::Bury => (Outcome::Failed, Fate::Permanent, error),
                Next::Snooze(pause) => (Outcome::Snoozed, Fate::Snooze(pause), None),
            }
        }
        Ended::TimedOut => {
            (Outcome::TimedOut, again, Some(format!("not finished after {} ms", kind.timeout.as_millis())))
        }
        Ended::Panicked(panic) => (Outcome::Panicked, again, Some(panic_text(&**panic, chars_max))),
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
