//! A message as the bridge hands it over, and what became of it.

use std::collections::BTreeMap;

use domain::telemetry::{Metric, Reading, clip_measured_at};
use domain::text::Code;
use domain::{CorrelationId, DeviceId, MessageId};
use jiff::Timestamp;

/// Most values of one message.
pub const VALUES_MAX: usize = 50;

/// A message of a device, before anything is known to be right.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The client's code, from the topic.
    pub client_code: Code,
    /// The device's code, from the topic.
    pub device_code: Code,
    /// Made once by the device, kept on every repeat.
    pub id: MessageId,
    /// When the device says it measured.
    pub sent_at: Timestamp,
    /// When it arrived.
    pub received_at: Timestamp,
    /// Metric to value.
    pub values: BTreeMap<String, f64>,
    /// Links reading, ticket and mail.
    pub correlation_id: CorrelationId,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is stored, by this batch.
    Stored,
    /// It was stored before; nothing was added.
    Duplicate,
    /// It will never be stored.
    Refused(Refusal),
}

/// Why a message will never be stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No enabled device of an active client has these codes.
    #[error("the device is not known")]
    UnknownDevice,
    /// It carries no value.
    #[error("the message carries no values")]
    NoValues,
    /// It carries more than [`VALUES_MAX`] values.
    #[error("the message carries more than {VALUES_MAX} values")]
    TooManyValues,
    /// The name of a metric breaks its rule.
    #[error("a metric is named with 1 to 50 letters, digits, `-` or `_`")]
    Metric,
    /// A value is no finite number.
    #[error("a value is not a finite number")]
    Value,
    /// PostgreSQL refuses it.
    #[error("the database refuses the values (SQLSTATE {sqlstate})")]
    Database {
        /// PostgreSQL's code.
        sqlstate: String,
    },
}

/// A message whose device and values are known to be right.
#[derive(Clone, Debug)]
pub(super) struct Checked {
    /// Its place in the batch.
    pub(super) place: usize,
    pub(super) device_id: DeviceId,
    pub(super) message_id: MessageId,
    pub(super) sent_at: Timestamp,
    pub(super) received_at: Timestamp,
    pub(super) values: Vec<(Metric, f64)>,
    pub(super) correlation_id: CorrelationId,
}

impl Checked {
    /// Checks the values of a message of a known device.
    pub(super) fn of(place: usize, device_id: DeviceId, message: &Message) -> Result<Self, Refusal> {
        if message.values.is_empty() {
            return Err(Refusal::NoValues);
        }
        if message.values.len() > VALUES_MAX {
            return Err(Refusal::TooManyValues);
        }
        let values = message.values.iter().map(|(name, value)| {
            let metric = Metric::parse(name).map_err(|_broken_rule| Refusal::Metric)?;
            if value.is_finite() { Ok((metric, *value)) } else { Err(Refusal::Value) }
        });
        Ok(Self {
            place,
            device_id,
            message_id: message.id,
            sent_at: message.sent_at,
            received_at: message.received_at,
            values: values.collect::<Result<_, _>>()?,
            correlation_id: message.correlation_id,
        })
    }

    /// The time it is filed under.
    pub(super) fn measured_at(&self) -> Timestamp {
        clip_measured_at(self.sent_at, self.received_at)
    }

    /// Whether the device's clock was so far off that the message is filed under its arrival.
    pub(super) fn is_misdated(&self) -> bool {
        self.measured_at() != self.sent_at
    }

    /// Its readings.
    pub(super) fn readings(&self) -> impl Iterator<Item = Reading> {
        self.values.iter().map(|(metric, value)| Reading {
            device_id: self.device_id,
            message_id: self.message_id,
            metric: metric.clone(),
            value: *value,
            measured_at: self.measured_at(),
            received_at: self.received_at,
        })
    }
}
