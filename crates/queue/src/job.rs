//! What a handler is given, and how it says that it failed.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::attempt::readable;
use crate::error::chain;

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
    /// Is cancelled when the attempt ends early: time-out, lost lease, end of the drain. The handler's future is dropped
    /// at the same time; what it has spawned watches this.
    pub cancel: CancellationToken,
}

impl Job {
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
