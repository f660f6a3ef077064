//! Tasks that come by the clock.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;
use std::time::Duration;

use croner::Cron;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::columns::args_of;
use crate::kind::Uniqueness;
use crate::{Error, Kind, NewTask};

const NAME_CHARS_MAX: usize = 100;

/// Expressions are no finer.
const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// Enqueues a task at every tick of a cron expression, once for any number of engines.
#[derive(Debug, Clone)]
pub struct Schedule {
    pub(crate) name: String,
    pub(crate) cron: String,
    pub(crate) time_zone: String,
    pub(crate) task: NewTask,
    pub(crate) catch_up: CatchUp,
}

/// What becomes of ticks that were missed while no engine ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CatchUp {
    /// They are left out.
    None,
    /// One task makes up for them, for the latest of them.
    #[default]
    Latest,
    /// Each gets its task, the oldest first; of more than `catch_up_max` the latest.
    All,
}

impl CatchUp {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Latest => "LATEST",
            Self::All => "ALL",
        }
    }
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
        Self {
            name: name.into(),
            cron: cron.into(),
            time_zone: time_zone.into(),
            task,
            catch_up: CatchUp::default(),
        }
    }

    /// Says what becomes of ticks that were missed while no engine ran; [`CatchUp::Latest`] unless told otherwise.
    #[must_use]
    pub fn catch_up(mut self, catch_up: CatchUp) -> Self {
        self.catch_up = catch_up;
        self
    }

    /// What makes the schedule unusable, if anything.
    fn mistake(&self) -> Option<&'static str> {
        match self.name.chars().count() {
            1..=NAME_CHARS_MAX => self.task.mistake(),
            _ => Some("give the schedule a name of 1 to 100 characters"),
        }
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
        Ok(Clockwork { schedule: self, cron, zone, unique_by_args: false })
    }
}

/// Checks a cron expression and a time zone without building a schedule.
///
/// # Errors
/// [`Error::Cron`] and [`Error::TimeZone`].
pub fn check_cron(cron: &str, time_zone: &str) -> Result<(), Error> {
    Schedule::cron(cron, cron, time_zone, NewTask::new(cron, &())).parse().map(drop)
}

/// Checks all schedules of an engine against its kinds.
pub(crate) fn check(schedules: Vec<Schedule>, kinds: &[Kind]) -> Result<Vec<Clockwork>, Error> {
    let kinds: HashMap<&str, &Kind> = kinds.iter().map(|kind| (kind.name.as_str(), kind)).collect();
    let mut names = HashSet::new();
    let mut checked = Vec::with_capacity(schedules.len());
    for schedule in schedules {
        if !names.insert(schedule.name.clone()) {
            return Err(Error::Duplicate { name: schedule.name });
        }
        let Some(kind) = kinds.get(schedule.task.kind.as_str()) else {
            return Err(Error::UnregisteredKind { schedule: schedule.name, kind: schedule.task.kind });
        };
        if let Some(advice) = schedule.mistake() {
            return Err(Error::Unusable { name: schedule.name, advice });
        }
        if let Err(source) = (kind.reads)(args_of(&schedule.task)?.0) {
            return Err(Error::ScheduledArgs { schedule: schedule.name, kind: schedule.task.kind, source });
        }
        let unique_by_args = kind.uniqueness == Uniqueness::Args;
        checked.push(Clockwork { unique_by_args, ..schedule.parse()? });
    }
    Ok(checked)
}

/// A schedule that was checked and can tell its ticks.
#[derive(Debug, Clone)]
pub(crate) struct Clockwork {
    pub(crate) schedule: Schedule,
    cron: Cron,
    zone: TimeZone,
    /// The kind makes keys of arguments, which is what its schedules want as well.
    unique_by_args: bool,
}

/// What is made of ticks that come late.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// A tick that is later than this was missed.
    pub(crate) late_max: Duration,
    /// How many ticks are made up at once.
    pub(crate) ticks_max: usize,
}

/// Ticks that have come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) latest: Timestamp,
    /// Those that get a task, in order.
    pub(crate) ticks: Vec<Timestamp>,
}

