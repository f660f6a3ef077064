//! Putting an engine together, and running it.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use deadpool_postgres::Pool;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout_at;
use tokio_postgres::Socket;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::driver::Driver;
use crate::error::chain;
use crate::listen::Listener;
use crate::worker::{Adopt, Worker};
use crate::{EngineSettings, Error, Kind, Schedule};
use crate::{
    enqueue, lease, limit, listen, progress, promote, register, report, schedule, settle, telemetry, tick,
};

/// Collects what an [`Engine`] is to know.
pub struct Builder {
    pool: Pool,
    settings: EngineSettings,
    kinds: Vec<Kind>,
    schedules: Vec<Schedule>,
    listener: Option<Listener>,
    adopt: Adopt,
}

/// Runs tasks: claims them, calls their handlers, writes how it went, and enqueues what the schedules want.
pub struct Engine {
    worker: Arc<Worker>,
    cancels: mpsc::Receiver<Uuid>,
    listener: Option<Listener>,
}

impl Engine {
    /// Starts to put an engine together; it uses up to ten connections of `pool` at a time, and does with fewer by waiting
    /// for its own parts: four serve well, one is the least.
    ///
    /// Give it a pool that handlers do not share: waiting for them it could lose its leases. Its connections need sessions
    /// of their own in PostgreSQL: not through a pooler in transaction mode, since the engine sets how its statements are
    /// planned and keeps them prepared.
    pub fn builder(pool: Pool, settings: EngineSettings) -> Builder {
        Builder { pool, settings, kinds: Vec::new(), schedules: Vec::new(), listener: None, adopt: |_, _| {} }
    }

    /// Identifies this engine in `task_worker`, in leases and in attempts.
    pub fn id(&self) -> Uuid {
        self.worker.id
    }

    /// Answers whether the engine has begun to work: its queues exist, and the tables know what it does.
    pub fn watch_begun(&self) -> impl Fn() -> bool + Send + Sync + 'static {
        let worker = self.worker.clone();
        move || worker.begun.load(Ordering::Acquire)
    }

    /// Works until `shutdown` is cancelled, then drains and returns.
    ///
    /// PostgreSQL may be away, at the start and at any time: the engine tries again, with pauses. It also waits for queues
    /// that are not in `task_queue`, which the next migration may make. The drain claims no more, hands waiting tasks
    /// back at once, lets running ones finish for `drain_timeout_ms` and hands the rest back; it takes `retry_max_ms`
    /// longer than that at most.
    /// Dropping the future instead stops everything where it is; the leases run out and others take over.
    ///
    /// # Errors
    /// [`Error::PartEnded`] when a part of the engine panicked. The others are drained before.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let worker = self.worker;
        telemetry::describe();
        if !register::until_done(&worker, &shutdown).await {
            return Ok(());
        }
        worker.begun.store(true, Ordering::Release);
        // The parts stop when told to from outside, and when one of them has ended by itself.
        let stop = shutdown.child_token();
        // Reporting goes on during the drain; the rest stops when it begins.
        let drained = CancellationToken::new();
        let mut parts = JoinSet::new();
        parts.spawn(promote::run(worker.clone(), stop.clone()));
        if !worker.schedules.is_empty() {
            parts.spawn(tick::run(worker.clone(), stop.clone()));
        }
        parts.spawn(progress::run(worker.clone(), stop.clone()));
        parts.spawn(lease::keep_rescuing(worker.clone(), stop.clone()));
        parts.spawn(limit::keep_reading(worker.clone(), stop.clone()));
        parts.spawn(report::measure(worker.clone(), stop.clone()));
        parts.spawn(report::beat(worker.clone(), stop.clone(), drained.clone()));
        if let Some(listener) = self.listener {
            parts.spawn(listen::run(listener, worker.clone(), stop.clone()));
        }
        let (sender, receiver) = mpsc::channel(worker.settings.settle_batch.saturating_mul(2));
        let mut writing = JoinSet::new();
        writing.spawn(settle::run(worker.clone(), receiver));

        let driver = Driver::new(worker.clone(), sender, self.cancels);
        let outcome = drive(driver, &mut parts, &mut writing, stop).await;
        if timeout_at(worker.end(), writing.join_next()).await.is_err() {
            tracing::warn!("not all finished tasks were written; the others will run again");
        }
        drained.cancel();
        if timeout_at(worker.end(), join(&mut parts)).await.is_err() {
            tracing::warn!("PostgreSQL did not answer before the end of the drain");
        }
        outcome
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

    /// Lets the span of a task continue the trace of who enqueued it: `adopt` gets the span before it is entered, with the
    /// trace context that came with the task.
    #[must_use]
    pub fn adopt_trace(mut self, adopt: Adopt) -> Self {
        self.adopt = adopt;
        self
    }

    /// Checks everything that can be checked without PostgreSQL.
    ///
    /// # Errors
    /// [`Error::Setting`], [`Error::Duplicate`], [`Error::Unusable`], [`Error::Cron`], [`Error::TimeZone`] and
    /// [`Error::UnregisteredKind`], [`Error::ScheduledArgs`] and [`Error::Args`].
    pub fn build(self) -> Result<Engine, Error> {
        if let Some((key, advice)) = self.settings.mistakes().into_iter().next() {
            return Err(Error::Setting { key, advice });
        }
        let mut names = HashSet::new();
        for kind in &self.kinds {
            if let Some(advice) = kind.mistake() {
                return Err(Error::Unusable { name: kind.name.clone(), advice });
            }
            if !names.insert(kind.name.clone()) {
                return Err(Error::Duplicate { name: kind.name.clone() });
            }
        }
        let schedules = schedule::check(self.schedules, &self.kinds)?;
        let id = enqueue::new_id();
        let (mut worker, cancels) = Worker::new(id, self.pool, self.settings, self.kinds, schedules);
        worker.adopt = self.adopt;
        Ok(Engine { worker: Arc::new(worker), cancels, listener: self.listener })
    }
}

