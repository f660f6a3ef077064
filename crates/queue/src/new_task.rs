//! What a caller wants done.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::keys::TaskKey;

/// Describes a task before it is enqueued.
///
/// Everything but kind and arguments has a default: queue `default`, priority 0, run at once, no key.
///
/// A task has one key at most: the last of [`NewTask::unique_key`], [`NewTask::unique_until_start`],
/// [`NewTask::unique_for`] and [`NewTask::idempotency_key`] counts. Keys of different kinds never meet.
#[derive(Debug, Clone)]
pub struct NewTask {
    pub(crate) kind: String,
    pub(crate) args: Result<Box<RawValue>, Arc<serde_json::Error>>,
    pub(crate) queue: String,
    pub(crate) priority: i16,
    pub(crate) run_at: Option<Timestamp>,
    pub(crate) delay: Option<Duration>,
    pub(crate) key: Option<TaskKey>,
    pub(crate) attempts_max: Option<i32>,
    pub(crate) tenant: Option<Uuid>,
    pub(crate) correlation: Option<Uuid>,
    pub(crate) traceparent: Option<String>,
    pub(crate) created_by: Option<String>,
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
            delay: None,
            key: None,
            attempts_max: None,
            tenant: None,
            correlation: None,
            traceparent: None,
            created_by: None,
        }
    }

    /// Names the queue.
    #[must_use]
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = queue.into();
        self
    }

    /// Sets the priority: among ready tasks of a queue and tenant the smaller number runs first.
    #[must_use]
    pub fn priority(mut self, priority: i16) -> Self {
        self.priority = priority;
        self
    }

    /// Delays the task until a time.
    #[must_use]
    pub fn run_at(mut self, run_at: Timestamp) -> Self {
        (self.run_at, self.delay) = (Some(run_at), None);
        self
    }

    /// Delays the task by a while, counted by the database's clock from the beginning of the transaction.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        (self.run_at, self.delay) = (None, Some(delay));
        self
    }

    /// Refuses a second task of this kind with the same key while this one is queued or running.
    #[must_use]
    pub fn unique_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(TaskKey::Live(key.into()));
        self
    }

    /// Refuses a second task of this kind with the same key until a worker has claimed this one: what changes while it runs
    /// is not lost, since it may be enqueued again. Handed back, put off or tried again, the task has the key no more.
    #[must_use]
    pub fn unique_until_start(mut self, key: impl Into<String>) -> Self {
        self.key = Some(TaskKey::UntilStart(key.into()));
        self
    }

    /// Refuses a second task of this kind with the same key for a while, whatever becomes of this one.
    #[must_use]
    pub fn unique_for(mut self, key: impl Into<String>, period: Duration) -> Self {
        self.key = Some(TaskKey::Period(key.into(), period));
        self
    }

    /// Names the request that enqueues: repeated within 24 hours it enqueues nothing and is answered with the first id.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(TaskKey::Idempotency(key.into()));
        self
    }

    /// Limits the attempts, in place of the kind's own limit.
    #[must_use]
    pub fn attempts_max(mut self, attempts_max: i32) -> Self {
        self.attempts_max = Some(attempts_max);
        self
    }

    /// Says for whom the task works: tenants of a queue take turns, and the handler is told.
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

    /// Carries this trace context unless it carries one.
    #[must_use]
    pub fn traceparent_or(mut self, traceparent: &str) -> Self {
        self.traceparent.get_or_insert_with(|| traceparent.to_owned());
        self
    }

    /// Says who enqueues it, for `task_audit`.
    #[must_use]
    pub fn created_by(mut self, actor: impl Into<String>) -> Self {
        self.created_by = Some(actor.into());
        self
    }

    /// What makes the task unusable, if anything.
    pub(crate) fn mistake(&self) -> Option<&'static str> {
        let too_long = |text: &Option<String>| text.as_ref().is_some_and(|text| text.chars().count() > 200);
        let refused = [
            (self.attempts_max.is_some_and(|most| most < 1), "allow at least one attempt"),
            (too_long(&self.traceparent), "give a trace context of at most 200 characters"),
            (
                too_long(&self.created_by) || self.created_by.as_ref().is_some_and(String::is_empty),
                "say in 1 to 200 characters who enqueues it",
            ),
        ];
        let wrong = refused.into_iter().find_map(|(wrong, advice)| wrong.then_some(advice));
        wrong.or_else(|| self.key.as_ref().and_then(TaskKey::mistake))
    }
}
