//! Everything about one task.

use anyhow::{Context, Result};
use queue::{Attempt, LiveTask, Relative, TaskDetail, TaskState};

use super::table::{or_dash, print};
use super::{connect, print_json, time};
use crate::args::tasks::OneReadOptions;
use crate::say;

/// `tasks show`.
pub(super) async fn run(options: &OneReadOptions) -> Result<()> {
    let client = connect(&options.read.place).await?;
    let task = queue::task(&**client, options.id).await?.with_context(|| {
        format!(
            "there is no task {}; `youtility tasks list` and `list --state succeeded` show which there are",
            options.id
        )
    })?;
    if options.read.json {
        return print_json(&task);
    }
    say::title(&format!("{} {}", task.kind, task.id));
    for (name, value) in facts(&task) {
        // A line of a value does not look like a fact of its own.
        let value = value.replace('\n', "\n               ");
        say::line(&format!("  {name:<12} {value}"));
    }
    say::title("Arguments");
    say::line(&serde_json::to_string_pretty(&task.args).context("writing the arguments")?);
    if let Some(result) = &task.result {
        say::title("Result");
        say::line(&serde_json::to_string_pretty(result).context("writing the result")?);
    }
    print_attempts(&task.attempts);
    print_relatives("Waited for", &task.parents);
    print_relatives("Wait for it", &task.children);
    print_actions(&task);
    Ok(())
}

fn facts(task: &TaskDetail) -> Vec<(&'static str, String)> {
    let mut facts = vec![("queue", task.queue.clone()), ("state", state(task))];
    let mut add = |name, value: Option<String>| facts.extend(value.map(|value| (name, value)));
    add("enqueued", Some(time(task.created_at)));
    add("by", task.created_by.clone());
    add("tenant", task.tenant.map(|id| id.to_string()));
    add("correlation", task.correlation.map(|id| id.to_string()));
    if let Some(live) = &task.live {
        add("priority", Some(live.priority.to_string()));
        add("unique key", live.unique_key.clone());
        add("worker", live.worker_id.map(|id| id.to_string()));
        add("leased until", live.lease_until.map(time));
        add("progress", live.progress.as_ref().map(ToString::to_string));
    }
    for end in &task.ends {
        add(
            "ended",
            Some(format!("{} {} after {} attempts", time(end.finished_at), end.outcome, end.attempts)),
        );
    }
    if let Some(letter) = &task.dead_letter {
        add("given up", Some(format!("{} {}", time(letter.buried_at), letter.reason)));
        add("error", letter.error.clone());
        add(
            "what to do",
            Some(format!("youtility tasks retry {0}, or youtility tasks discard {0}", task.id)),
        );
    }
    facts
}

fn state(task: &TaskDetail) -> String {
    match (&task.live, &task.dead_letter) {
        (Some(live), _) => live_state(live),
        (None, Some(_letter)) => "DEAD LETTER".to_owned(),
        (None, None) => task.ends.first().map_or_else(|| "GONE".to_owned(), |end| end.outcome.clone()),
    }
}

fn live_state(live: &LiveTask) -> String {
    let cancelled = live.cancelled_at.map(|at| format!(", cancelled {}", time(at))).unwrap_or_default();
    let detail = match live.state {
        TaskState::Delayed => format!(", due {}, after {} attempts", time(live.run_at), live.attempt),
        TaskState::Waiting => format!(" for {} others", live.pending),
        TaskState::Ready => format!(" since {}", time(live.run_at)),
        TaskState::Running => format!(", attempt {}", live.attempt),
    };
    format!("{}{detail}{cancelled}", live.state)
}

fn print_attempts(attempts: &[Attempt]) {
    if attempts.is_empty() {
        return;
    }
    say::title("Attempts");
    let rows: Vec<_> = attempts
        .iter()
        .map(|attempt| {
            [
                attempt.attempt.to_string(),
                attempt.outcome.clone(),
                or_dash(attempt.started_at.map(time)),
                time(attempt.finished_at),
                attempt.worker.clone().unwrap_or_else(|| or_dash(attempt.worker_id)),
            ]
        })
        .collect();
    print(["ATTEMPT", "OUTCOME", "BEGAN", "ENDED", "WORKER"], &rows);
    for attempt in attempts {
        if let Some(error) = &attempt.error {
            say::line(&format!("  error of attempt {}: {error}", attempt.attempt));
        }
    }
}

fn print_relatives(title: &str, relatives: &[Relative]) {
    if relatives.is_empty() {
        return;
    }
    say::title(title);
    let rows: Vec<_> = relatives
        .iter()
        .map(|relative| {
            [relative.id.to_string(), or_dash(relative.kind.as_deref()), or_dash(relative.state.as_deref())]
        })
        .collect();
    print(["ID", "KIND", "STATE"], &rows);
}

fn print_actions(task: &TaskDetail) {
    if task.actions.is_empty() {
        return;
    }
    say::title("By hand");
    let rows: Vec<_> = task
        .actions
        .iter()
        .map(|action| {
            [time(action.at), action.actor.clone(), action.action.clone(), action.detail.to_string()]
        })
        .collect();
    print(["AT", "ACTOR", "ACTION", "DETAIL"], &rows);
}
