//! What a caller wants done.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

/// Describes a task before it is enqueued.
///
/// Everything but kind and arguments has a default: queue `default`, priority 0, run at once, no unique key.
#[derive(Debug, Clone)]
pub struct NewTask {
    pub(crate) kind: String,
    pub(crate) args: Result<Box<RawValue>, Arc<serde_json::Error>>,
    pub(crate) queue: String,
    pub(crate) priority: i16,
    pub(crate) run_at: Option<Timestamp>,
    pub(crate) unique_key: Option<String>,
    pub(crate) attempts_max: Option<i32>,
    pub(crate) tenant: Option<Uuid>,
    pub(crate) correlation: Option<Uuid>,
    pub(crate) traceparent: Option<String>,
}

impl NewTask {
    /// Creates a task of a kind with its arguments, which become JSON.
    ///
    /// Arguments that JSON cannot hold are reported by [`crate::enqueue`].
    pub fn new(kind: impl Into<String>, args: &impl Serialize) -> Self {
        Self {
            kind: kind.into(),
            args: serde_json::value::to_raw_value(args).map_err(Arc::new),
            queue: "default".to_owned(),
            priority: 0,
            run_at: None,
            unique_key: None,
            attempts_max: None,
            tenant: None,
            correlation: None,
            traceparent: None,
        }
    }

    /// Names the queue.
    #[must_use]
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = queue.into();
        self
    }

    /// Sets the priority: among ready tasks of a queue the smaller number runs first.
    #[must_use]
    pub fn priority(mut self, priority: i16) -> Self {
        self.priority = priority;
        self
    }

    /// Delays the task until a time.
    #[must_use]
    pub fn run_at(mut self, run_at: Timestamp) -> Self {
        self.run_at = Some(run_at);
        self
    }

    /// Refuses a second live task of this kind with the same key: it counts while queued and while running.
    #[must_use]
    pub fn unique_key(mut self, unique_key: impl Into<String>) -> Self {
        self.unique_key = Some(unique_key.into());
        self
    }

    /// Limits the attempts, in place of the kind's own limit.
    #[must_use]
    pub fn attempts_max(mut self, attempts_max: i32) -> Self {
        self.attempts_max = Some(attempts_max);
        self
    }

    /// Says for whom the task works; handed to the handler, without meaning to the queue.
    #[must_use]
    pub fn tenant(mut self, tenant: Uuid) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// Carries the id that joins log lines over processes.
    #[must_use]
    pub fn correlation(mut self, correlation: Uuid) -> Self {
        self.correlation = Some(correlation);
        self
    }

    /// Carries the W3C trace context.
    #[must_use]
    pub fn traceparent(mut self, traceparent: impl Into<String>) -> Self {
        self.traceparent = Some(traceparent.into());
        self
    }
}
