//! What a handler is given, and how it says that it failed.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::Progress;
use crate::attempt::readable;
use crate::claim::{Claimed, Key};
use crate::error::chain;
use crate::progress::Board;
use crate::worker::Worker;

/// Is handed to a handler: one attempt at one task.
#[derive(Debug, Clone)]
pub struct Job {
    /// The task's id, the same in every attempt: the key that lets an effect recognise its repetition.
    pub id: Uuid,
    /// The kind that chose the handler.
    pub kind: String,
    /// The arguments as enqueued; [`Job::args`] reads them.
    pub args: Value,
    /// Which attempt this is, from 1.
    pub attempt: i32,
    /// For whom, as enqueued.
    pub tenant: Option<Uuid>,
    /// Joins log lines over processes, as enqueued.
    pub correlation: Option<Uuid>,
    /// The trace context, as enqueued.
    pub traceparent: Option<String>,
    /// When it was due: for a task of a schedule the tick.
    pub run_at: Timestamp,
    /// For which tasks it waited, as enqueued with a workflow.
    pub parents: Vec<Uuid>,
    /// Is cancelled when the attempt ends early: time-out, lost lease, end of the drain. The handler's future is dropped
    /// at the same time; what it has spawned watches this.
    pub cancel: CancellationToken,
    pub(crate) engine: Employer,
    pub(crate) settled: Settled,
}

/// What a job knows of the engine that runs it.
#[derive(Debug, Clone)]
pub(crate) struct Employer {
    pub(crate) worker_id: Uuid,
    pub(crate) started_at: Timestamp,
    pub(crate) result_kept: Option<Duration>,
    /// Whether the ends of tasks are kept.
    pub(crate) history: bool,
    progress: Arc<Board>,
}

/// Whether the handler has written the end of its task itself, in its own transaction.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settled(Arc<AtomicBool>);

impl Settled {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(crate) fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Job {
    /// Hands a claimed task to its handler.
    pub(crate) fn begin(task: &mut Claimed, worker: &Worker, cancel: CancellationToken) -> Self {
        let engine = Employer {
            worker_id: worker.id,
            started_at: task.moment.now(),
            result_kept: task.kind.result_kept,
            history: worker.settings.history,
            progress: worker.progress.clone(),
        };
        Self {
            id: task.id,
            kind: task.kind.name.clone(),
            args: std::mem::take(&mut task.args),
            attempt: task.attempt,
            tenant: task.tenant,
            correlation: task.correlation,
            traceparent: task.traceparent.clone(),
            run_at: task.run_at,
            parents: std::mem::take(&mut task.parents),
            cancel,
            engine,
            settled: Settled::default(),
        }
    }

    /// Says how far the attempt is, with a word for people; shown by [`crate::status`].
    ///
    /// It is cheap enough for every step of a loop: the engine writes the latest word each `progress_interval_ms`.
    pub fn progress(&self, done: u32, total: u32, note: &str) {
        let key = Key { id: self.id, attempt: self.attempt };
        self.engine.progress.tell(key, Progress::new(done, total, note));
    }

    /// Reads the arguments.
    ///
    /// # Errors
    /// A permanent [`Failure`], since a repetition would read the same.
    pub fn args<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        T::deserialize(&self.args).map_err(Failure::permanent)
    }
}

type Cause = Box<dyn StdError + Send + Sync>;

/// Says how an attempt failed and what is to follow.
///
/// Any error becomes [`Failure::retry`] through `?`.
#[derive(Debug)]
pub struct Failure {
    pub(crate) next: Next,
    cause: Option<Cause>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Retry,
    Bury,
    Snooze(Duration),
}

impl Failure {
    /// Tries again after a while, until the attempts are used up.
    pub fn retry(cause: impl Into<Cause>) -> Self {
        Self { next: Next::Retry, cause: Some(cause.into()) }
    }

    /// Gives up at once: the task goes to the dead letters.
    pub fn permanent(cause: impl Into<Cause>) -> Self {
        Self { next: Next::Bury, cause: Some(cause.into()) }
    }

    /// Comes back later without counting the attempt: the time was not right.
    pub fn snooze(pause: Duration) -> Self {
        Self { next: Next::Snooze(pause), cause: None }
    }

    /// Writes the whole chain of causes on one line, cut at `chars_max`.
    pub(crate) fn chain(&self, chars_max: usize) -> Option<String> {
        let cause = self.cause.as_ref()?;
        Some(readable(&chain(&**cause), chars_max))
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for Failure {
    fn from(cause: E) -> Self {
        Self::retry(cause)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.next, &self.cause) {
            (Next::Snooze(pause), _) => write!(f, "snoozed for {} ms", pause.as_millis()),
            (_, Some(cause)) => cause.fmt(f),
            (_, None) => f.write_str("failed"),
        }
    }
}
