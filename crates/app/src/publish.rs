//! Messages to a client's devices, and to who listens for what happens at a client.
//!
//! A message is a task in the transaction that causes it; the bridge publishes it, and nobody else does.

use domain::topic::OutgoingTopic;
use domain::{Actor, Capability, FieldError};
use jiff::{SignedDuration, Timestamp};
use queue::NewTask;
use serde::{Deserialize, Serialize};
use store::audit::AuditEntry;
use store::{Store, Tx};

use crate::Error;
use crate::right::require;

/// The kind of task that publishes a message.
pub const PUBLISH_KIND: &str = "mqtt.publish";
/// The queue it waits in; the bridge serves it.
pub const PUBLISH_QUEUE: &str = "mqtt";
/// Bytes of a payload at most, as the broker takes them.
pub const PAYLOAD_BYTES_MAX: usize = 65_536;
/// For how long a command is of use that does not say so: who repeats it later by hand would move what nobody expects to
/// move.
pub const COMMAND_EXPIRES_AFTER: SignedDuration = SignedDuration::from_mins(15);

/// The arguments of a task of kind [`PUBLISH_KIND`]: one message, published at quality of service 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publication {
    /// Where; must be an [`OutgoingTopic`] of the task's client.
    pub topic: String,
    /// What, as text.
    pub payload: String,
    /// Whether the broker keeps it for who subscribes later.
    #[serde(default)]
    pub retain: bool,
    /// When it is of no use any more; a command that does not say so is of use for [`COMMAND_EXPIRES_AFTER`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// Publishes a message once the bridge comes to it: at least once, each time under the same message id. The audit trail
/// says who sent what where, but not its payload.
///
/// # Errors
/// `forbidden` without [`Capability::Admin`], `invalid-message` for a foreign topic, a payload that is too large, or a
/// command that the broker is to keep, and those of the store.
pub async fn publish(
    store: &Store,
    actor: &Actor,
    message: &Publication,
    now: Timestamp,
) -> Result<(), Error> {
    require(actor, Capability::Admin)?;
    store.run_tx(actor, "publish_message", |tx| async move { enqueue(&tx, actor, message, now).await }).await
}

/// The same within a transaction that has other things to do, whose use case has asked for its own rights.
///
/// # Errors
/// `invalid-message`, and those of the store.
pub async fn enqueue(tx: &Tx, actor: &Actor, message: &Publication, now: Timestamp) -> Result<(), Error> {
    let topic = check(tx, message).await?;
    let mut message = message.clone();
    if topic.is_command() {
        if message.retain {
            let detail = "A device would hear the command again each time it connects.".to_owned();
            return Err(Error::InvalidMessage(vec![FieldError::new("/retain", detail)]));
        }
        let expiry = now.saturating_add(COMMAND_EXPIRES_AFTER).unwrap_or(Timestamp::MAX);
        message.expires_at.get_or_insert(expiry);
    }
    let detail = serde_json::json!({
        "topic": topic.as_str(),
        "retain": message.retain,
        "expires_at": message.expires_at,
    });
    tx.audit(&AuditEntry { action: "message_published", subject_kind: "topic", subject_id: None, detail })
        .await?;
    let task = NewTask::new(PUBLISH_KIND, &message)
        .queue(PUBLISH_QUEUE)
        .tenant(*actor.client_id.as_uuid())
        .correlation(*actor.correlation_id.as_uuid());
    tx.enqueue(&[task]).await?;
    Ok(())
}

/// Answers where a message goes, after asking again whether its client may publish there: whoever can enqueue a task
/// can write what it likes into it.
///
/// # Errors
/// `invalid-message`, and those of the store.
pub async fn resolve(store: &Store, actor: &Actor, message: &Publication) -> Result<OutgoingTopic, Error> {
    store.read(actor, "resolve_topic", |tx| async move { check(&tx, message).await }).await
}

async fn check(tx: &Tx, message: &Publication) -> Result<OutgoingTopic, Error> {
    let refuse = |pointer, detail: String| Error::InvalidMessage(vec![FieldError::new(pointer, detail)]);
    if message.payload.len() > PAYLOAD_BYTES_MAX {
        return Err(refuse("/payload", format!("Use at most {PAYLOAD_BYTES_MAX} bytes.")));
    }
    let Some(client) = tx.client().await? else {
        return Err(refuse("/topic", "There is no such client.".to_owned()));
    };
    OutgoingTopic::parse(&client.code, &message.topic)
        .map_err(|refused| refuse("/topic", format!("{refused}.")))
}
