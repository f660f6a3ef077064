//! What states, outcomes, reasons and actions of the task queue are called, and how long things take.

use std::borrow::Cow;

use jiff::Timestamp;

use crate::words::{Words, words};

/// States of a live task, in the order of its life.
pub(crate) const STATES: [&str; 4] = ["WAITING", "DELAYED", "READY", "RUNNING"];

/// How a task may have ended.
pub(crate) const OUTCOMES: [&str; 3] = ["SUCCEEDED", "BURIED", "CANCELLED"];

const SECONDS_OF_MINUTE: u64 = 60;
const SECONDS_OF_HOUR: u64 = 3_600;
const SECONDS_OF_DAY: u64 = 86_400;

/// The words for a state of a task, an outcome of it, or an outcome of an attempt; a label nobody knows stays as it is.
pub(crate) fn state(label: &str) -> Words {
    match label {
        "WAITING" => words("grey", "task-waiting", "Waits for others"),
        "DELAYED" => words("violet", "task-delayed", "Delayed"),
        "READY" => words("blue", "task-ready", "Ready"),
        "RUNNING" => words("amber", "task-running", "Running"),
        "STOPPING" => words("amber", "task-running", "Stopping"),
        "SUCCEEDED" => words("green", "state-resolved", "Succeeded"),
        "BURIED" => words("red", "task-buried", "Given up"),
        "CANCELLED" => words("grey", "state-cancelled", "Cancelled"),
        "FAILED" => words("red", "alert", "Failed"),
        "TIMED_OUT" => words("red", "task-delayed", "Timed out"),
        "PANICKED" => words("red", "alert", "Panicked"),
        "CRASHED" => words("red", "task-buried", "Worker died"),
        "SNOOZED" => words("violet", "task-delayed", "Put off"),
        "INTERRUPTED" => words("grey", "state-on_hold", "Handed back"),
        other => words("grey", "dot", other),
    }
}

/// The words for why a task was given up.
pub(crate) fn reason(label: &str) -> Words {
    match label {
        "EXHAUSTED" => words("red", "task-buried", "No attempts left"),
        "PERMANENT" => words("red", "alert", "Cannot succeed"),
        "CRASHED" => words("red", "task-buried", "Workers died of it"),
        other => words("red", "alert", other),
    }
}

/// The words for what somebody did by hand.
pub(crate) fn action(label: &str) -> Words {
    match label {
        "ENQUEUED" => words("grey", "plus", "enqueued the task"),
        "CANCELLED" => words("grey", "state-cancelled", "cancelled the task"),
        "RETRIED" => words("blue", "retry", "had the task tried again"),
        "DISCARDED" => words("red", "discard", "discarded the task"),
        "PAUSED" => words("amber", "pause", "paused the queue"),
        "RESUMED" => words("green", "play", "resumed the queue"),
        "LIMITED" => words("violet", "tasks", "changed the limits of the queue"),
        "DRAINED" => words("amber", "pause", "had the worker drain"),
        "SCHEDULE_PAUSED" => words("amber", "pause", "paused the schedule"),
        "SCHEDULE_RESUMED" => words("green", "play", "resumed the schedule"),
        "SCHEDULE_TICKED" => words("blue", "play", "ran the schedule by hand"),
        other => words("grey", "dot", other),
    }
}

/// Who did something by hand: the name in `person:<id> <name>`, or whatever else stands there. A name that could be taken
/// for a tool's says that it is a person's.
pub(crate) fn who(actor: &str) -> Cow<'_, str> {
    match actor.strip_prefix("person:").and_then(|rest| rest.split_once(' ')) {
        Some((_id, name)) if name.contains(':') => format!("person {name}").into(),
        Some((_id, name)) => name.into(),
        None => actor.into(),
    }
}

/// A time span a person reads at a glance: `340 ms`, `4.2 s`, `3 min 12 s`, `2 h 5 min`, `3 d 4 h`.
pub(crate) fn span(milliseconds: u64) -> String {
    let seconds = milliseconds / 1_000;
    let pair = |large: u64, large_unit: &str, small: u64, small_unit: &str| {
        if small == 0 {
            format!("{large} {large_unit}")
        } else {
            format!("{large} {large_unit} {small} {small_unit}")
        }
    };
    match seconds {
        0 => format!("{milliseconds} ms"),
        1..10 => format!("{seconds}.{} s", milliseconds % 1_000 / 100),
        10..SECONDS_OF_MINUTE => format!("{seconds} s"),
        SECONDS_OF_MINUTE..SECONDS_OF_HOUR => {
            pair(seconds / SECONDS_OF_MINUTE, "min", seconds % SECONDS_OF_MINUTE, "s")
        }
        SECONDS_OF_HOUR..SECONDS_OF_DAY => {
            pair(seconds / SECONDS_OF_HOUR, "h", seconds % SECONDS_OF_HOUR / SECONDS_OF_MINUTE, "min")
        }
        _ => pair(seconds / SECONDS_OF_DAY, "d", seconds % SECONDS_OF_DAY / SECONDS_OF_HOUR, "h"),
    }
}

/// A time span in seconds with a fraction.
pub(crate) fn span_of_seconds(seconds: f64) -> String {
    // Clocks may go backwards: less than nothing is nothing.
    let milliseconds =
        std::time::Duration::try_from_secs_f64(seconds).map_or(0, |duration| duration.as_millis());
    span(u64::try_from(milliseconds).unwrap_or(u64::MAX))
}

/// The time from one moment to another; nothing when it goes backwards, which clocks of two machines may do.
pub(crate) fn between(from: Timestamp, to: Timestamp) -> String {
    span(u64::try_from(to.as_millisecond() - from.as_millisecond()).unwrap_or(0))
}

/// How far a moment is from the present: `12 s ago`, `in 3 min`.
pub(crate) fn distance(now: Timestamp, at: Timestamp) -> String {
    if at > now { format!("in {}", between(now, at)) } else { format!("{} ago", between(at, now)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_show_two_units_at_most() {
        for (milliseconds, expected) in [
            (0, "0 ms"),
            (340, "340 ms"),
            (4_250, "4.2 s"),
            (42_900, "42 s"),
            (180_000, "3 min"),
            (192_000, "3 min 12 s"),
            (7_500_000, "2 h 5 min"),
            (273_600_000, "3 d 4 h"),
        ] {
            assert_eq!(span(milliseconds), expected);
        }
        assert_eq!(span_of_seconds(61.4), "1 min 1 s");
        assert_eq!(span_of_seconds(-1.0), "0 ms");
    }

    #[test]
    fn moments_lie_behind_or_ahead() {
        let now: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(distance(now, at("2029-12-31T23:59:48Z")), "12 s ago");
        assert_eq!(distance(now, at("2030-01-01T00:03:00Z")), "in 3 min");
        assert_eq!(between(now, at("2029-12-31T23:59:48Z")), "0 ms");
    }

    #[test]
    fn a_person_is_known_by_name_and_a_tool_by_what_it_says() {
        assert_eq!(who("person:0198c0de-0000-7000-8000-000000000001 Asha Patil"), "Asha Patil");
        assert_eq!(who("cli:root"), "cli:root");
        assert_eq!(who("person:0198c0de-0000-7000-8000-000000000001 cli:root"), "person cli:root");
        assert_eq!(who("person:"), "person:");
    }
}
