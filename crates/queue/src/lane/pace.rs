//! How much of a queue a process claims ahead of what it runs.

use std::time::Duration;

use tokio::time::Instant;

use crate::EngineSettings;

/// How many tasks are worth claiming ahead: what the process gets done in a moment, within limits. Slow tasks are so left
/// to processes that are free, and quick ones come in batches worth a round trip.
#[derive(Debug)]
pub(super) struct Pace {
    concurrency: usize,
    most: usize,
    moment: Duration,
    ahead: usize,
    finished: usize,
    since: Instant,
}

impl Pace {
    pub(super) fn new(concurrency: usize, settings: &EngineSettings) -> Self {
        Self {
            concurrency,
            most: settings.buffer,
            moment: Duration::from_millis(settings.buffer_ms),
            ahead: concurrency.min(settings.buffer),
            finished: 0,
            since: Instant::now(),
        }
    }

    pub(super) fn ahead(&self) -> usize {
        self.ahead
    }

    pub(super) fn finished(&mut self) {
        self.finished = self.finished.saturating_add(1);
    }

    /// Measures what was done since the claim before: grows at once, shrinks by halves, to nothing where tasks are slow. A few
    /// slow tasks that end at the same moment do not look quick: fewer than run at once are counted over a moment at least.
    pub(super) fn claimed(&mut self, now: Instant) {
        let passed = now.duration_since(self.since);
        if self.finished < self.concurrency && passed < self.moment {
            return;
        }
        let done = u128::try_from(self.finished).unwrap_or(u128::MAX).saturating_mul(self.moment.as_micros());
        let due = usize::try_from(done / passed.as_micros().max(1)).unwrap_or(usize::MAX).min(self.most);
        self.ahead = if due >= self.ahead { due } else { usize::midpoint(self.ahead, due) };
        (self.finished, self.since) = (0, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_slow_claims_little_ahead_and_a_quick_one_much() {
        let settings = EngineSettings { buffer: 1_000, buffer_ms: 100, ..EngineSettings::default() };
        let mut pace = Pace::new(4, &settings);
        let begin = pace.since;
        (0..500).for_each(|_| pace.finished());
        pace.claimed(begin + Duration::from_millis(100));
        assert_eq!(pace.ahead(), 500);
        pace.finished();
        pace.claimed(begin + Duration::from_secs(10));
        assert_eq!(pace.ahead(), 250);
        (2..20).for_each(|second| pace.claimed(begin + Duration::from_secs(second * 10)));
        assert_eq!(pace.ahead(), 0, "what is slow is left to others");
    }

    #[test]
    fn slow_tasks_that_end_at_the_same_moment_do_not_look_quick() {
        let mut pace = Pace::new(8, &EngineSettings::default());
        let mut now = pace.since;
        for _ in 0..8 {
            now += Duration::from_mins(30);
            pace.finished();
            pace.claimed(now);
            (1..8).for_each(|_| pace.finished());
            pace.claimed(now + Duration::from_millis(3));
        }
        assert_eq!(pace.ahead(), 0);
    }
}
