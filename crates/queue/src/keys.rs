//! Keys that hold for a time, whatever becomes of their task.

use std::time::Duration;

use tokio_postgres::GenericClient;
use tokio_postgres::types::Type;

use crate::Error;

/// How many characters a key has at most.
pub const KEY_CHARS_MAX: usize = 190;

/// How long an idempotency key holds.
const IDEMPOTENCY_PERIOD: Duration = Duration::from_hours(24);

/// What keeps a second task from being enqueued; a task has one key at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TaskKey {
    /// While the task is queued or running.
    Live(String),
    /// While the task is queued.
    UntilStart(String),
    /// For a time, counted from its enqueuing.
    Period(String, Duration),
    /// As long as a request may be repeated.
    Idempotency(String),
}

impl TaskKey {
    /// The key that stands in the task's own row.
    pub(crate) fn live(&self) -> Option<&str> {
        match self {
            Self::Live(key) | Self::UntilStart(key) => Some(key),
            Self::Period(..) | Self::Idempotency(_) => None,
        }
    }

    pub(crate) fn is_until_start(&self) -> bool {
        matches!(self, Self::UntilStart(_))
    }

    /// The key that outlives the task, and for how long. Keys of requests are kept apart: clients choose them.
    pub(crate) fn lasting(&self) -> Option<(String, Duration)> {
        match self {
            Self::Live(_) | Self::UntilStart(_) => None,
            Self::Period(key, period) => Some((format!("period:{key}"), *period)),
            Self::Idempotency(key) => Some((format!("request:{key}"), IDEMPOTENCY_PERIOD)),
        }
    }

    /// What makes the key unusable, if anything.
    pub(crate) fn mistake(&self) -> Option<&'static str> {
        let (Self::Live(key) | Self::UntilStart(key) | Self::Period(key, _) | Self::Idempotency(key)) = self;
        if key.is_empty() || key.chars().count() > KEY_CHARS_MAX {
            return Some("give the key 1 to 190 characters");
        }
        let never = matches!(self, Self::Period(_, period) if period.as_millis() == 0);
        never.then_some("let the key hold for a millisecond at least")
    }
}

const EXPIRE: &str = "-- queue::keys::expire
delete from task_key
 using (
       select kind, key
         from task_key
        where expires_at <= now()
        order by expires_at
        limit $1
          for update skip locked
       ) as expired
 where task_key.kind = expired.kind and task_key.key = expired.key";

/// Drops keys whose time is over, at most `limit` of them; answers how many.
///
/// Nothing depends on it but the size of the table: enqueuing replaces such keys itself.
///
/// # Errors
/// [`Error::Postgres`].
pub async fn expire_keys<C>(client: &C, limit: i64) -> Result<u64, Error>
where
    C: GenericClient + Sync,
{
    Ok(client.execute_typed(EXPIRE, &[(&limit, Type::INT8)]).await?)
}
