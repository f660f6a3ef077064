//! A worker process: the engine's own driver, and handlers that end when they are told how.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use deadpool_postgres::Pool;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::operation::QUEUES;
use super::rules::{ATTEMPTS_MAX, CRASH_MAX, CRASH_PAUSE, LEASE};
use crate::attempt::{Fate, Verdict};
use crate::claim::Key;
use crate::driver::Driver;
use crate::worker::Worker;
use crate::{EngineSettings, Error, Failure, Job, Kind, enqueue, settle};

/// Tenants that have their share in one claim: fewer than there are, so that they take turns.
pub(crate) const TENANTS_PER_CALL: usize = 3;

type Act = (Job, oneshot::Sender<Result<(), Failure>>);

/// What runs and waits to be told how it ends.
#[derive(Default)]
pub(crate) struct Stage(Mutex<BTreeMap<Key, Act>>);

pub(crate) struct Employee {
    pub(crate) id: Uuid,
    pub(crate) driver: Driver,
    stage: Arc<Stage>,
    verdicts: mpsc::Receiver<Verdict>,
    /// Judged and not yet written.
    pub(crate) pending: Vec<Verdict>,
    pub(crate) written: Vec<Verdict>,
}

pub(crate) fn kind(stage: Arc<Stage>) -> Kind {
    let handler = move |job: Job| {
        let stage = stage.clone();
        async move {
            let (told, telling) = oneshot::channel();
            stage.0.lock().unwrap().insert(Key { id: job.id, attempt: job.attempt }, (job, told));
            match telling.await {
                Ok(answer) => answer,
                Err(_nobody) => std::future::pending().await,
            }
        }
    };
    Kind::new("a", "default", handler)
        .attempts_max(ATTEMPTS_MAX)
        .backoff(Duration::from_secs(2), Duration::from_secs(20))
        .timeout(Duration::from_hours(1))
}

fn settings() -> EngineSettings {
    EngineSettings {
        queues: QUEUES.map(|queue| (queue.to_owned(), 2)).into(),
        buffer: 2,
        tenants_per_claim: TENANTS_PER_CALL,
        head_interval_ms: 30_000,
        lease_ms: LEASE.unsigned_abs(),
        crash_max: CRASH_MAX,
        crash_pause_ms: u64::try_from(CRASH_PAUSE).unwrap(),
        ..EngineSettings::default()
    }
}

impl Employee {
    pub(crate) fn hire(pool: Pool) -> Self {
        let (id, stage) = (enqueue::new_id(), Arc::new(Stage::default()));
        let (worker, cancels) = Worker::new(id, pool, settings(), vec![kind(stage.clone())], Vec::new());
        let (sender, verdicts) = mpsc::channel(100);
        let driver = Driver::new(Arc::new(worker), sender, cancels);
        Self { id, driver, stage, verdicts, pending: Vec::new(), written: Vec::new() }
    }

    pub(crate) fn worker(&self) -> &Worker {
        self.driver.worker()
    }

    /// The attempts whose handlers are at work.
    pub(crate) fn running(&self) -> Vec<Key> {
        let mut stage = self.stage.0.lock().unwrap();
        stage.retain(|_, (_, told)| !told.is_closed());
        stage.keys().copied().collect()
    }

    pub(crate) fn job(&self, key: Key) -> Option<Job> {
        self.stage.0.lock().unwrap().get(&key).map(|(job, _)| job.clone())
    }

    /// Tells a handler how it ends.
    pub(crate) async fn finish(&mut self, key: Key, answer: Result<(), Failure>) {
        let act = self.stage.0.lock().unwrap().remove(&key);
        if let Some((_, told)) = act {
            // Whoever was stopped before does not listen.
            drop(told.send(answer));
        }
        self.gather().await;
    }

    /// Lets the driver go on, and collects the verdicts.
    pub(crate) async fn gather(&mut self) {
        self.driver.gather().await;
        while let Ok(verdict) = self.verdicts.try_recv() {
            self.pending.push(verdict);
        }
    }

    /// Writes what is pending as the engine does; answers what was written, and why the rest was not.
    pub(crate) async fn write(&mut self) -> (Vec<Verdict>, Vec<Error>) {
        let mut pending = std::mem::take(&mut self.pending);
        pending.sort_unstable_by_key(|verdict| verdict.id);
        let (done, others): (Vec<_>, Vec<_>) =
            pending.into_iter().partition(|verdict| verdict.fate == Fate::Done);
        let (mut written, mut errors) = (Vec::new(), Vec::new());
        for batch in [done, others] {
            if batch.is_empty() {
                continue;
            }
            match settle::settle(self.driver.worker(), &batch).await {
                Ok(()) => written.extend(batch),
                Err(error) => {
                    errors.push(error);
                    self.pending.extend(batch);
                }
            }
        }
        (written, errors)
    }
}
