//! Lists of tasks, live or finished: filters, table, pager.

use api::task::{TaskQuery, TaskRow};
use app::queue::Choices;
use askama::Template;
use jiff::Timestamp;

use super::{Pager, SECTION, TABS, tenant};
use crate::task_words::{self, OUTCOMES, STATES, between, distance};
use crate::view::select::{FilterChoice, choice, sizes};
use crate::view::{Mistakes, Shell};
use crate::words::Words;

/// Which tasks a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Those that wait, are ready or run.
    Live,
    /// Those that ended.
    History,
    /// Those that were given up and not yet settled.
    DeadLetters,
}

impl Shown {
    /// The list's address.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Live => "/operate/tasks/live",
            Self::History => "/operate/tasks/history",
            Self::DeadLetters => "/operate/tasks/dead-letters",
        }
    }

    /// The labels by which the list is narrowed.
    pub(crate) const fn states(self) -> &'static [&'static str] {
        match self {
            Self::Live => &STATES,
            Self::History => &OUTCOMES,
            Self::DeadLetters => &[],
        }
    }
}

/// The pages `/operate/tasks/live` and `/operate/tasks/history`; `as_list` is the region htmx swaps.
#[derive(Template)]
#[template(path = "operate/list.html", blocks = ["list"])]
pub(crate) struct TaskListPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// Which tasks.
    pub(crate) shown: Shown,
    /// What the filters hold.
    pub(crate) filter: TaskFilter,
    /// The rows.
    pub(crate) rows: Vec<TaskRow>,
    /// Where the list goes on.
    pub(crate) pager: Pager,
    /// What is wrong with the filters.
    pub(crate) mistakes: Mistakes,
    /// The time of the reading.
    pub(crate) now: Timestamp,
}

impl TaskListPage {
    /// The entry of the navigation this page belongs to.
    const SECTION: &'static str = SECTION;

    fn title(&self) -> &'static str {
        match self.shown {
            Shown::Live => "Live tasks",
            Shown::History | Shown::DeadLetters => "Finished tasks",
        }
    }

    fn is_live(&self) -> bool {
        self.shown == Shown::Live
    }

    fn summary(&self) -> String {
        self.pager.summary(self.rows.len(), "task", "tasks")
    }

    fn state(row: &TaskRow) -> Words {
        let stopping = row.state == "RUNNING" && row.cancelled_at.is_some();
        task_words::state(if stopping { "STOPPING" } else { &row.state })
    }

    fn tenant(row: &TaskRow) -> String {
        tenant(row.tenant.as_ref())
    }

    fn away(&self, at: &Timestamp) -> String {
        distance(self.now, *at)
    }

    /// How far a live task says it is.
    fn progress(row: &TaskRow) -> String {
        match &row.progress {
            None => String::new(),
            Some(progress) if progress.total == 0 => progress.note.clone(),
            Some(progress) => format!("{} of {}", progress.done, progress.total),
        }
    }

    /// How long a finished task ran in its last attempt.
    fn took(row: &TaskRow) -> String {
        match (row.started_at, row.finished_at) {
            (Some(from), Some(to)) => between(from, to),
            _ if row.attempts == 0 => "never ran".to_owned(),
            _ => "not known".to_owned(),
        }
    }
}

/// The filters as the form shows them.
pub(crate) struct TaskFilter {
    /// Only this client's tasks.
    pub(crate) tenant: String,
    shown: Shown,
    queue: String,
    kind: String,
    state: String,
    limit: u16,
    choices: Choices,
}

impl TaskFilter {
    /// What a query holds, beside the queues and kinds one can choose.
    pub(crate) fn of(shown: Shown, query: &TaskQuery, choices: Choices) -> Self {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        Self {
            tenant: text(&query.tenant),
            shown,
            queue: text(&query.queue),
            kind: text(&query.kind),
            state: text(&query.state),
            limit: query.limit.unwrap_or(app::queue::PAGE_LIMIT_DEFAULT),
            choices,
        }
    }

    /// Whether anything narrows the list.
    pub(crate) fn is_set(&self) -> bool {
        [&self.tenant, &self.queue, &self.kind, &self.state].into_iter().any(|text| !text.trim().is_empty())
    }

    /// The selects.
    pub(crate) fn choices(&self) -> Vec<FilterChoice> {
        let same = |values: &[String]| values.iter().map(|value| (value.clone(), value.clone())).collect();
        let queues: Vec<(String, String)> = same(&self.choices.queues);
        let kinds: Vec<(String, String)> = same(&self.choices.kinds);
        let states = self.shown.states();
        let labels = states.iter().map(|label| ((*label).to_owned(), task_words::state(label).label));
        let mut choices = vec![
            choice("queue", "Queue", "Any queue", queues.into_iter(), &self.queue),
            choice("kind", "Kind", "Any kind", kinds.into_iter(), &self.kind),
        ];
        match self.shown {
            Shown::Live => choices.push(choice("state", "State", "Any state", labels, &self.state)),
            Shown::History => choices.push(choice("state", "Outcome", "Any outcome", labels, &self.state)),
            Shown::DeadLetters => {}
        }
        choices.push(sizes(self.limit));
        choices
    }
}
