//! Names of metrics, and the one log line of every attempt.

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{
    Counter, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use tracing::{Level, Span, info_span};

use crate::attempt::{Fate, Outcome, Verdict};
use crate::claim::Claimed;
use crate::stats::{QueueStats, Stats};

const DEPTH: &str = "queue_depth";
const OLDEST_AGE: &str = "queue_oldest_age_seconds";
const DEAD_LETTERS: &str = "queue_dead_letters";
const TASKS: &str = "tasks_total";
const SECONDS: &str = "task_seconds";
const WAIT: &str = "task_wait_seconds";
const LATE: &str = "task_settled_late_total";
const RESCUED: &str = "task_rescued_total";

/// Tells the recorder what the numbers mean.
pub(crate) fn describe() {
    describe_gauge!(DEPTH, Unit::Count, "live tasks by queue and state");
    describe_gauge!(OLDEST_AGE, Unit::Seconds, "how long the oldest ready task of a queue has been ready");
    describe_gauge!(DEAD_LETTERS, Unit::Count, "tasks given up and not yet looked at, by queue");
    describe_counter!(TASKS, Unit::Count, "attempts ended, by kind and outcome");
    describe_histogram!(SECONDS, Unit::Seconds, "how long attempts took, by kind");
    describe_histogram!(WAIT, Unit::Seconds, "from the time a task was due to its start, by kind");
    describe_counter!(LATE, Unit::Count, "attempts that ended after their lease had been lost");
    describe_counter!(
        RESCUED,
        Unit::Count,
        "tasks taken back from workers that fell silent, by what became of them"
    );
}

/// The metrics of one kind, looked up once.
#[derive(Clone, Default)]
pub(crate) struct KindMetrics(OnceLock<Handles>);

#[derive(Clone)]
struct Handles {
    succeeded: Counter,
    seconds: Histogram,
    wait: Histogram,
}

impl KindMetrics {
    /// Looked up at the first attempt: by then the process has a recorder.
    fn of(&self, kind: &str) -> &Handles {
        self.0.get_or_init(|| Handles {
            succeeded: counter!(TASKS, "kind" => kind.to_owned(), "outcome" => Outcome::Succeeded.as_str()),
            seconds: histogram!(SECONDS, "kind" => kind.to_owned()),
            wait: histogram!(WAIT, "kind" => kind.to_owned()),
        })
    }
}

/// The span around a handler.
pub(crate) fn span(task: &Claimed) -> Span {
    let correlation = task.correlation.map(tracing::field::display);
    info_span!(
        "task",
        task.id = %task.id,
        task.kind = task.kind.name,
        task.attempt = task.attempt,
        correlation_id = correlation,
        traceparent = task.traceparent.as_deref().filter(|text| trace_id(text).is_some()),
    )
}

/// The trace id inside a `traceparent`; of a text that is none there is none, and nothing of it is logged.
fn trace_id(traceparent: &str) -> Option<&str> {
    let parts: Vec<&str> = traceparent.split('-').collect();
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let [version, trace_id, span_id, flags] = parts.as_slice() else { return None };
    let lengths = [version.len(), trace_id.len(), span_id.len(), flags.len()];
    (lengths == [2, 32, 16, 2] && parts.iter().all(|part| is_hex(part))).then_some(*trace_id)
}

pub(crate) fn waited(task: &Claimed) {
    let kind = &task.kind;
    kind.metrics.of(&kind.name).wait.record(task.moment.since(task.run_at).as_secs_f64());
}

/// Counts an attempt and writes its canonical line: ERROR when a person must look at a dead letter.
pub(crate) fn attempt_ended(task: &Claimed, verdict: &Verdict, elapsed: Duration) {
    let kind = &task.kind;
    let handles = kind.metrics.of(&kind.name);
    if verdict.outcome == Outcome::Succeeded {
        handles.succeeded.increment(1);
    } else {
        counter!(TASKS, "kind" => kind.name.clone(), "outcome" => verdict.outcome.as_str()).increment(1);
    }
    handles.seconds.record(elapsed.as_secs_f64());
    let trace_id = task.traceparent.as_deref().and_then(trace_id);
    // The level of an event is fixed at compile time.
    macro_rules! line {
        ($level:expr, $message:expr) => {
            tracing::event!(
                target: "task",
                $level,
                task.id = %task.id,
                task.kind = kind.name,
                task.queue = %task.queue,
                task.attempt = task.attempt,
                outcome = verdict.outcome.as_str(),
                fate = verdict.fate.as_str(),
                error.chain = verdict.error.as_deref(),
                elapsed_ms = elapsed.as_secs_f64() * 1000.0,
                correlation_id = task.correlation.map(tracing::field::display),
                trace_id,
                "{}",
                $message
            )
        };
    }
    match verdict.fate {
        Fate::Done => line!(Level::INFO, "task done"),
        Fate::Snooze(_) => line!(Level::INFO, "task snoozed"),
        Fate::Cancelled => line!(Level::INFO, "task cancelled"),
        Fate::Retry(_) => line!(Level::WARN, "task failed and will be tried again"),
        Fate::Exhausted | Fate::Permanent => line!(Level::ERROR, "task failed and was given up"),
    }
}

pub(crate) fn settled_late(attempts: u64) {
    counter!(LATE).increment(attempts);
}

pub(crate) fn rescued(freed: u64, buried: u64) {
    counter!(RESCUED, "fate" => "FREED").increment(freed);
    counter!(RESCUED, "fate" => "BURIED").increment(buried);
}

/// Publishes what was measured.
pub(crate) fn publish(stats: &Stats) {
    for queue in &stats.queues {
        publish_queue(queue);
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::as_conversions,
    reason = "a gauge is a float; counts stay far below 2^52"
)]
fn publish_queue(queue: &QueueStats) {
    let states = [
        ("READY", queue.ready),
        ("DELAYED", queue.delayed),
        ("WAITING", queue.waiting),
        ("RUNNING", queue.running),
    ];
    for (state, count) in states {
        gauge!(DEPTH, "queue" => queue.name.clone(), "state" => state).set(count.number as f64);
    }
    gauge!(OLDEST_AGE, "queue" => queue.name.clone()).set(queue.oldest_age_seconds);
    gauge!(DEAD_LETTERS, "queue" => queue.name.clone()).set(queue.dead_letters.number as f64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_traceparent_has_a_trace_id() {
        let trace = "0af7651916cd43dd8448eb211c80319c";
        assert_eq!(trace_id(&format!("00-{trace}-b7ad6b7169203331-01")), Some(trace));
        let tail = format!("00-{trace}-b7ad6b7169203331-01-\u{1b}[2K");
        for text in ["", "a-b-c-d", "00-\n-b7ad6b7169203331-01", tail.as_str()] {
            assert_eq!(trace_id(text), None, "{text:?}");
        }
    }
}
