//! Tasks that were given up: filters, table, pager.

use api::task::TaskDeadLetter;
use askama::Template;
use jiff::Timestamp;

use super::{Pager, SECTION, TABS, TaskFilter, tenant};
use crate::task_words::distance;
use crate::view::{Mistakes, Shell};

/// The page `/operate/tasks/dead-letters`; `as_list` is the region htmx swaps.
#[derive(Template)]
#[template(path = "operate/dead_letters.html", blocks = ["list"])]
pub(crate) struct DeadLettersPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// What the filters hold.
    pub(crate) filter: TaskFilter,
    /// The rows.
    pub(crate) rows: Vec<TaskDeadLetter>,
    /// Where the list goes on.
    pub(crate) pager: Pager,
    /// What is wrong with the filters.
    pub(crate) mistakes: Mistakes,
    /// The time of the reading.
    pub(crate) now: Timestamp,
}

impl DeadLettersPage {
    /// The entry of the navigation this page belongs to.
    const SECTION: &'static str = SECTION;
    const TAB: &'static str = "/operate/tasks/dead-letters";

    fn away(&self, at: &Timestamp) -> String {
        distance(self.now, *at)
    }

    fn attempts(row: &TaskDeadLetter) -> String {
        if row.attempts == 1 { "1 attempt".to_owned() } else { format!("{} attempts", row.attempts) }
    }

    fn tenant(row: &TaskDeadLetter) -> String {
        tenant(row.tenant.as_ref())
    }

    fn summary(&self) -> String {
        self.pager.summary(self.rows.len(), "dead letter", "dead letters")
    }
}
