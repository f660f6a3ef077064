//! What a delivery says, or why it says nothing.

use api::device::TelemetryMessage;
use app::telemetry::Message;
use domain::MessageId;
use serde::Deserialize;

use crate::broker::Delivery;
use crate::topics::Address;

/// Why a delivery can never be a message. The text is kept beside it and told to the device.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// The topic names no device.
    #[error("the topic names no device")]
    Topic,
    /// The payload is not the JSON we ask for.
    #[error("the payload cannot be read: {0}")]
    Payload(#[source] serde_json::Error),
}

/// Reads topic and payload. Whether device and values are right is decided where they are stored.
pub(crate) fn read(delivery: &Delivery) -> Result<Message, Unreadable> {
    let address = Address::parse(&delivery.topic).ok_or(Unreadable::Topic)?;
    let payload = parse(&delivery.payload).map_err(Unreadable::Payload)?;
    Ok(Message {
        client_code: address.client,
        device_code: address.device,
        id: payload.id,
        sent_at: payload.at,
        received_at: delivery.received_at,
        values: payload.values,
        correlation_id: delivery.correlation_id,
    })
}

fn parse(payload: &[u8]) -> Result<TelemetryMessage, serde_json::Error> {
    serde_json::from_slice(payload)
}

/// The id in a payload, even when nothing else in it can be read, so that its device learns which message it was.
pub(crate) fn id_of(payload: &[u8]) -> Option<MessageId> {
    #[derive(Deserialize)]
    struct OnlyId {
        id: MessageId,
    }
    serde_json::from_slice::<OnlyId>(payload).ok().map(|message| message.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    fn payload(values: &str) -> Vec<u8> {
        format!(r#"{{"id":"{ID}","at":"2030-01-01T00:00:00Z","values":{values}}}"#).into_bytes()
    }

    #[test]
    fn a_payload_is_read_whole() {
        let message = parse(&payload(r#"{"temperature":21.5,"rpm":1200}"#)).unwrap();
        assert_eq!(message.id.to_string(), ID);
        assert_eq!(message.values.len(), 2);
    }

    #[test]
    fn what_is_not_our_json_is_refused() {
        for payload in [
            &b""[..],
            b"\xff\xfe",
            b"[]",
            br#"{"id":1}"#,
            &payload(r#"{"t":1e999}"#),
            &payload(r#"{"t":"1"}"#),
        ] {
            assert!(parse(payload).is_err(), "{payload:?}");
        }
    }

    #[test]
    fn the_id_of_a_half_readable_message_is_found() {
        assert_eq!(id_of(&payload(r#"{"t":"not a number"}"#)).unwrap().to_string(), ID);
        assert_eq!(id_of(b"{"), None);
    }
}
