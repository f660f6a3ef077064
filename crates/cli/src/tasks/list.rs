//! Lists of tasks, dead letters and what was done by hand.

use anyhow::Result;
use queue::{
    Action, Cursor, DeadLetter, DeadLetterFilter, FinishedTask, HistoryFilter, LiveTask, Page, TaskFilter,
};
use serde::Serialize;

use super::table::{or_dash, print};
use super::{connect, print_json, time};
use crate::args::tasks::{ActionOptions, DeadLetterOptions, ListOptions, ReadOptions, Standing};
use crate::say;

/// `tasks list`.
pub(super) async fn tasks(options: &ListOptions) -> Result<()> {
    let client = connect(&options.read.place).await?;
    let (queue, kind, tenant) = (options.queue.clone(), options.kind.clone(), options.tenant);
    let live =
        |state| TaskFilter { queue: queue.clone(), kind: kind.clone(), state, tenant, correlation: None };
    match options.state {
        None => {
            let page = queue::tasks(&**client, &live(None), options.after, options.limit).await?;
            answer(&page, &options.read, print_live)
        }
        Some(Standing::Live(state)) => {
            let page = queue::tasks(&**client, &live(Some(state)), options.after, options.limit).await?;
            answer(&page, &options.read, print_live)
        }
        Some(Standing::Finished(outcome)) => {
            let outcome = Some(outcome.to_owned());
            let filter = HistoryFilter { queue, kind, outcome, tenant, correlation: None };
            let page = queue::history(&**client, &filter, options.after, options.limit).await?;
            answer(&page, &options.read, print_finished)
        }
    }
}

/// `tasks dead-letters`.
pub(super) async fn dead_letters(options: &DeadLetterOptions) -> Result<()> {
    let client = connect(&options.read.place).await?;
    let filter = DeadLetterFilter { queue: options.queue.clone(), kind: options.kind.clone() };
    let page = queue::dead_letters(&**client, &filter, options.after, options.limit).await?;
    answer(&page, &options.read, print_dead_letters)
}

/// `tasks actions`.
pub(super) async fn actions(options: &ActionOptions) -> Result<()> {
    let client = connect(&options.read.place).await?;
    let page = queue::actions(&**client, options.after, options.limit).await?;
    answer(&page, &options.read, print_actions)
}

/// Writes a page for a machine or a person, who is told when there is more.
fn answer<T: Serialize>(page: &Page<T>, read: &ReadOptions, print_rows: impl Fn(&[T])) -> Result<()> {
    if read.json {
        return print_json(page);
    }
    if page.rows.is_empty() {
        say::done("there are none");
        return Ok(());
    }
    print_rows(&page.rows);
    if let Some(next) = page.next {
        say::notice(&more(next));
    }
    Ok(())
}

fn more(next: Cursor) -> String {
    format!("there are more; go on with --after {next}")
}

fn print_live(rows: &[LiveTask]) {
    let rows: Vec<_> = rows
        .iter()
        .map(|task| {
            let cancelled = if task.cancelled_at.is_some() { " cancelled" } else { "" };
            [
                task.id.to_string(),
                format!("{}{cancelled}", task.state),
                task.queue.clone(),
                task.kind.clone(),
                task.priority.to_string(),
                task.attempt.to_string(),
                time(task.run_at),
                or_dash(task.tenant),
            ]
        })
        .collect();
    print(["ID", "STATE", "QUEUE", "KIND", "PRIORITY", "ATTEMPT", "DUE", "TENANT"], &rows);
}

fn print_finished(rows: &[FinishedTask]) {
    let rows: Vec<_> = rows
        .iter()
        .map(|task| {
            [
                task.id.to_string(),
                task.outcome.clone(),
                task.queue.clone(),
                task.kind.clone(),
                task.attempts.to_string(),
                time(task.finished_at),
                or_dash(task.tenant),
                or_dash(task.error.as_deref()),
            ]
        })
        .collect();
    print(["ID", "OUTCOME", "QUEUE", "KIND", "ATTEMPTS", "FINISHED", "TENANT", "ERROR"], &rows);
}

fn print_dead_letters(rows: &[DeadLetter]) {
    let rows: Vec<_> = rows
        .iter()
        .map(|letter| {
            [
                letter.id.to_string(),
                time(letter.buried_at),
                letter.queue.clone(),
                letter.kind.clone(),
                letter.reason.clone(),
                letter.attempts.to_string(),
                or_dash(letter.error.as_deref()),
            ]
        })
        .collect();
    print(["ID", "BURIED", "QUEUE", "KIND", "REASON", "ATTEMPTS", "ERROR"], &rows);
}

fn print_actions(rows: &[Action]) {
    let rows: Vec<_> = rows
        .iter()
        .map(|action| {
            [
                time(action.at),
                action.actor.clone(),
                action.action.clone(),
                or_dash(action.queue.as_deref()),
                or_dash(action.task_id),
                action.detail.to_string(),
            ]
        })
        .collect();
    print(["AT", "ACTOR", "ACTION", "QUEUE", "TASK", "DETAIL"], &rows);
}
