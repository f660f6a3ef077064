//! The log of security events.

use domain::security::SecurityEventKind;
use domain::{Actor, Capability, ClientId, CorrelationId, SecurityEventId};
use jiff::Timestamp;
use store::Store;
pub use store::security_event::{NewSecurityEvent, SecurityEvent};

use crate::Error;
use crate::right::require;

/// Writes events of a client, or of nobody's, on their own. An event that was written before stays as it is. What happens
/// inside a transaction is written with it: [`store::Tx::record_security_events`].
///
/// # Errors
/// Those of the store.
pub async fn record(
    store: &Store,
    client: Option<ClientId>,
    events: &[NewSecurityEvent],
) -> Result<(), Error> {
    let name = "record_security_events";
    match client {
        Some(client) => {
            let correlation =
                events.first().map_or_else(CorrelationId::generate, |event| event.correlation_id);
            let actor = Actor::process(client, correlation);
            store.run_tx(&actor, name, |tx| async move { tx.record_security_events(events).await }).await?
        }
        None => store.run_system(name, |tx| async move { tx.record_security_events(events).await }).await?,
    };
    Ok(())
}

/// Reads events of the actor's client before a place, the latest first.
///
/// # Errors
/// `forbidden`, and those of the store.
pub async fn list(
    store: &Store,
    actor: &Actor,
    before: (Timestamp, SecurityEventId),
    kind: Option<SecurityEventKind>,
    limit: u16,
) -> Result<Vec<SecurityEvent>, Error> {
    require(actor, Capability::Security)?;
    let seen = store.read(actor, "list_security_events", |tx| async move {
        tx.security_events(before, kind, i64::from(limit)).await
    });
    Ok(seen.await?)
}

/// Reads events of nobody in particular before a moment, the latest first.
///
/// # Errors
/// `forbidden`, and those of the store.
pub async fn list_of_nobody(
    store: &Store,
    actor: &Actor,
    before: Timestamp,
    limit: u16,
) -> Result<Vec<SecurityEvent>, Error> {
    require(actor, Capability::Operate)?;
    let seen = store.read(actor, "list_security_events_of_nobody", |tx| async move {
        tx.security_events_of_nobody(before, i32::from(limit)).await
    });
    Ok(seen.await?)
}
