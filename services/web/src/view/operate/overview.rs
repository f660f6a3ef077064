//! The overview of the task queue: figures, queues, workers.

use api::task::{TaskCount, TaskOverview, TaskQueue, TaskWorker};
use askama::Template;
use jiff::Timestamp;

use super::{SECTION, TABS, count};
use crate::task_words::{distance, span_of_seconds};
use crate::view::Shell;
use crate::words::{Words, words};

/// Seconds without a sign of life after which a worker counts as silent.
const SILENT_AFTER_SECONDS: f64 = 60.0;

/// The page `/operate/tasks`; `as_overview` is the region htmx swaps.
#[derive(Template)]
#[template(path = "operate/overview.html", blocks = ["overview"])]
pub(crate) struct OverviewPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// Queues and workers.
    pub(crate) overview: TaskOverview,
    /// The time of the reading.
    pub(crate) now: Timestamp,
    /// What has just been done, for readers who hear it.
    pub(crate) done: Option<String>,
}

impl OverviewPage {
    /// The entry of the navigation this page belongs to.
    const SECTION: &'static str = SECTION;
    const TAB: &'static str = "/operate/tasks";

    fn sum(&self, of: fn(&TaskQueue) -> TaskCount) -> String {
        let counts = self.overview.queues.iter().map(of);
        let sum = counts.fold(TaskCount::default(), |sum, count| TaskCount {
            number: sum.number.saturating_add(count.number),
            at_least: sum.at_least || count.at_least,
        });
        count(&sum)
    }

    fn ready(&self) -> String {
        self.sum(|queue| queue.ready)
    }

    fn running(&self) -> String {
        self.sum(|queue| queue.running)
    }

    fn delayed(&self) -> String {
        self.sum(|queue| queue.delayed)
    }

    fn dead_letters(&self) -> String {
        self.sum(|queue| queue.dead_letters)
    }

    fn oldest(&self) -> String {
        let ready = self.overview.queues.iter().filter(|queue| queue.ready.number > 0);
        let ages = ready.map(|queue| queue.oldest_age_seconds);
        ages.reduce(f64::max).map_or_else(|| "none".to_owned(), span_of_seconds)
    }

    fn has_dead_letters(&self) -> bool {
        self.overview.queues.iter().any(|queue| queue.dead_letters.number > 0)
    }

    fn queue(queue: &TaskQueue) -> Words {
        if queue.paused { words("amber", "pause", "Paused") } else { words("green", "play", "Active") }
    }

    fn silence(worker: &TaskWorker) -> String {
        format!("{} ago", span_of_seconds(worker.silent_seconds))
    }

    fn age(queue: &TaskQueue) -> String {
        if queue.ready.number == 0 { "none".to_owned() } else { span_of_seconds(queue.oldest_age_seconds) }
    }

    fn workers_alive(&self) -> usize {
        self.overview.workers.iter().filter(|worker| !is_silent(worker)).count()
    }

    fn worker(worker: &TaskWorker) -> Words {
        if is_silent(worker) {
            words("red", "alert", "Silent")
        } else if worker.draining {
            words("amber", "pause", "Draining")
        } else {
            words("green", "play", "Working")
        }
    }

    fn ago(&self, at: &Timestamp) -> String {
        distance(self.now, *at)
    }

    /// The limits of a queue in words.
    fn limits(queue: &TaskQueue) -> Option<String> {
        let period = match span_of_seconds(queue.rate_period_seconds) {
            whole if whole == "1 min" => "minute".to_owned(),
            other => other,
        };
        let parts = [
            queue.running_max.map(|most| format!("{most} at once")),
            queue.rate_max.map(|most| format!("{most} per {period}")),
            queue.tenant_running_max.map(|most| format!("{most} at once per tenant")),
            queue.tenant_rate_max.map(|most| format!("{most} per {period} and tenant")),
        ];
        let given: Vec<String> = parts.into_iter().flatten().collect();
        (!given.is_empty()).then(|| format!("At most {}", given.join(", ")))
    }
}

fn is_silent(worker: &TaskWorker) -> bool {
    worker.silent_seconds > SILENT_AFTER_SECONDS
}
