//! The prober: one loop per target, each with its own interval and time limit.

use std::time::Instant;

use service::Clock;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::finding::{Finding, Observation};
use crate::metrics;
use crate::settings::ProbeSettings;
use crate::targets::Target;

/// Asks one target for ever and writes down what it saw. A question that takes longer than the limit is dropped,
/// and with it whatever connection it held.
pub(crate) async fn watch_target(
    mut target: Target,
    pace: ProbeSettings,
    clock: Clock,
    board: watch::Sender<Option<Observation>>,
) {
    let mut ticks = tokio::time::interval(target.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let started = Instant::now();
        let finding = match tokio::time::timeout(pace.time_limit(), target.probe.ask()).await {
            Ok(finding) => finding,
            Err(_elapsed) => Finding::unhealthy(format!("no answer within {} ms", pace.time_limit_ms)),
        };
        let duration = started.elapsed();
        metrics::asked(&target.name, finding.status, duration);
        let at = clock.now();
        board.send_modify(|last| *last = Some(Observation::following(last.as_ref(), finding, at, duration)));
    }
}
