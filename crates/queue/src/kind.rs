//! What the engine knows about a kind of task.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::result::kept;
use crate::telemetry::KindMetrics;
use crate::{Failure, Job};

const DESCRIPTION_CHARS_MAX: usize = 1_000;

/// What a handler answers is kept when it is not null and the kind keeps results.
type Handler = Arc<dyn Fn(Job) -> BoxFuture<'static, Result<Option<Value>, Failure>> + Send + Sync>;

type Reads = fn(&RawValue) -> Result<(), serde_json::Error>;

/// Registers a handler for the tasks of one kind, with its limits.
///
/// A handler may run more than once for the same task: its effects must bear that.
#[derive(Clone)]
pub struct Kind {
    pub(crate) name: String,
    pub(crate) queue: String,
    pub(crate) timeout: Duration,
    pub(crate) attempts_max: i32,
    pub(crate) backoff_base: Duration,
    pub(crate) backoff_max: Duration,
    pub(crate) uniqueness: Uniqueness,
    pub(crate) description: Option<String>,
    /// How long what the handler answers is kept; `None` keeps nothing.
    pub(crate) result_kept: Option<Duration>,
    /// Tries whether the handler can read its arguments.
    pub(crate) reads: Reads,
    pub(crate) handler: Handler,
    pub(crate) metrics: KindMetrics,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Uniqueness {
    Key,
    Args,
}

impl Uniqueness {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Key => "KEY",
            Self::Args => "ARGS",
        }
    }
}

impl Kind {
    /// Creates a kind that usually goes through `queue`: one minute, ten attempts, pauses from 1 s to 1 h.
    ///
    /// What the handler answers is dropped unless [`Kind::keep_result`] says for how long it is kept.
    pub fn new<H, F, T>(name: impl Into<String>, queue: impl Into<String>, handler: H) -> Self
    where
        H: Fn(Job) -> F + Send + Sync + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
        T: Serialize,
    {
        Self {
            name: name.into(),
            queue: queue.into(),
            timeout: Duration::from_mins(1),
            attempts_max: 10,
            backoff_base: Duration::from_secs(1),
            backoff_max: Duration::from_hours(1),
            uniqueness: Uniqueness::Key,
            description: None,
            result_kept: None,
            reads: |_| Ok(()),
            metrics: KindMetrics::default(),
            handler: Arc::new(move |job| {
                let answered = handler(job);
                async move { kept(&answered.await?) }.boxed()
            }),
        }
    }

    /// Creates a kind whose handler is given its arguments read; unreadable ones are a permanent failure.
    pub fn typed<A, H, F, T>(name: impl Into<String>, queue: impl Into<String>, handler: H) -> Self
    where
        A: DeserializeOwned,
        H: Fn(Job, A) -> F + Send + Sync + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
        T: Serialize,
    {
        let kind = Self::new(name, queue, move |job: Job| {
            let answer = job.args::<A>().map(|args| handler(job, args));
            async move { answer?.await }
        });
        Self { reads: |args| serde_json::from_str::<A>(args.get()).map(drop), ..kind }
    }

    /// Ends an attempt that takes longer.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Limits the attempts; snoozes and crashes of the worker do not use them up.
    #[must_use]
    pub fn attempts_max(mut self, attempts_max: i32) -> Self {
        self.attempts_max = attempts_max;
        self
    }

    /// Sets the pauses between attempts: the n-th is a random part of `base` × 2ⁿ⁻¹, at most of `max`.
    #[must_use]
    pub fn backoff(mut self, base: Duration, max: Duration) -> Self {
        self.backoff_base = base;
        self.backoff_max = max;
        self
    }

    /// Takes the arguments of a task as its unique key when it brings none, from the kind's first registration on.
    #[must_use]
    pub fn unique_by_args(mut self) -> Self {
        self.uniqueness = Uniqueness::Args;
        self
    }

    /// Tells people what the kind is for.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Keeps what the handler answers for a while, to be asked for by [`crate::result`].
    #[must_use]
    pub fn keep_result(mut self, period: Duration) -> Self {
        self.result_kept = Some(period);
        self
    }

    /// What makes the kind unusable, if anything.
    pub(crate) fn mistake(&self) -> Option<&'static str> {
        let refused = [
            (
                self.name.is_empty() || self.name.chars().count() > 100,
                "give the kind a name of 1 to 100 characters",
            ),
            (
                self.description.as_ref().is_some_and(|text| text.chars().count() > DESCRIPTION_CHARS_MAX),
                "describe the kind in at most 1,000 characters",
            ),
            (self.attempts_max < 1, "allow at least one attempt"),
            (self.timeout.as_millis() == 0, "allow at least a millisecond"),
            (self.backoff_max < self.backoff_base, "the longest pause is at least the first"),
        ];
        refused.into_iter().find_map(|(wrong, advice)| wrong.then_some(advice))
    }

    /// The longest pause after a failed attempt.
    pub(crate) fn backoff_after(&self, attempt: i32) -> Duration {
        let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(0).min(31);
        self.backoff_base.saturating_mul(1 << doublings).min(self.backoff_max)
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kind").field("name", &self.name).field("queue", &self.queue).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_their_limit() {
        let kind = Kind::new("a", "default", |_| async { Ok(()) })
            .backoff(Duration::from_millis(100), Duration::from_secs(1));
        let pauses: Vec<u128> =
            [1, 2, 3, 4, 5, 500].map(|attempt| kind.backoff_after(attempt).as_millis()).into();
        assert_eq!(pauses, [100, 200, 400, 800, 1000, 1000]);
    }
}
