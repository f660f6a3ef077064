//! Devices: topics and payloads.
//!
//! A device publishes to `yt/v1/{client code}/{device code}/telemetry` at quality of service 1 and repeats a
//! message under the same id until the bridge answers on `…/ack`.

use std::collections::BTreeMap;

use domain::MessageId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a device publishes on `…/telemetry`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetryMessage {
    /// Made once per message, kept on every repeat.
    pub id: MessageId,
    /// When the device measured.
    pub at: Timestamp,
    /// Metric to value, 1 to 50 of them.
    pub values: BTreeMap<String, f64>,
}

/// What the bridge answers on `…/ack` once the message is stored or refused for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TelemetryAnswer {
    /// The message, when it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<MessageId>,
    /// Whether it is stored.
    pub stored: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
