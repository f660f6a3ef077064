//! Messages to a client's devices, and to who listens for what happens at a client.
//!
//! A message is a task in the transaction that causes it; the bridge publishes it, and nobody else does.

use domain::topic::OutgoingTopic;
use domain::{Actor, Capability, FieldError};
use jiff::Timestamp;
use queue::NewTask;
use serde::{Deserialize, Serialize};
use store::{Store, Tx};

use crate::Error;
use crate::right::require;

/// The kind of task that publishes a message.
pub const PUBLISH_KIND: &str = "mqtt.publish";
/// The queue it waits in; the bridge serves it.
pub const PUBLISH_QUEUE: &str = "mqtt";
/// Bytes of a payload at most, as the broker takes them.
pub const PAYLOAD_BYTES_MAX: usize = 65_536;

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
    /// When it is of no use any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// Publishes a message once the bridge comes to it: at least once, each time under the same message id.
///
/// # Errors
/// `forbidden` without [`Capability::Admin`], `invalid-message` for a foreign topic or a payload that is too large, and
/// those of the store.
pub async fn publish(store: &Store, actor: &Actor, message: &Publication) -> Result<(), Error> {
    require(actor, Capability::Admin)?;
    store.run_tx(actor, "publish_message", |tx| async move { enqueue(&tx, actor, message).await }).await
}

/// The same within a transaction that has other things to do, whose use case has asked for its own rights.
///
/// # Errors
/// `invalid-message`, and those of the store.
pub async fn enqueue(tx: &Tx, actor: &Actor, message: &Publication) -> Result<(), Error> {
    check(tx, message).await?;
    let task = NewTask::new(PUBLISH_KIND, message)
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
