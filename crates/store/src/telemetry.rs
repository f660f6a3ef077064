//! Readings, what is newest of each, and what could not be read.

use domain::telemetry::{Metric, Reading};
use domain::{CorrelationId, DeviceId, MessageId};
use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use crate::{Error, Tx, queries, row};

/// A message whose device clock was off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MisdatedMessage {
    /// The device.
    pub device_id: DeviceId,
    /// The message.
    pub message_id: MessageId,
    /// When the device says it measured.
    pub sent_at: Timestamp,
    /// When it arrived.
    pub received_at: Timestamp,
}

/// The key of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageKey {
    /// The device.
    pub device_id: DeviceId,
    /// The message.
    pub message_id: MessageId,
}

/// A message that will never be a reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Where it was published.
    pub topic: String,
    /// Byte for byte.
    pub payload: Vec<u8>,
    /// Why it cannot be read.
    pub reason: String,
    /// What PostgreSQL refused it with.
    pub sqlstate: Option<String>,
    /// What to look for in logs.
    pub correlation_id: CorrelationId,
    /// When it arrived.
    pub at: Timestamp,
}

/// The newest value of one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct LatestValue {
    /// The metric.
    pub metric: Metric,
    /// The value.
    pub value: f64,
    /// When it was measured.
    pub measured_at: Timestamp,
}

row! { MessageKey { device_id, message_id } }
row! { LatestValue { metric, value, measured_at } }

queries! {
    /// Stores readings that are not there, and answers with the messages they came in. Ordered, so that two writers of
    /// the same messages wait for each other instead of blocking each other.
    INSERT: (Vec<DeviceId>, Vec<MessageId>, Vec<Metric>, Vec<f64>, Vec<Timestamp>, Vec<Timestamp>) => MessageKey = "
        with stored as (
            insert into telemetry_reading (device_id, message_id, metric, value, measured_at, received_at)
            select device_id, message_id, metric, value, measured_at, received_at
              from unnest($1::uuid[], $2::uuid[], $3::text[], $4::double precision[], $5::timestamptz[],
                          $6::timestamptz[])
                   as given (device_id, message_id, metric, value, measured_at, received_at)
             order by device_id, message_id, metric
            on conflict do nothing
            returning device_id, message_id
        )
        select distinct device_id, message_id
          from stored";
    /// Takes the ids of misdated messages, and answers with those that were not taken before.
    TAKE_MISDATED: (Vec<DeviceId>, Vec<MessageId>, Vec<Timestamp>, Vec<Timestamp>) => MessageKey = "
        insert into telemetry_misdated (device_id, message_id, sent_at, received_at)
        select device_id, message_id, sent_at, received_at
          from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[])
               as given (device_id, message_id, sent_at, received_at)
         order by device_id, message_id
        on conflict do nothing
        returning device_id, message_id";
    /// Those of the given messages that were taken as misdated.
    TAKEN_MISDATED: (Vec<DeviceId>, Vec<MessageId>) => MessageKey = "
        select telemetry_misdated.device_id, telemetry_misdated.message_id
          from unnest($1::uuid[], $2::uuid[]) as given (device_id, message_id)
          join telemetry_misdated on telemetry_misdated.device_id = given.device_id
                                 and telemetry_misdated.message_id = given.message_id";
    /// Moves the newest values on; older readings change nothing.
    SET_LATEST: (Vec<DeviceId>, Vec<Metric>, Vec<f64>, Vec<Timestamp>, Vec<MessageId>) => () = "
        insert into device_latest as latest (device_id, metric, value, measured_at, message_id)
        select distinct on (device_id, metric) device_id, metric, value, measured_at, message_id
          from unnest($1::uuid[], $2::text[], $3::double precision[], $4::timestamptz[], $5::uuid[])
               as given (device_id, metric, value, measured_at, message_id)
         order by device_id, metric, measured_at desc, message_id desc
        on conflict (client_id, device_id, metric) do update
           set value = excluded.value, measured_at = excluded.measured_at, message_id = excluded.message_id
         where excluded.measured_at >= latest.measured_at";
    /// The newest values of a device.
    LATEST: (DeviceId,) => LatestValue = "
        select metric, value, measured_at
          from device_latest
         where device_id = $1
         order by metric";
    /// Keeps a message that cannot be read, unless its topic has had its share of the hour.
    BURY: (Uuid, Timestamp, String, Vec<u8>, String, Option<String>, CorrelationId, i64) => () = "
        insert into telemetry_dead_letter (id, at, topic, payload, reason, sqlstate, correlation_id)
        select $1, $2, $3, $4, $5, $6, $7
         where (select count(*)
                  from (select from telemetry_dead_letter
                         where topic = $3
                           and at > $2::timestamptz - interval '1 hour'
                         limit $8) as recent) < $8";
    /// Removes dead letters and keys of misdated messages older than some days, some at a time.
    CLEAN_UP: (i32, i32) => i64 = "
        select clean_up_telemetry($1, $2)";
    /// Creates a table's partitions of some days.
    ENSURE_PARTITIONS: (String, Date, i32) => i32 = "
        select ensure_daily_partitions($1, $2, $3)";
    /// Drops a table's partitions of days before one.
    DROP_PARTITIONS: (String, Date) => i32 = "
        select drop_daily_partitions($1, $2)";
}

