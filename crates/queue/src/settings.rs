//! The limits of an engine.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Sets every wait, size and count of an [`crate::Engine`].
///
/// Each field has a default, an unknown key is an error, and [`EngineSettings::mistakes`] says what cannot work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineSettings {
    /// Names this process in `task_worker`, for people.
    pub name: String,
    /// Tasks running at once in this process, by queue; queues left out are not served.
    pub queues: BTreeMap<String, usize>,
    /// Tasks one claim takes at most from a queue.
    pub batch: usize,
    /// Tasks claimed ahead of those running at most, for each queue.
    pub buffer: usize,
    /// Claims ahead what is done in this time, within `buffer`: slow tasks are left to processes that are free.
    pub buffer_ms: u64,
    /// Tenants of a queue that have their share in one claim.
    pub tenants_per_claim: usize,
    /// While there is a backlog, claims go on where they ended; the heads of the queues are asked this often, or a twentieth
    /// of the time when that costs much.
    pub head_interval_ms: u64,
    /// Whether finished tasks and their attempts are remembered; without, a success leaves no trace and no result.
    pub history: bool,
    /// Looks for work at least this often, should a notification be lost.
    pub poll_interval_ms: u64,
    /// Looks for delayed tasks at most this often.
    pub promote_interval_ms: u64,
    /// Delayed tasks made ready in one statement.
    pub promote_batch: usize,
    /// How long a claim is valid without renewal; five heartbeats at least.
    pub lease_ms: u64,
    /// How often leases are renewed, the worker reports, and leases that ran out are looked for.
    pub heartbeat_ms: u64,
    /// How long a worker without heartbeat stays listed.
    pub worker_forget_ms: u64,
    /// After this many times that its worker fell silent, a task is buried.
    pub crash_max: i32,
    /// Tasks of a worker that fell silent come back after a random part of this; four times as long each further time.
    pub crash_pause_ms: u64,
    /// How often all live tasks are looked at for leases that ran out, though no worker fell silent.
    pub sweep_interval_ms: u64,
    /// Expired leases taken back in one statement.
    pub rescue_batch: usize,
    /// Finished tasks written in one statement.
    pub settle_batch: usize,
    /// How long running tasks may take to finish once the engine is told to stop.
    pub drain_timeout_ms: u64,
    /// How often depth and age of the queues are measured.
    pub stats_interval_ms: u64,
    /// Looks at the schedules at least this often, should the database's clock jump.
    pub schedule_interval_ms: u64,
    /// Missed ticks of a schedule that are made up one by one at most; the earliest are left out.
    pub catch_up_max: usize,
    /// How often progress that handlers report is written.
    pub progress_interval_ms: u64,
    /// The longest pause before PostgreSQL is tried again.
    pub retry_max_ms: u64,
    /// How long a statement of the engine may take before its connection is given up.
    pub statement_timeout_ms: u64,
    /// How long opening the listening connection may take.
    pub connect_timeout_ms: u64,
    /// Characters kept of an error's chain.
    pub error_chars_max: usize,
}

impl Default for EngineSettings {
    fn default() -> Self {
        let queues = [
            ("high_priority", 8),
            ("default", 8),
            ("email", 4),
            ("reports", 1),
            ("mqtt", 8),
            ("maintenance", 2),
        ];
        Self {
            name: "worker".to_owned(),
            queues: queues.into_iter().map(|(name, count)| (name.to_owned(), count)).collect(),
            batch: 1_000,
            buffer: 1_000,
            buffer_ms: 50,
            tenants_per_claim: 100,
            head_interval_ms: 20,
            history: true,
            poll_interval_ms: 5_000,
            promote_interval_ms: 100,
            promote_batch: 1_000,
            lease_ms: 60_000,
            heartbeat_ms: 10_000,
            worker_forget_ms: 3_600_000,
            crash_max: 3,
            crash_pause_ms: 5_000,
            sweep_interval_ms: 60_000,
            rescue_batch: 100,
            settle_batch: 1_000,
            drain_timeout_ms: 15_000,
            stats_interval_ms: 15_000,
            schedule_interval_ms: 30_000,
            catch_up_max: 100,
            progress_interval_ms: 1_000,
            retry_max_ms: 5_000,
            statement_timeout_ms: 15_000,
            connect_timeout_ms: 3_000,
            error_chars_max: 4_000,
        }
    }
}

impl EngineSettings {
    /// Says which keys hold values that cannot work, and what to do about each.
    pub fn mistakes(&self) -> Vec<(&'static str, &'static str)> {
        let refused = [
            (self.name.chars().count() > 200, "name", "use at most 200 characters"),
            (self.queues.is_empty(), "queues", "name at least one queue"),
            (
                self.queues.values().any(|count| *count == 0),
                "queues",
                "leave a queue out instead of giving it 0",
            ),
            (self.batch == 0, "batch", "use at least 1"),
            (self.tenants_per_claim == 0, "tenants_per_claim", "use at least 1"),
            (self.sweep_interval_ms == 0, "sweep_interval_ms", "use at least 1"),
            (self.poll_interval_ms == 0, "poll_interval_ms", "use at least 1"),
            (self.promote_interval_ms == 0, "promote_interval_ms", "use at least 1"),
            (self.promote_batch == 0, "promote_batch", "use at least 1"),
            (self.heartbeat_ms == 0, "heartbeat_ms", "use at least 1"),
            (self.lease_ms < self.heartbeat_ms.saturating_mul(5), "lease_ms", "use at least five heartbeats"),
            (self.worker_forget_ms < self.lease_ms, "worker_forget_ms", "use at least lease_ms"),
            (self.crash_max < 1, "crash_max", "use at least 1"),
            (self.rescue_batch == 0, "rescue_batch", "use at least 1"),
            (self.settle_batch == 0, "settle_batch", "use at least 1"),
            (self.stats_interval_ms == 0, "stats_interval_ms", "use at least 1"),
            (
                self.schedule_interval_ms == 0 || self.schedule_interval_ms > 300_000,
                "schedule_interval_ms",
                "use 1 to 300000: engines show by it that they know a schedule",
            ),
            (self.catch_up_max == 0, "catch_up_max", "use at least 1"),
            (self.progress_interval_ms == 0, "progress_interval_ms", "use at least 1"),
            (self.retry_max_ms == 0, "retry_max_ms", "use at least 1"),
            (self.statement_timeout_ms == 0, "statement_timeout_ms", "use at least 1"),
            (self.connect_timeout_ms == 0, "connect_timeout_ms", "use at least 1"),
        ];
        refused.into_iter().filter_map(|(wrong, key, advice)| wrong.then_some((key, advice))).collect()
    }

    pub(crate) fn poll_interval(&self) -> Duration {
        Duration::from_millis(self.poll_interval_ms)
    }

    pub(crate) fn promote_interval(&self) -> Duration {
        Duration::from_millis(self.promote_interval_ms)
    }

    pub(crate) fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }

    pub(crate) fn heartbeat(&self) -> Duration {
        Duration::from_millis(self.heartbeat_ms)
    }

    pub(crate) fn drain_timeout(&self) -> Duration {
        Duration::from_millis(self.drain_timeout_ms)
    }
}
