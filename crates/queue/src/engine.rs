//! Putting an engine together, and running it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Pool;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_postgres::Socket;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::driver::Driver;
use crate::error::chain;
use crate::listen::Listener;
use crate::schedule::Clockwork;
use crate::worker::{Load, Worker};
use crate::{EngineSettings, Error, Kind, Schedule};
use crate::{enqueue, listen, promote, register, report, settle, telemetry, tick};

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
    /// Starts to put an engine together; statements go through `pool`, five connections at a time at most.
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
    /// more, hands waiting tasks back at once, lets running ones finish for `drain_timeout_ms` and hands the rest back.
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
        // Reporting goes on during the drain, and rescuing with it; the rest stops when it begins.
        let drained = CancellationToken::new();
        let mut parts = JoinSet::new();
        parts.spawn(promote::run(worker.clone(), shutdown.clone()));
        parts.spawn(tick::run(worker.clone(), shutdown.clone()));
        parts.spawn(report::measure(worker.clone(), shutdown.clone()));
        parts.spawn(report::beat(worker.clone(), shutdown.clone(), drained.clone()));
        if let Some(listener) = self.listener {
            parts.spawn(listen::run(listener, worker.clone(), shutdown.clone()));
        }
        let (sender, receiver) = mpsc::channel(worker.settings.settle_batch.saturating_mul(2));
        let give_up = CancellationToken::new();
        let mut writing = JoinSet::new();
        writing.spawn(settle::run(worker.clone(), receiver, give_up.clone()));

        Driver::new(worker.clone(), sender).run(shutdown).await;
        let limit = Duration::from_millis(worker.settings.retry_max_ms);
        if tokio::time::timeout(limit, writing.join_next()).await.is_err() {
            give_up.cancel();
            writing.shutdown().await;
        }
        drained.cancel();
        while let Some(ended) = parts.join_next().await {
            if let Err(error) = ended {
                tracing::error!(error = chain(&error), "a part of the engine ended early");
            }
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
        let worker = Worker {
            id: enqueue::new_id(),
            pool: self.pool,
            settings: self.settings,
            kinds,
            schedules,
            ready: tokio::sync::Notify::new(),
            delayed: tokio::sync::Notify::new(),
            load: Load::default(),
        };
        Ok(Engine { worker: Arc::new(worker), listener: self.listener })
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
