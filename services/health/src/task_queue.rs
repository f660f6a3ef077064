//! The question about the task queue: does it drain.

use queue::{Count, Stats};

use crate::database::{Kept, refused};
use crate::finding::Finding;
use crate::session::Connector;
use crate::settings::TaskQueueSettings;

/// Asks the queue for its figures.
pub(crate) struct TaskQueueProbe {
    asked: Kept,
    limits: TaskQueueSettings,
}

impl TaskQueueProbe {
    /// Connects at the first question.
    pub(crate) fn new(connector: Connector, limits: TaskQueueSettings) -> Self {
        Self { asked: Kept::new(connector), limits }
    }

    /// Asks.
    pub(crate) async fn ask(&mut self) -> Finding {
        let session = match self.asked.take().await {
            Ok(session) => session,
            Err(error) => return refused(&error),
        };
        match queue::stats_up_to(session.client(), self.limits.counted_max).await {
            Ok(stats) => {
                self.asked.put_back(session);
                judge(&stats, self.limits)
            }
            Err(queue::Error::Postgres(error)) => refused(&error),
            Err(_) => Finding::unhealthy("cannot be read"),
        }
    }
}

/// What the figures mean. The worst of it is said. A queue that somebody has paused waits as it should. However long a
/// backlog is, somebody works on it; unhealthy is a queue on which nobody does.
fn judge(stats: &Stats, limits: TaskQueueSettings) -> Finding {
    let open = stats.queues.iter().filter(|queue| !queue.paused);
    let oldest = open.map(|queue| queue.oldest_age_seconds).fold(0.0, f64::max);
    let dead_letters = stats.dead_letters();
    let finding = if stats.workers_alive == 0 && oldest > limits.unattended_age_seconds {
        Finding::unhealthy(format!("no worker is alive, and the oldest task waits for {oldest:.0} s"))
    } else if stats.workers_alive == 0 {
        Finding::degraded("no worker is alive")
    } else if oldest > limits.degraded_age_seconds {
        Finding::degraded(format!("the oldest task waits for {oldest:.0} s"))
    } else if dead_letters.number > 0 {
        Finding::degraded(format!("{dead_letters} tasks were given up"))
    } else if !stats.unknown_kinds.is_empty() {
        Finding::degraded("tasks wait that no worker knows")
    } else {
        Finding::healthy("drains")
    };
    figures(finding, stats, oldest)
}

fn figures(finding: Finding, stats: &Stats, oldest: f64) -> Finding {
    let ready: Count = stats.queues.iter().map(|queue| queue.ready).sum();
    let finding = finding
        .internal("ready", ready.number)
        .internal("ready_at_least", ready.at_least)
        .internal("running", stats.running)
        .internal("oldest_age_seconds", oldest.round())
        .internal("dead_letters", stats.dead_letters().number)
        .internal("workers_alive", stats.workers_alive)
        .internal("heartbeat_at", stats.heartbeat_at.map(|at| at.to_string()));
    match serde_json::to_value(&stats.queues) {
        Ok(queues) => finding.internal("queues", queues),
        Err(_) => finding,
    }
}

#[cfg(test)]
mod tests {
    use api::health::HealthStatus;
    use queue::{Limits, QueueStats, UnknownKind};

    use super::*;

    const LIMITS: TaskQueueSettings = TaskQueueSettings {
        interval_ms: 1_000,
        counted_max: 1_000,
        degraded_age_seconds: 300.0,
        unattended_age_seconds: 120.0,
    };

    fn stats(workers_alive: i64, oldest_age_seconds: f64, dead_letters: i64) -> Stats {
        let queue = QueueStats {
            name: "email".to_owned(),
            paused: false,
            limits: Limits::default(),
            ready: Count::exactly(1),
            delayed: Count::default(),
            waiting: Count::default(),
            running: Count::default(),
            oldest_age_seconds,
            dead_letters: Count::exactly(dead_letters),
        };
        Stats {
            queues: vec![queue],
            unknown_kinds: vec![],
            workers_alive,
            heartbeat_at: None,
            running: 0,
            buffered: 0,
        }
    }

    fn verdict(stats: &Stats) -> (HealthStatus, String) {
        let finding = judge(stats, LIMITS);
        (finding.status, finding.message)
    }

    #[test]
    fn nobody_at_work_is_unhealthy_once_something_waits_too_long() {
        assert_eq!(verdict(&stats(0, 0.0, 0)), (HealthStatus::Degraded, "no worker is alive".to_owned()));
        assert_eq!(verdict(&stats(0, 120.0, 0)).0, HealthStatus::Degraded);
        let (status, message) = verdict(&stats(0, 121.0, 0));
        assert_eq!(
            (status, message.as_str()),
            (HealthStatus::Unhealthy, "no worker is alive, and the oldest task waits for 121 s")
        );
    }

    #[test]
    fn a_backlog_that_is_worked_on_only_degrades() {
        assert_eq!(verdict(&stats(1, 300.0, 0)).0, HealthStatus::Healthy);
        assert_eq!(verdict(&stats(1, 301.0, 0)).0, HealthStatus::Degraded);
        assert_eq!(verdict(&stats(1, 1e9, 0)).0, HealthStatus::Degraded);
    }

    #[test]
    fn a_paused_queue_may_wait_as_long_as_it_likes() {
        let mut paused = stats(1, 9_000.0, 0);
        paused.queues[0].paused = true;
        assert_eq!(verdict(&paused).0, HealthStatus::Healthy);
        paused.workers_alive = 0;
        assert_eq!(verdict(&paused).0, HealthStatus::Degraded);
    }

    #[test]
    fn a_dead_letter_or_an_unknown_kind_degrades() {
        assert_eq!(verdict(&stats(1, 0.0, 2)), (HealthStatus::Degraded, "2 tasks were given up".to_owned()));
        let mut unknown = stats(1, 0.0, 0);
        unknown.unknown_kinds = vec![UnknownKind { kind: "old".to_owned(), tasks: 1 }];
        assert_eq!(verdict(&unknown).0, HealthStatus::Degraded);
    }
}
