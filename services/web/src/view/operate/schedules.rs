//! Schedules: when they enqueue what.

use api::task::TaskSchedule;
use askama::Template;
use jiff::Timestamp;

use super::{SECTION, TABS};
use crate::task_words::distance;
use crate::view::Shell;
use crate::words::{Words, words};

/// The page `/operate/tasks/schedules`; `as_list` is the region htmx swaps.
#[derive(Template)]
#[template(path = "operate/schedules.html", blocks = ["list"])]
pub(crate) struct SchedulesPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The schedules, by name.
    pub(crate) rows: Vec<TaskSchedule>,
    /// The time of the reading.
    pub(crate) now: Timestamp,
    /// What has just been done, for readers who hear it.
    pub(crate) done: Option<String>,
    /// Why the last request was refused.
    pub(crate) refused: Option<String>,
}

impl SchedulesPage {
    /// The entry of the navigation this page belongs to.
    const SECTION: &'static str = SECTION;
    const TAB: &'static str = "/operate/tasks/schedules";

    fn away(&self, at: &Timestamp) -> String {
        distance(self.now, *at)
    }

    fn schedule(schedule: &TaskSchedule) -> Words {
        if schedule.paused { words("amber", "pause", "Paused") } else { words("green", "play", "Active") }
    }
}
