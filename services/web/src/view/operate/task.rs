//! One task with everything that is known of it.

use api::task::{Task, TaskAttempt, TaskProgress, TaskRow};
use askama::Template;
use jiff::Timestamp;

use super::{Question, SECTION, tenant};
use crate::task_words::{self, STATES, between, distance};
use crate::view::Shell;
use crate::words::Words;

/// The page `/operate/tasks/{id}`; `as_task` is the region htmx swaps.
#[derive(Template)]
#[template(path = "operate/task.html", blocks = ["task"])]
pub(crate) struct TaskPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The task.
    pub(crate) task: Task,
    /// The time of the reading.
    pub(crate) now: Timestamp,
    /// What happened to the last request, when it was refused.
    pub(crate) notice: Option<String>,
    /// What has just been done, for readers who hear it.
    pub(crate) done: Option<String>,
}

impl TaskPage {
    /// The entry of the navigation this page belongs to.
    const SECTION: &'static str = SECTION;

    /// A task as it stands.
    pub(crate) fn plain(shell: Shell, task: Task, now: Timestamp) -> Self {
        Self { shell, task, now, notice: None, done: None }
    }

    fn is_live(&self) -> bool {
        STATES.contains(&self.task.row.state.as_str())
    }

    /// The list one comes from: that of tasks that live, were given up, or ended.
    fn list(&self) -> &'static str {
        match (self.is_live(), &self.task.dead_letter) {
            (true, _) => "/operate/tasks/live",
            (false, Some(_)) => "/operate/tasks/dead-letters",
            (false, None) => "/operate/tasks/history",
        }
    }

    fn list_title(&self) -> &'static str {
        match (self.is_live(), &self.task.dead_letter) {
            (true, _) => "Live",
            (false, Some(_)) => "Dead letters",
            (false, None) => "History",
        }
    }

    /// Whether a question about the task is one.
    pub(crate) fn answers(&self, question: Question) -> bool {
        match question {
            Question::Cancel => self.may_cancel(),
            Question::Discard => self.task.dead_letter.is_some(),
        }
    }

    fn may_cancel(&self) -> bool {
        self.is_live() && self.task.row.cancelled_at.is_none()
    }

    fn is_delayed(&self) -> bool {
        self.task.row.state == "DELAYED"
    }

    fn state(&self) -> Words {
        let stopping = self.task.row.state == "RUNNING" && self.task.row.cancelled_at.is_some();
        task_words::state(if stopping { "STOPPING" } else { &self.task.row.state })
    }

    /// Attempts made, of those it may have.
    fn attempts(&self) -> String {
        let row = &self.task.row;
        match row.attempts_max {
            Some(most) => format!("{} of {most}", row.attempts),
            None => row.attempts.to_string(),
        }
    }

    fn took(&self, attempt: &TaskAttempt) -> String {
        match (attempt.started_at, attempt.finished_at) {
            (Some(from), Some(to)) => between(from, to),
            (Some(from), None) => format!("{} so far", between(from, self.now)),
            (None, _) => "not known".to_owned(),
        }
    }

    fn tenant(row: &TaskRow) -> String {
        tenant(row.tenant.as_ref())
    }

    fn away(&self, at: &Timestamp) -> String {
        distance(self.now, *at)
    }

    fn args(&self) -> String {
        pretty(&self.task.args)
    }

    fn result(&self) -> Option<String> {
        self.task.result.as_ref().map(pretty)
    }

    /// How far a task is, in words.
    fn progress(progress: &TaskProgress) -> String {
        match progress.total {
            0 => format!("{} done", progress.done),
            total => format!("{} of {total}", progress.done),
        }
    }
}

/// JSON as a person reads it.
fn pretty(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(value).expect("a JSON value can be written")
}
