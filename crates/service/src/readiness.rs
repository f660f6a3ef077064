//! Whether the process can do its work, asked in the background and answered from memory.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::{Drain, Tasks};

/// How often every probe runs.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long one probe may take.
const LIMIT: Duration = Duration::from_secs(2);

type Checks = Vec<(&'static str, watch::Receiver<Result<(), String>>)>;

/// Knows whether the process takes work: started, not draining, every dependency answers.
#[derive(Clone)]
pub struct Readiness {
    tasks: Tasks,
    drain: Drain,
    started: Arc<AtomicBool>,
    checks: watch::Sender<Checks>,
}

/// What `/readyz` answers.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) ready: bool,
    draining: bool,
    started: bool,
    checks: Vec<Check>,
}

#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Readiness {
    /// Nothing to ask yet.
    pub(crate) fn new(tasks: Tasks, drain: Drain) -> Self {
        let (checks, _) = watch::channel(Vec::new());
        Self { tasks, drain, started: Arc::new(AtomicBool::new(false)), checks }
    }

    /// Adds something that must answer; asked each second for at most two, unready until it first succeeds.
    pub fn add<F, Fut>(&self, name: &'static str, probe: F)
    where
        F: Fn() -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), String>> + Send + 'static,
    {
        let (sender, receiver) = watch::channel(Err("not asked yet".to_owned()));
        self.checks.send_modify(|checks| checks.push((name, receiver)));
        let drain = self.drain.clone();
        self.tasks.spawn("readiness", async move {
            let mut ticks = tokio::time::interval(INTERVAL);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = ticks.tick() => keep(name, &sender, ask(probe()).await),
                    () = drain.begun() => return,
                }
            }
        });
    }

    /// Says that `start` is done and the listeners are open.
    pub(crate) fn set_started(&self) {
        self.started.store(true, Ordering::Release);
    }

    /// The state from memory.
    pub(crate) fn report(&self) -> Report {
        let checks: Vec<Check> = self
            .checks
            .borrow()
            .iter()
            .map(|(name, state)| {
                let reason = state.borrow().as_ref().err().cloned();
                Check { name, ready: reason.is_none(), reason }
            })
            .collect();
        let draining = self.drain.has_begun();
        let started = self.started.load(Ordering::Acquire);
        let ready = started && !draining && checks.iter().all(|check| check.ready);
        Report { ready, draining, started, checks }
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Readiness").field(&self.report()).finish()
    }
}

async fn ask(answer: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    match tokio::time::timeout(LIMIT, answer).await {
        Ok(answer) => answer,
        Err(_elapsed) => Err(format!("no answer within {} s", LIMIT.as_secs())),
    }
}

/// Remembers an answer and logs when it changed.
fn keep(name: &'static str, state: &watch::Sender<Result<(), String>>, answer: Result<(), String>) {
    let was_ready = state.borrow().is_ok();
    match &answer {
        Ok(()) if !was_ready => tracing::info!(dependency = name, "a dependency answers"),
        Err(reason) if was_ready => tracing::warn!(dependency = name, reason, "a dependency does not answer"),
        Ok(()) | Err(_) => {}
    }
    drop(state.send_replace(answer));
}
