//! The tasks of one queue within the process: counted, never more than allowed.

use std::collections::{HashSet, VecDeque};

use crate::claim::{Claimed, Key};

/// One queue as this process serves it.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) queue: String,
    concurrency: usize,
    buffer: usize,
    running: usize,
    waiting: VecDeque<Claimed>,
    /// Whether the table may hold ready tasks: a claim that came up short says no, a wake-up says yes.
    more: bool,
}

impl Lane {
    pub(crate) fn new(queue: String, concurrency: usize, buffer: usize) -> Self {
        Self { queue, concurrency, buffer, running: 0, waiting: VecDeque::new(), more: true }
    }

    /// How many to claim; none while the buffer is more than half full, so that claims stay worth their round trip.
    pub(crate) fn wanted(&self, batch: usize) -> usize {
        if !self.more || self.waiting.len() * 2 > self.buffer {
            return 0;
        }
        (self.concurrency + self.buffer).saturating_sub(self.running + self.waiting.len()).min(batch)
    }

    /// Expects work in the table.
    pub(crate) fn wake(&mut self) {
        self.more = true;
    }

    /// Remembers that the table had less than was asked for.
    pub(crate) fn exhaust(&mut self) {
        self.more = false;
    }

    pub(crate) fn push(&mut self, task: Claimed) {
        self.waiting.push_back(task);
    }

    /// Takes the next task to run, if one may run.
    pub(crate) fn start_next(&mut self) -> Option<Claimed> {
        if self.running >= self.concurrency {
            return None;
        }
        let task = self.waiting.pop_front()?;
        self.running += 1;
        Some(task)
    }

    /// Counts one that has ended.
    pub(crate) fn finish(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    /// Takes out those of the waiting tasks that are lost; answers which they were.
    pub(crate) fn remove_all(&mut self, lost: &HashSet<Key>) -> Vec<Key> {
        let (gone, kept): (VecDeque<_>, _) =
            self.waiting.drain(..).partition(|task| lost.contains(&task.key()));
        self.waiting = kept;
        gone.iter().map(Claimed::key).collect()
    }

    pub(crate) fn empty(&mut self) -> impl Iterator<Item = Claimed> + '_ {
        self.waiting.drain(..)
    }

    pub(crate) fn running(&self) -> usize {
        self.running
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claim::tests::claimed;

    fn lane(concurrency: usize, buffer: usize) -> Lane {
        Lane::new("default".to_owned(), concurrency, buffer)
    }

    #[test]
    fn a_lane_wants_what_it_can_run_and_buffer_but_no_more_than_a_batch() {
        assert_eq!(lane(2, 4).wanted(100), 6);
        assert_eq!(lane(2, 4).wanted(3), 3);
        assert_eq!(lane(1, 0).wanted(100), 1);
    }

    #[test]
    fn a_lane_claims_again_once_half_its_buffer_is_empty() {
        let mut lane = lane(1, 4);
        (0..4).for_each(|_| lane.push(claimed()));
        assert_eq!(lane.wanted(100), 0);
        assert!(lane.start_next().is_some());
        assert_eq!(lane.wanted(100), 0);
        lane.finish();
        assert!(lane.start_next().is_some());
        assert_eq!(lane.wanted(100), 2);
    }

    #[test]
    fn a_lane_runs_no_more_than_it_may() {
        let mut lane = lane(2, 4);
        (0..3).for_each(|_| lane.push(claimed()));
        assert!(lane.start_next().is_some() && lane.start_next().is_some());
        assert!(lane.start_next().is_none());
        lane.finish();
        assert!(lane.start_next().is_some());
        assert_eq!((lane.running(), lane.waiting()), (2, 0));
    }

    #[test]
    fn an_exhausted_lane_asks_when_woken() {
        let mut lane = lane(1, 0);
        lane.exhaust();
        assert_eq!(lane.wanted(100), 0);
        lane.wake();
        assert_eq!(lane.wanted(100), 1);
    }
}