impl Tx {
    /// Stores readings that are not there; answers with the messages of which something was stored.
    pub async fn insert_readings(&self, readings: &[Reading]) -> Result<Vec<MessageKey>, Error> {
        let columns = (
            readings.iter().map(|reading| reading.device_id).collect::<Vec<_>>(),
            readings.iter().map(|reading| reading.message_id).collect::<Vec<_>>(),
            readings.iter().map(|reading| reading.metric.clone()).collect::<Vec<_>>(),
            readings.iter().map(|reading| reading.value).collect::<Vec<_>>(),
            readings.iter().map(|reading| reading.measured_at).collect::<Vec<_>>(),
            readings.iter().map(|reading| reading.received_at).collect::<Vec<_>>(),
        );
        self.all(&INSERT, columns).await
    }

    /// Takes the ids of misdated messages; answers with those that were not taken before.
    pub async fn take_misdated(&self, messages: &[MisdatedMessage]) -> Result<Vec<MessageKey>, Error> {
        let columns = (
            messages.iter().map(|message| message.device_id).collect::<Vec<_>>(),
            messages.iter().map(|message| message.message_id).collect::<Vec<_>>(),
            messages.iter().map(|message| message.sent_at).collect::<Vec<_>>(),
            messages.iter().map(|message| message.received_at).collect::<Vec<_>>(),
        );
        self.all(&TAKE_MISDATED, columns).await
    }

    /// Finds those of the given messages that were taken as misdated.
    pub async fn taken_misdated(&self, keys: &[MessageKey]) -> Result<Vec<MessageKey>, Error> {
        let devices: Vec<DeviceId> = keys.iter().map(|key| key.device_id).collect();
        let messages: Vec<MessageId> = keys.iter().map(|key| key.message_id).collect();
        self.all(&TAKEN_MISDATED, (devices, messages)).await
    }

    /// Moves the newest values of devices on.
    pub async fn set_latest(&self, readings: &[&Reading]) -> Result<u64, Error> {
        let columns = (
            readings.iter().map(|reading| reading.device_id).collect::<Vec<_>>(),
            readings.iter().map(|reading| reading.metric.clone()).collect::<Vec<_>>(),
            readings.iter().map(|reading| reading.value).collect::<Vec<_>>(),
            readings.iter().map(|reading| reading.measured_at).collect::<Vec<_>>(),
            readings.iter().map(|reading| reading.message_id).collect::<Vec<_>>(),
        );
        self.execute(&SET_LATEST, columns).await
    }

    /// Reads the newest values of a device.
    pub async fn latest_values(&self, device: DeviceId) -> Result<Vec<LatestValue>, Error> {
        self.all(&LATEST, (device,)).await
    }

    /// Keeps a message that cannot be read; answers 0 when its topic has had `hourly_max` of them within the hour.
    #[expect(
        clippy::disallowed_methods,
        reason = "dead letters are read by operators only and have no id type"
    )]
    pub async fn bury(&self, letter: &DeadLetter, hourly_max: i64) -> Result<u64, Error> {
        let columns = (
            Uuid::now_v7(),
            letter.at,
            &letter.topic,
            &letter.payload,
            &letter.reason,
            letter.sqlstate.as_ref(),
            letter.correlation_id,
            hourly_max,
        );
        self.execute(&BURY, columns).await
    }

    /// Removes dead letters and keys of misdated messages older than some days, at most `limit` of each; fewer than
    /// `limit` means that none are left.
    pub async fn clean_up_telemetry(&self, days: i32, limit: i32) -> Result<i64, Error> {
        self.one(&CLEAN_UP, (days, limit)).await
    }

    /// Creates a table's partitions for `days` days from a day on; answers how many were missing.
    pub async fn ensure_partitions(&self, table: &str, from: Date, days: i32) -> Result<i32, Error> {
        self.one(&ENSURE_PARTITIONS, (table, from, days)).await
    }

    /// Drops a table's partitions of days before the first that is kept; answers how many went.
    pub async fn drop_partitions(&self, table: &str, first_kept: Date) -> Result<i32, Error> {
        self.one(&DROP_PARTITIONS, (table, first_kept)).await
    }
}
