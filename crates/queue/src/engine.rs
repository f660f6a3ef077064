//! Putting an engine together, and running it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use deadpool_postgres::Pool;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout_at;
use tokio_postgres::Socket;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::driver::Driver;
use crate::error::chain;
use crate::listen::Listener;
use crate::schedule::Clockwork;
use crate::worker::Worker;
use crate::{EngineSettings, Error, Kind, Schedule};
use crate::{enqueue, lease, listen, promote, register, report, settle, telemetry, tick};

/// Collects what an [`Engine`] is to know.
pub struct Builder {
    pool: Pool,
    settings: EngineSettings,
    kinds: Vec<Kind>,
    schedules: Vec<Schedule>,
    listener: Option<Listener>,
}

/// Runs tasks: claims them, calls their handlers, writes how it went, and enqueues what the schedules want.
pub struct Engine {
    worker: Arc<Worker>,
    listener: Option<Listener>,
}

impl Engine {
    /// Starts to put an engine together; it uses up to eight connections of `pool` at a time.
    ///
    /// Give it a pool that handlers do not share: waiting for them it could lose its leases.
    pub fn builder(pool: Pool, settings: EngineSettings) -> Builder {
        Builder { pool, settings, kinds: Vec::new(), schedules: Vec::new(), listener: None }
    }

    /// Identifies this engine in `task_worker`, in leases and in attempts.
    pub fn id(&self) -> Uuid {
        self.worker.id
    }

    /// Works until `shutdown` is cancelled, then drains and returns.
    ///
    /// PostgreSQL may be away, at the start and at any time: the engine tries again, with pauses. The drain claims no
    /// more, hands waiting tasks back at once, lets running ones finish for `drain_timeout_ms` and hands the rest back; it takes `retry_max_ms` longer
    /// than that at most.
    /// Dropping the future instead stops everything where it is; the leases run out and others take over.
    ///
    /// # Errors
    /// [`Error::UnknownQueue`] when settings, kinds or schedules name a queue that is not in `task_queue`.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let worker = self.worker;
        telemetry::describe();
        if !register::until_done(&worker, &shutdown).await? {
            return Ok(());
        }
        // Reporting goes on during the drain; the rest stops when it begins.
        let drained = CancellationToken::new();
        let mut parts = JoinSet::new();
        parts.spawn(promote::run(worker.clone(), shutdown.clone()));
        parts.spawn(tick::run(worker.clone(), shutdown.clone()));
        parts.spawn(lease::keep_rescuing(worker.clone(), shutdown.clone()));
        parts.spawn(report::measure(worker.clone(), shutdown.clone()));
        parts.spawn(report::beat(worker.clone(), shutdown.clone(), drained.clone()));
        if let Some(listener) = self.listener {
            parts.spawn(listen::run(listener, worker.clone(), shutdown.clone()));
        }
        let (sender, receiver) = mpsc::channel(worker.settings.settle_batch.saturating_mul(2));
        let mut writing = JoinSet::new();
        writing.spawn(settle::run(worker.clone(), receiver));

        Driver::new(worker.clone(), sender).run(shutdown).await;
        if timeout_at(worker.end(), writing.join_next()).await.is_err() {
            tracing::warn!("not all finished tasks were written; the others will run again");
        }
        drained.cancel();
        if timeout_at(worker.end(), join(&mut parts)).await.is_err() {
            tracing::warn!("PostgreSQL did not answer before the end of the drain");
        }
        Ok(())
    }
}

impl Builder {
    /// Adds a kind of task.
    #[must_use]
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kinds.push(kind);
        self
    }

    /// Adds a schedule; its task must be of a registered kind.
    #[must_use]
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.schedules.push(schedule);
        self
    }

    /// Listens for new tasks on a connection of its own, reconnected whenever it is lost.
    ///
    /// Without it, or behind a pooler that cannot listen, work is noticed every `poll_interval_ms`.
    #[must_use]
    pub fn listen<T>(mut self, config: tokio_postgres::Config, tls: T) -> Self
    where
        T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
        T::Stream: Send + 'static,
        T::TlsConnect: Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        self.listener = Some(Listener::new(config, tls));
        self
    }

    /// Checks everything that can be checked without PostgreSQL.
    ///
    /// # Errors
    /// [`Error::Setting`], [`Error::Duplicate`], [`Error::Unusable`], [`Error::Cron`], [`Error::TimeZone`] and
    /// [`Error::UnknownKind`].
    pub fn build(self) -> Result<Engine, Error> {
        if let Some((key, advice)) = self.settings.mistakes().into_iter().next() {
            return Err(Error::Setting { key, advice });
        }
        let mut kinds = HashMap::new();
        for kind in self.kinds {
            if let Some(advice) = kind.mistake() {
                return Err(Error::Unusable { name: kind.name, advice });
            }
            if let Some(twice) = kinds.insert(kind.name.clone(), kind) {
                return Err(Error::Duplicate { name: twice.name });
            }
        }
        let schedules = check_schedules(self.schedules, &kinds)?;
        let worker = Worker::new(enqueue::new_id(), self.pool, self.settings, kinds, schedules);
        Ok(Engine { worker: Arc::new(worker), listener: self.listener })
    }
}

/// Waits for the parts of an engine, which end when they are told to.
async fn join(parts: &mut JoinSet<()>) {
    while let Some(ended) = parts.join_next().await {
        if let Err(error) = ended {
            tracing::error!(error.chain = chain(&error), "a part of the engine ended early");
        }
    }
}

fn check_schedules(schedules: Vec<Schedule>, kinds: &HashMap<String, Kind>) -> Result<Vec<Clockwork>, Error> {
    let mut names = HashSet::new();
    let mut checked = Vec::with_capacity(schedules.len());
    for schedule in schedules {
        if !names.insert(schedule.name.clone()) {
            return Err(Error::Duplicate { name: schedule.name });
        }
        if !kinds.contains_key(&schedule.task.kind) {
            return Err(Error::UnknownKind { schedule: schedule.name, kind: schedule.task.kind });
        }
        if schedule.name.is_empty() || schedule.name.chars().count() > 100 {
            return Err(Error::Unusable {
                name: schedule.name,
                advice: "give the schedule a name of 1 to 100 characters",
            });
        }
        checked.push(schedule.parse()?);
    }
    Ok(checked)
}
