//! The rules of the queue in small: what each step makes of the facts.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::facts::{Facts, Letter, State, Task, Wait};
use super::operation::Shape;
use crate::attempt::{Fate, Verdict};

pub(crate) const LEASE: i64 = 60_000;
pub(crate) const ATTEMPTS_MAX: i32 = 3;
pub(crate) const CRASH_MAX: i32 = 2;
/// Half of it is waited for, as the simulation's chance has it; in milliseconds.
pub(crate) const CRASH_PAUSE: i64 = 400;
/// A worker whose last heartbeat is older is taken for dead.
pub(crate) const SILENT_AFTER: i64 = 20_000;

/// How a task leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Succeeded,
    Cancelled,
    /// With this reason.
    Buried(&'static str),
}

impl Facts {
    /// The task that has a key.
    pub(crate) fn holder(&self, key: &str) -> Option<Uuid> {
        self.tasks.iter().find(|(_, task)| task.key.as_deref() == Some(key)).map(|(id, _)| *id)
    }

    /// Those that wait for a task.
    pub(crate) fn children(&self, parent: Uuid) -> impl Iterator<Item = Uuid> + '_ {
        self.waits.iter().filter(move |wait| wait.parent == parent).map(|wait| wait.child)
    }

    /// Whether a worker holds a task in this attempt.
    pub(crate) fn is_held(&self, id: Uuid, worker: Uuid, attempt: i32) -> bool {
        let held = |task: &Task| task.attempt == attempt && task.lease.is_some_and(|lease| lease.0 == worker);
        self.tasks.get(&id).is_some_and(held)
    }

    pub(crate) fn attempted(&mut self, id: Uuid, outcome: &str) {
        let outcomes = self.attempts.entry(id).or_default();
        outcomes.push(outcome.to_owned());
        outcomes.sort();
    }

    /// Takes a task away, and tells those that wait for it.
    pub(crate) fn end(&mut self, id: Uuid, end: End, now: i64) {
        let task = self.tasks.remove(&id).expect("only live tasks end");
        let outcome = match end {
            End::Succeeded => "SUCCEEDED",
            End::Cancelled => "CANCELLED",
            End::Buried(_) => "BURIED",
        };
        let ends = self.ends.entry(id).or_default();
        ends.push(outcome.to_owned());
        ends.sort();
        if let End::Buried(reason) = end {
            let Task { queue, tenant, priority, attempt, crashes, key, .. } = task;
            let task = Task { queue, tenant, priority, attempt, crashes, key, ..Task::buried() };
            self.letters.insert(id, Letter { reason: reason.to_owned(), task });
        }
        self.follow(id, end, now);
    }

    fn follow(&mut self, parent: Uuid, end: End, now: i64) {
        let told: Vec<_> = self.waits.iter().filter(|wait| wait.parent == parent).cloned().collect();
        for wait in told {
            self.waits.remove(&wait);
            let Some(child) = self.tasks.get_mut(&wait.child) else { continue };
            if child.state != State::Waiting {
                continue;
            }
            child.pending -= 1;
            let (good, last) = (end == End::Succeeded || wait.even_if_failed, child.pending == 0);
            let decided = if child.any_of { good || last } else { !good || last };
            if !decided {
                continue;
            }
            child.pending = 0;
            child.cancelled = !good;
            let delayed = good && child.run_at > now;
            child.state = if delayed { State::Delayed } else { State::Ready };
        }
    }

    pub(crate) fn claim(&mut self, id: Uuid, worker: Uuid, now: i64) -> &mut Task {
        let task = self.tasks.get_mut(&id).expect("only live tasks are claimed");
        task.state = State::Running;
        task.attempt += 1;
        task.lease = Some((worker, now + LEASE));
        if task.until_start {
            task.key = None;
        }
        task
    }

    /// A verdict counts while its worker holds the task in the same attempt.
    pub(crate) fn settle(&mut self, worker: Uuid, verdict: &Verdict, now: i64) {
        let id = verdict.id;
        if !self.is_held(id, worker, verdict.attempt) {
            return;
        }
        let unwanted = verdict.fate != Fate::Done && self.tasks.get(&id).is_some_and(|task| task.cancelled);
        if unwanted {
            // What was put off ends by being cancelled; another outcome is told as it was.
            let outcome = verdict.outcome.as_str();
            self.attempted(id, if outcome == "SNOOZED" { "CANCELLED" } else { outcome });
            return self.end(id, End::Cancelled, now);
        }
        self.attempted(id, verdict.outcome.as_str());
        let (pause, attempts) = match verdict.fate {
            Fate::Done => return self.end(id, End::Succeeded, now),
            Fate::Exhausted => return self.end(id, End::Buried("EXHAUSTED"), now),
            Fate::Permanent => return self.end(id, End::Buried("PERMANENT"), now),
            Fate::Cancelled => return self.end(id, End::Cancelled, now),
            // The clock of the simulation comes with dice that always fall on the middle.
            Fate::Retry(pause) => (pause / 2, verdict.attempt),
            Fate::Snooze(pause) => (pause, verdict.attempt - 1),
        };
        let pause = i64::try_from(pause.as_millis()).unwrap();
        let task = self.tasks.get_mut(&id).expect("it is held");
        task.state = if pause > 0 { State::Delayed } else { State::Ready };
        task.run_at = now + pause;
        task.attempt = attempts;
        (task.lease, task.counted) = (None, false);
    }

    /// Gives tasks back whose attempt does not count.
    pub(crate) fn give_back(&mut self, id: Uuid) {
        let task = self.tasks.get_mut(&id).expect("it is held");
        task.state = State::Ready;
        task.attempt -= 1;
        (task.lease, task.counted) = (None, false);
    }

    pub(crate) fn renew(&mut self, worker: Uuid, asked: &[Uuid], locked: &BTreeSet<Uuid>, now: i64) {
        for id in asked.iter().filter(|id| !locked.contains(id)) {
            if let Some(lease) = self.tasks.get_mut(id).and_then(|task| task.lease.as_mut())
                && lease.0 == worker
            {
                lease.1 = now + LEASE;
            }
        }
    }

    /// Takes back what nobody holds any more.
    pub(crate) fn rescue(&mut self, locked: &BTreeSet<Uuid>, now: i64) {
        let late: BTreeMap<Uuid, Task> = self
            .tasks
            .iter()
            .filter(|(id, task)| !locked.contains(id) && task.lease.is_some_and(|lease| lease.1 < now))
            .map(|(id, task)| (*id, task.clone()))
            .collect();
        for (id, task) in late {
            let worker = task.lease.expect("only held tasks are late").0;
            let alive = self.workers.get(&worker).is_some_and(|beat| *beat > now - SILENT_AFTER);
            self.attempted(id, if alive { "FAILED" } else { "CRASHED" });
            let crashes = task.crashes + i32::from(!alive);
            let left = self.tasks.get_mut(&id).expect("it was live a moment ago");
            left.crashes = crashes;
            (left.lease, left.counted, left.state) = (None, false, State::Ready);
            if !alive && !task.cancelled {
                left.state = State::Delayed;
                left.run_at = now + CRASH_PAUSE / 2 * 4_i64.pow(u32::try_from(task.crashes).unwrap());
            }
            if task.cancelled {
                continue;
            }
            if alive && task.attempt - task.crashes >= ATTEMPTS_MAX {
                self.end(id, End::Buried("EXHAUSTED"), now);
            } else if !alive && crashes >= CRASH_MAX {
                self.end(id, End::Buried("CRASHED"), now);
            }
        }
    }

    pub(crate) fn promote(&mut self, locked: &BTreeSet<Uuid>, now: i64) {
        for (id, task) in &mut self.tasks {
            if task.state == State::Delayed && task.run_at <= now && !locked.contains(id) {
                task.state = State::Ready;
            }
        }
    }

    /// Cancels by hand: at once what does not run.
    pub(crate) fn cancel(&mut self, id: Uuid, now: i64) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        if task.state == State::Running {
            task.cancelled = true;
            return;
        }
        self.waits.retain(|wait| wait.child != id);
        self.end(id, End::Cancelled, now);
    }

    pub(crate) fn revive(&mut self, id: Uuid, now: i64) {
        let letter = self.letters.remove(&id).expect("only letters are revived");
        let task = Task { run_at: now, attempt: 0, crashes: 0, ..letter.task };
        self.tasks.insert(id, task);
    }
}

impl Facts {
    /// Lets the tasks of a workflow wait for each other.
    pub(crate) fn link(&mut self, shape: Shape, [a, b, c, d]: &[Uuid; 4]) {
        let waits = match shape {
            Shape::Chain => vec![(b, a), (c, b), (d, c)],
            Shape::Diamond => vec![(b, a), (c, a), (d, b), (d, c)],
            Shape::Either => vec![(c, a), (c, b), (d, c)],
            Shape::Regardless => vec![(c, a), (c, b), (d, b), (d, c)],
        };
        for (child, parent) in waits {
            let even_if_failed = matches!(shape, Shape::Regardless) && child == c;
            self.waits.insert(Wait { child: *child, parent: *parent, even_if_failed });
            let child = self.tasks.get_mut(child).expect("it was just enqueued");
            child.state = State::Waiting;
            child.pending += 1;
        }
    }
}
