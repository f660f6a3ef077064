//! Whether auth would tell if a session ended.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// When each revocation stream last beat.
#[derive(Debug)]
pub(crate) struct Pulse {
    started: Instant,
    silence_max: Duration,
    /// Milliseconds since the start, by stream; 0 while there is none.
    beats: Vec<AtomicU64>,
    /// The last beat of any of them.
    last: AtomicU64,
}

impl Pulse {
    /// Nothing beats yet.
    pub(crate) fn new(streams: usize, silence_max: Duration) -> Self {
        Self {
            started: Instant::now(),
            silence_max,
            beats: (0..streams).map(|_| AtomicU64::new(0)).collect(),
            last: AtomicU64::new(0),
        }
    }

    /// Whether at least one stream beat lately: each of them carries every revocation.
    pub(crate) fn is_felt(&self) -> bool {
        let elapsed = self.elapsed_ms();
        let silence_max = u64::try_from(self.silence_max.as_millis()).unwrap_or(u64::MAX);
        let is_recent = |beat: u64| beat != 0 && elapsed.saturating_sub(beat) <= silence_max;
        self.beats.iter().any(|beat| is_recent(beat.load(Ordering::Acquire)))
    }

    /// Whether a stream beat within a time, though none may do so any more.
    pub(crate) fn was_felt_within(&self, time: Duration) -> bool {
        let last = self.last.load(Ordering::Acquire);
        let time = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        last != 0 && self.elapsed_ms().saturating_sub(last) < time
    }

    /// A stream beat.
    pub(crate) fn beat(&self, stream: usize) {
        let moment = self.elapsed_ms().max(1);
        self.last.fetch_max(moment, Ordering::AcqRel);
        self.set(stream, moment);
    }

    /// A stream ended.
    pub(crate) fn stop(&self, stream: usize) {
        self.set(stream, 0);
    }

    fn set(&self, stream: usize, value: u64) {
        if let Some(beat) = self.beats.get(stream) {
            beat.store(value, Ordering::Release);
        }
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_beating_stream_is_enough() {
        let pulse = Pulse::new(2, Duration::from_secs(3));
        assert!(!pulse.is_felt());
        pulse.beat(1);
        assert!(pulse.is_felt());
        pulse.beat(0);
        pulse.stop(1);
        assert!(pulse.is_felt());
        pulse.stop(0);
        assert!(!pulse.is_felt());
    }

    #[test]
    fn an_old_beat_is_none() {
        let started = Instant::now().checked_sub(Duration::from_secs(10)).unwrap();
        let pulse = Pulse {
            started,
            silence_max: Duration::from_secs(3),
            beats: vec![AtomicU64::new(6_000)],
            last: AtomicU64::new(6_000),
        };
        assert!(!pulse.is_felt());
        assert!(pulse.was_felt_within(Duration::from_secs(5)));
        assert!(!pulse.was_felt_within(Duration::from_secs(3)));
        pulse.beat(0);
        assert!(pulse.is_felt());
        pulse.stop(0);
        assert!(pulse.was_felt_within(Duration::from_secs(3)));
    }

    #[test]
    fn who_never_felt_anything_has_nothing_to_go_on_with() {
        assert!(!Pulse::new(1, Duration::from_secs(3)).was_felt_within(Duration::from_hours(1)));
    }
}
