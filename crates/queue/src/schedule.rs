//! Tasks that come by the clock.

use std::str::FromStr;

use croner::Cron;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::{Error, NewTask};

/// Enqueues a task at every tick of a cron expression, once for any number of engines.
///
/// Ticks missed while no engine ran are made up by one task, for the latest of them.
#[derive(Debug, Clone)]
pub struct Schedule {
    pub(crate) name: String,
    pub(crate) cron: String,
    pub(crate) time_zone: String,
    pub(crate) task: NewTask,
}

impl Schedule {
    /// Creates a schedule; expression and zone are checked by [`crate::Builder::build`].
    ///
    /// A task with a unique key of its own is left out while the one before is still alive.
    pub fn cron(
        name: impl Into<String>,
        cron: impl Into<String>,
        time_zone: impl Into<String>,
        task: NewTask,
    ) -> Self {
        Self { name: name.into(), cron: cron.into(), time_zone: time_zone.into(), task }
    }

    pub(crate) fn parse(self) -> Result<Clockwork, Error> {
        let cron = Cron::from_str(&self.cron).map_err(|source| Error::Cron {
            schedule: self.name.clone(),
            cron: self.cron.clone(),
            source,
        })?;
        let zone = TimeZone::get(&self.time_zone).map_err(|source| Error::TimeZone {
            schedule: self.name.clone(),
            time_zone: self.time_zone.clone(),
            source,
        })?;
        Ok(Clockwork { schedule: self, cron, zone })
    }
}

/// A schedule that was checked and can tell its ticks.
#[derive(Debug, Clone)]
pub(crate) struct Clockwork {
    pub(crate) schedule: Schedule,
    cron: Cron,
    zone: TimeZone,
}

impl Clockwork {
    /// The latest tick up to `now` that lies after `last`.
    pub(crate) fn due(&self, last: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let local = now.to_zoned(self.zone.clone());
        let tick = self.cron.find_previous_occurrence(&local, true).ok()?.timestamp();
        (tick > last).then_some(tick)
    }

    /// The first tick after `now`; none when the expression never matches again.
    pub(crate) fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let local = now.to_zoned(self.zone.clone());
        self.cron.find_next_occurrence(&local, false).ok().map(|tick| tick.timestamp())
    }

    /// The task of a tick; the key keeps a tick that is repeated by hand from running beside itself.
    pub(crate) fn task_at(&self, tick: Timestamp) -> NewTask {
        let task = self.schedule.task.clone();
        match task.unique_key {
            Some(_) => task,
            None => task.unique_key(format!("{}@{tick}", self.schedule.name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clockwork(cron: &str, zone: &str) -> Clockwork {
        Schedule::cron("nightly", cron, zone, NewTask::new("a", &())).parse().unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn missed_ticks_are_made_up_by_the_latest() {
        let hourly = clockwork("0 * * * *", "UTC");
        let due = hourly.due(at("2030-01-01T00:00:00Z"), at("2030-01-01T05:30:00Z"));
        assert_eq!(due, Some(at("2030-01-01T05:00:00Z")));
    }

    #[test]
    fn a_tick_is_due_at_its_very_second_and_once() {
        let hourly = clockwork("0 * * * *", "UTC");
        let tick = at("2030-01-01T05:00:00Z");
        assert_eq!(hourly.due(at("2030-01-01T04:00:00Z"), tick), Some(tick));
        assert_eq!(hourly.due(tick, at("2030-01-01T05:59:59.9Z")), None);
    }

    #[test]
    fn ticks_follow_the_zone_over_a_change_of_the_clock() {
        let morning = clockwork("0 9 * * *", "Europe/Berlin");
        assert_eq!(morning.next(at("2030-03-30T12:00:00Z")), Some(at("2030-03-31T07:00:00Z")));
        assert_eq!(morning.next(at("2030-03-29T12:00:00Z")), Some(at("2030-03-30T08:00:00Z")));
    }
}