impl Clockwork {
    /// The ticks after `last` up to `now`, as far as they are made up.
    pub(crate) fn due(&self, last: Timestamp, now: Timestamp, patience: Patience) -> Option<Due> {
        let latest = self.latest(now)?;
        if latest <= last {
            return None;
        }
        let lateness = Duration::try_from(now.duration_since(latest)).unwrap_or(Duration::ZERO);
        let ticks = match self.schedule.catch_up {
            CatchUp::None if lateness > patience.late_max => Vec::new(),
            CatchUp::None | CatchUp::Latest => vec![latest],
            CatchUp::All => {
                let earlier = |tick: &Timestamp| self.latest(tick.checked_sub(SECOND).ok()?);
                let missed = std::iter::successors(Some(latest), earlier).take_while(|tick| *tick > last);
                let mut ticks: Vec<Timestamp> = missed.take(patience.ticks_max).collect();
                ticks.reverse();
                ticks
            }
        };
        Some(Due { latest, ticks })
    }

    /// The first tick after `now`; none when the expression never matches again.
    pub(crate) fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let local = now.to_zoned(self.zone.clone());
        self.cron.find_next_occurrence(&local, false).ok().map(|tick| tick.timestamp())
    }

    /// The last tick up to and including `now`.
    fn latest(&self, now: Timestamp) -> Option<Timestamp> {
        let local = now.to_zoned(self.zone.clone());
        self.cron.find_previous_occurrence(&local, true).ok().map(|tick| tick.timestamp())
    }

    /// The task of a tick, due at that time; the key keeps a tick that is repeated by hand from running beside itself.
    pub(crate) fn task_at(&self, tick: Timestamp) -> NewTask {
        let task = self.schedule.task.clone();
        let task = if task.run_at.is_none() && task.delay.is_none() { task.run_at(tick) } else { task };
        match task.key {
            Some(_) => task,
            None if self.unique_by_args => task,
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

    const PATIENCE: Patience = Patience { late_max: Duration::from_secs(30), ticks_max: 3 };

    fn ticks(clockwork: &Clockwork, last: &str, now: &str) -> Vec<String> {
        let due = clockwork.due(at(last), at(now), PATIENCE);
        due.map(|due| due.ticks.iter().map(Timestamp::to_string).collect()).unwrap_or_default()
    }

    fn catching_up(catch_up: CatchUp) -> Clockwork {
        Schedule::cron("hourly", "0 * * * *", "UTC", NewTask::new("a", &()))
            .catch_up(catch_up)
            .parse()
            .unwrap()
    }

    #[test]
    fn missed_ticks_are_made_up_by_the_latest_unless_told_otherwise() {
        let hourly = clockwork("0 * * * *", "UTC");
        assert_eq!(ticks(&hourly, "2030-01-01T00:00:00Z", "2030-01-01T05:30:00Z"), ["2030-01-01T05:00:00Z"]);
    }

    #[test]
    fn missed_ticks_are_left_out_where_the_schedule_says_so_but_not_one_that_is_a_little_late() {
        let hourly = catching_up(CatchUp::None);
        let now = at("2030-01-01T05:30:00Z");
        let due = hourly.due(at("2030-01-01T00:00:00Z"), now, PATIENCE).unwrap();
        assert_eq!(due, Due { latest: at("2030-01-01T05:00:00Z"), ticks: Vec::new() });
        assert_eq!(ticks(&hourly, "2030-01-01T00:00:00Z", "2030-01-01T05:00:30Z"), ["2030-01-01T05:00:00Z"]);
    }

    #[test]
    fn all_missed_ticks_are_made_up_in_order_up_to_the_limit() {
        let hourly = catching_up(CatchUp::All);
        let two = ["2030-01-01T04:00:00Z", "2030-01-01T05:00:00Z"];
        assert_eq!(ticks(&hourly, "2030-01-01T03:00:00Z", "2030-01-01T05:30:00Z"), two);
        let latest = ["2030-01-01T03:00:00Z", "2030-01-01T04:00:00Z", "2030-01-01T05:00:00Z"];
        assert_eq!(ticks(&hourly, "2030-01-01T00:00:00Z", "2030-01-01T05:30:00Z"), latest);
    }

    #[test]
    fn a_tick_is_due_at_its_very_second_and_once() {
        let hourly = clockwork("0 * * * *", "UTC");
        assert_eq!(ticks(&hourly, "2030-01-01T04:00:00Z", "2030-01-01T05:00:00Z"), ["2030-01-01T05:00:00Z"]);
        assert_eq!(hourly.due(at("2030-01-01T05:00:00Z"), at("2030-01-01T05:59:59.9Z"), PATIENCE), None);
    }

    #[test]
    fn ticks_follow_the_zone_over_a_change_of_the_clock() {
        let morning = clockwork("0 9 * * *", "Europe/Berlin");
        assert_eq!(morning.next(at("2030-03-30T12:00:00Z")), Some(at("2030-03-31T07:00:00Z")));
        assert_eq!(morning.next(at("2030-03-29T12:00:00Z")), Some(at("2030-03-30T08:00:00Z")));
    }

    #[test]
    fn a_time_in_the_hour_that_is_skipped_comes_right_after_it() {
        // At 02:00 on 31 March 2030 Berlin goes on to 03:00, which is 01:00 UTC.
        let nightly = clockwork("30 2 * * *", "Europe/Berlin");
        assert_eq!(nightly.next(at("2030-03-30T12:00:00Z")), Some(at("2030-03-31T01:00:00Z")));
        assert_eq!(nightly.next(at("2030-03-31T01:00:00Z")), Some(at("2030-04-01T00:30:00Z")));
        assert_eq!(nightly.latest(at("2030-03-31T12:00:00Z")), Some(at("2030-03-31T01:00:00Z")));
    }

    #[test]
    fn a_time_in_the_hour_that_is_repeated_comes_once() {
        // At 03:00 on 27 October 2030 Berlin goes back to 02:00: 02:30 is 00:30 UTC, and again 01:30 UTC.
        let nightly = clockwork("30 2 * * *", "Europe/Berlin");
        assert_eq!(nightly.next(at("2030-10-26T12:00:00Z")), Some(at("2030-10-27T00:30:00Z")));
        assert_eq!(nightly.next(at("2030-10-27T00:30:00Z")), Some(at("2030-10-28T01:30:00Z")));
        assert_eq!(nightly.latest(at("2030-10-27T12:00:00Z")), Some(at("2030-10-27T00:30:00Z")));
    }

    #[test]
    fn what_comes_every_half_hour_comes_in_both_hours_that_have_one_name() {
        let often = clockwork("*/30 * * * *", "Europe/Berlin");
        let mut tick = at("2030-10-26T23:45:00Z");
        let mut seen = Vec::new();
        for _ in 0..5 {
            tick = often.next(tick).unwrap();
            seen.push(tick.strftime("%H:%M").to_string());
        }
        assert_eq!(seen, ["00:00", "00:30", "01:00", "01:30", "02:00"]);
    }

    #[test]
    fn looking_back_finds_the_ticks_that_looking_ahead_announced() {
        for cron in ["30 2 * * *", "0 3 * * *", "*/20 1-3 * * *", "0 0 29 2 *", "15 2 * * SUN"] {
            let clockwork = clockwork(cron, "Europe/Berlin");
            for start in ["2030-03-30T20:00:00Z", "2030-10-26T20:00:00Z", "2031-12-31T23:59:59Z"] {
                let mut tick = at(start);
                for _ in 0..12 {
                    tick = clockwork.next(tick).unwrap();
                    assert_eq!(clockwork.latest(tick), Some(tick), "{cron} from {start}");
                }
            }
        }
    }

    #[test]
    fn a_task_of_a_tick_is_due_at_the_tick_and_known_by_it() {
        let task = clockwork("0 * * * *", "UTC").task_at(at("2030-01-01T05:00:00Z"));
        assert_eq!(task.run_at, Some(at("2030-01-01T05:00:00Z")));
        let key = task.key.as_ref().and_then(crate::keys::TaskKey::live);
        assert_eq!(key, Some("nightly@2030-01-01T05:00:00Z"));
    }

    #[test]
    fn expressions_and_zones_are_checked_without_a_schedule() {
        assert!(check_cron("*/5 * * * *", "Asia/Kolkata").is_ok());
        assert!(matches!(check_cron("often", "UTC"), Err(Error::Cron { .. })));
        assert!(matches!(check_cron("* * * * *", "Mars/Olympus"), Err(Error::TimeZone { .. })));
    }
}
