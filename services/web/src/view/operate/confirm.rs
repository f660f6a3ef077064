//! The page that asks before something is done that nothing leads back from.

use api::task::{Task, TaskRow};
use askama::Template;

use super::{SECTION, tenant};
use crate::view::Shell;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// Whether to cancel a live task.
    Cancel,
    /// Whether to discard a dead letter.
    Discard,
}

/// The pages `/operate/tasks/{id}/cancel` and `/operate/tasks/dead-letters/{id}/discard`.
#[derive(Template)]
#[template(path = "operate/confirm.html")]
pub(crate) struct ConfirmPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The task.
    pub(crate) task: Task,
    /// What is asked.
    pub(crate) question: Question,
}

impl ConfirmPage {
    /// The entry of the navigation this page belongs to.
    const SECTION: &'static str = SECTION;

    fn tenant(row: &TaskRow) -> String {
        tenant(row.tenant.as_ref())
    }

    fn title(&self) -> String {
        match self.question {
            Question::Cancel => format!("Cancel {}?", self.task.row.kind),
            Question::Discard => format!("Discard {}?", self.task.row.kind),
        }
    }

    fn action(&self) -> String {
        match self.question {
            Question::Cancel => format!("/operate/tasks/{}/cancel", self.task.row.id),
            Question::Discard => format!("/operate/tasks/dead-letters/{}/discard", self.task.row.id),
        }
    }

    fn warning(&self) -> &'static str {
        match self.question {
            Question::Cancel if self.task.row.state == "RUNNING" => {
                "It runs. Its worker is told to stop, and what it has done by then stays done. It is not tried again."
            }
            Question::Cancel => "It never runs, and tasks that wait for its success are cancelled with it.",
            Question::Discard => {
                "Its arguments and its last error are dropped for good. What happened to it stays in the history."
            }
        }
    }

    fn button(&self) -> &'static str {
        match self.question {
            Question::Cancel => "Cancel task",
            Question::Discard => "Discard",
        }
    }
}
