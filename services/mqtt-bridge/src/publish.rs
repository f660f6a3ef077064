//! `mqtt.publish`: one message of the product to the broker.

use std::time::Duration;

use app::publish::{PUBLISH_KIND, PUBLISH_QUEUE, Publication};
use domain::{Actor, ClientId, CorrelationId, Fault, FaultKind};
use jiff::Timestamp;
use queue::{Failure, Job, Kind};
use serde::Serialize;
use service::Clock;
use store::Store;

use crate::broker::{Post, Publisher, Taken, Unpublished};
use crate::metrics;
use crate::settings::TaskSettings;

/// How long what became of a message may be asked for.
const RESULT_KEPT: Duration = Duration::from_hours(24);

/// The user property under which receivers recognise a repetition.
const MESSAGE_ID_PROPERTY: &str = "message-id";
/// The user property that joins log lines over processes.
const CORRELATION_PROPERTY: &str = "correlation-id";
/// The user property of the trace context.
const TRACE_PROPERTY: &str = "traceparent";

/// What the task works with.
#[derive(Clone)]
pub(crate) struct Tools {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) publisher: Publisher,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// The broker took it, and somebody subscribed to the topic.
    Heard,
    /// The broker took it, and nobody did.
    Unheard,
    /// It was of no use any more when its turn came.
    Expired,
}

/// What the task leaves.
#[derive(Clone, Copy, Debug, Serialize)]
struct Published {
    outcome: Outcome,
}

/// Why a message can never be published.
#[derive(Debug, thiserror::Error)]
#[error("the task names no client")]
struct NoClient;

/// The kind with its limits.
pub(crate) fn kind(tools: Tools, settings: &TaskSettings) -> Kind {
    let pause = Duration::from_millis(settings.publish_away_pause_ms);
    let handler = move |job: Job| {
        let tools = tools.clone();
        service::continue_trace(job.traceparent.clone(), async move { publish(&tools, &job, pause).await })
    };
    Kind::new(PUBLISH_KIND, PUBLISH_QUEUE, handler)
        .timeout(settings.publish_timeout())
        .attempts_max(settings.publish_attempts_max)
        .backoff(
            Duration::from_millis(settings.publish_backoff_min_ms),
            Duration::from_millis(settings.publish_backoff_max_ms),
        )
        .keep_result(RESULT_KEPT)
        .description("publishes one message to the broker")
}

/// Publishes, unless the message is of no use any more.
///
/// Done when the broker acknowledged. An acknowledgement that got lost leads to a repetition, under the same message id.
async fn publish(tools: &Tools, job: &Job, away_pause: Duration) -> Result<Published, Failure> {
    let message: Publication = job.args()?;
    let expiry_seconds = match left(&message, tools.clock.now()) {
        Left::Endless => None,
        Left::Seconds(seconds) => Some(seconds),
        Left::Nothing => {
            metrics::publication("expired");
            return Ok(Published { outcome: Outcome::Expired });
        }
    };
    let client = ClientId::from_uuid(job.tenant.ok_or_else(|| Failure::permanent(NoClient))?);
    let correlation_id = CorrelationId::from_uuid(job.correlation.unwrap_or(job.id));
    let actor = Actor::process(client, correlation_id);
    let topic = match app::publish::resolve(&tools.store, &actor, &message).await {
        Ok(topic) => topic,
        Err(error) if error.kind() == FaultKind::Invalid => {
            metrics::publication("refused");
            return Err(Failure::permanent(error));
        }
        Err(error) => return Err(Failure::retry(error)),
    };
    let post = Post {
        topic: topic.to_string(),
        payload: message.payload,
        retain: message.retain,
        expiry_seconds,
        user_properties: properties(job, correlation_id),
    };
    let taken = tools.publisher.publish(post).await;
    taken.map_or_else(|error| Err(fail(error, away_pause)), |taken| Ok(succeed(taken)))
}

fn succeed(taken: Taken) -> Published {
    let (outcome, label) = match taken {
        Taken::Heard => (Outcome::Heard, "heard"),
        Taken::Unheard => (Outcome::Unheard, "unheard"),
    };
    metrics::publication(label);
    Published { outcome }
}

fn fail(error: Unpublished, away_pause: Duration) -> Failure {
    if matches!(error, Unpublished::Away) {
        metrics::publication("away");
        Failure::snooze(away_pause)
    } else if error.is_final() {
        metrics::publication("refused");
        Failure::permanent(error)
    } else {
        metrics::publication("put-off");
        Failure::retry(error)
    }
}

/// For how long a message is of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Endless,
    Seconds(u32),
    Nothing,
}

fn left(message: &Publication, now: Timestamp) -> Left {
    let Some(expires_at) = message.expires_at else { return Left::Endless };
    let left = expires_at.duration_since(now);
    match left.as_secs() + i64::from(left.subsec_nanos() > 0) {
        ..=0 => Left::Nothing,
        seconds => Left::Seconds(u32::try_from(seconds).unwrap_or(u32::MAX)),
    }
}

fn properties(job: &Job, correlation_id: CorrelationId) -> Vec<(String, String)> {
    let mut properties = vec![
        (MESSAGE_ID_PROPERTY.to_owned(), job.id.to_string()),
        (CORRELATION_PROPERTY.to_owned(), correlation_id.to_string()),
    ];
    properties.extend(service::traceparent().map(|traceparent| (TRACE_PROPERTY.to_owned(), traceparent)));
    properties
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(expires_at: Option<&str>) -> Publication {
        let expires_at = expires_at.map(|text| text.parse().unwrap());
        Publication { topic: String::new(), payload: String::new(), retain: false, expires_at }
    }

    #[test]
    fn a_message_is_of_use_until_the_second_it_expires_in_is_over() {
        let now = "2030-01-01T12:00:00Z".parse().unwrap();
        let left = |expires_at| left(&message(expires_at), now);
        assert_eq!(left(None), Left::Endless);
        assert_eq!(left(Some("2030-01-01T12:00:09.5Z")), Left::Seconds(10));
        assert_eq!(left(Some("2030-01-01T12:00:00Z")), Left::Nothing);
        assert_eq!(left(Some("2029-01-01T12:00:00Z")), Left::Nothing);
        assert_eq!(left(Some("9999-01-01T12:00:00Z")), Left::Seconds(u32::MAX));
    }
}