/// Drives until told to stop, or until a part has ended by itself, which stops the driver too.
async fn drive(
    driver: Driver,
    parts: &mut JoinSet<()>,
    writing: &mut JoinSet<()>,
    stop: CancellationToken,
) -> Result<(), Error> {
    let mut driving = std::pin::pin!(driver.run(stop.clone()));
    let ended = tokio::select! {
        () = &mut driving => return Ok(()),
        ended = early_end(parts, writing, &stop) => ended,
    };
    let reason = ended.err().map(|error| chain(&error));
    tracing::error!(error.chain = reason, "a part of the engine ended by itself");
    stop.cancel();
    driving.await;
    Err(Error::PartEnded)
}

/// Resolves when a part ends before it is told to.
async fn early_end(
    parts: &mut JoinSet<()>,
    writing: &mut JoinSet<()>,
    stop: &CancellationToken,
) -> Result<(), JoinError> {
    tokio::select! {
        biased;
        () = stop.cancelled() => std::future::pending().await,
        Some(ended) = parts.join_next() => ended,
        Some(ended) = writing.join_next() => ended,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::tests::driver;

    #[tokio::test]
    async fn a_part_that_ends_by_itself_ends_the_engine() {
        let (mut parts, mut writing) = (JoinSet::new(), JoinSet::new());
        parts.spawn(std::future::pending());
        writing.spawn(async {});
        let stop = CancellationToken::new();
        let outcome = drive(driver(), &mut parts, &mut writing, stop.clone()).await;
        assert!(matches!(outcome, Err(Error::PartEnded)));
        assert!(stop.is_cancelled(), "the other parts are told to stop");
    }

    #[tokio::test]
    async fn parts_that_end_because_they_were_told_to_are_no_failure() {
        let (mut parts, mut writing) = (JoinSet::new(), JoinSet::new());
        let stop = CancellationToken::new();
        parts.spawn(stop.clone().cancelled_owned());
        writing.spawn(stop.clone().cancelled_owned());
        stop.cancel();
        assert!(drive(driver(), &mut parts, &mut writing, stop).await.is_ok());
    }
}
