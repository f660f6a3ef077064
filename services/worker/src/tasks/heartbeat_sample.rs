//! `heartbeat.sample`: shows that schedules tick, tasks run and the database answers, and how fast.
//!
//! The sample is the task's result; its row in the history tells when it was due, begun and done.

use std::time::Duration;

use jiff::Timestamp;
use queue::{Failure, Job};
use serde::Serialize;
use tokio::time::Instant;

use super::Tools;
use crate::metrics;

/// One sample.
#[derive(Serialize)]
pub(super) struct Sample {
    /// The tick.
    due_at: Timestamp,
    /// From the tick to the execution, by the database's clock.
    delay_ms: u128,
    /// What one question to the database took.
    database_ms: u128,
}

/// Measures, and keeps what was measured.
pub(super) async fn run(tools: Tools, job: Job) -> Result<Sample, Failure> {
    let begun = Instant::now();
    let now = app::upkeep::ask_time(&tools.store).await?;
    let answered_after = begun.elapsed();
    let delay = Duration::try_from(now.duration_since(job.run_at)).unwrap_or(Duration::ZERO);
    metrics::heartbeat(now, delay, answered_after);
    Ok(Sample { due_at: job.run_at, delay_ms: delay.as_millis(), database_ms: answered_after.as_millis() })
}
