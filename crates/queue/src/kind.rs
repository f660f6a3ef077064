//! What the engine knows about a kind of task.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::{Failure, Job};

type Handler = Arc<dyn Fn(Job) -> BoxFuture<'static, Result<(), Failure>> + Send + Sync>;

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
    pub(crate) handler: Handler,
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
    pub fn new<H, F>(name: impl Into<String>, queue: impl Into<String>, handler: H) -> Self
    where
        H: Fn(Job) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        Self {
            name: name.into(),
            queue: queue.into(),
            timeout: Duration::from_mins(1),
            attempts_max: 10,
            backoff_base: Duration::from_secs(1),
            backoff_max: Duration::from_hours(1),
            uniqueness: Uniqueness::Key,
            handler: Arc::new(move |job| handler(job).boxed()),
        }
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

    /// What makes the kind unusable, if anything.
    pub(crate) fn mistake(&self) -> Option<&'static str> {
        let refused = [
            (
                self.name.is_empty() || self.name.chars().count() > 100,
                "give the kind a name of 1 to 100 characters",
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
