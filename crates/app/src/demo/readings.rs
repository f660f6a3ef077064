//! A day of readings for devices that have none, with one alarm among them.

use std::collections::BTreeMap;

use domain::text::Code;
use domain::{Actor, CorrelationId, DeviceId, MessageId};
use jiff::{SignedDuration, Timestamp};
use store::Store;

use super::chance::{Chance, Kind, id};
use super::client::{CLIENTS, DEVICES, DemoClient, DemoDevice};
use crate::Error;
use crate::telemetry::{self, Message};

/// One message each hour.
const HOURS: u64 = 24;
/// The device and the hour of the alarm.
const ALARM: (&str, u64) = ("CHILLER-1", 21);

/// Records the readings of clients whose devices have none.
pub(super) async fn record(store: &Store, anchor: Timestamp) -> Result<(), Error> {
    for client in CLIENTS {
        let actor = &Actor::process(client.client_id(), CorrelationId::generate());
        let first = DeviceId::from_uuid(id(Kind::Device, client.tenant, 0));
        let known =
            store.read(actor, "list_latest_values", |tx| async move { tx.latest_values(first).await });
        if known.await?.is_empty() {
            let messages: Vec<Message> = (0..)
                .zip(DEVICES)
                .flat_map(|(number, device)| {
                    (0..HOURS).map(move |hour| message(client, (number, device), hour, anchor))
                })
                .collect();
            telemetry::record_batch(store, &messages).await?;
        }
    }
    Ok(())
}

fn message(
    client: &DemoClient,
    (number, device): (u64, &DemoDevice),
    hour: u64,
    anchor: Timestamp,
) -> Message {
    let place = number * HOURS + hour;
    let mut chance = Chance::new((client.tenant << 40) | place);
    let hours_ago = i64::try_from(HOURS - hour).expect("a day has 24 hours");
    let at = anchor - SignedDuration::from_hours(hours_ago);
    let (metric, limit) = device.rule.unwrap_or(("starts", 100.0));
    let is_alarm = client.tenant == 1 && ALARM == (device.code, hour);
    let share = if is_alarm { 1.2 } else { 0.6 + tenths(chance.below(30)) / 10.0 };
    let code = |text: &str| Code::parse(text).expect("the demo's codes are letters, digits and hyphens");
    Message {
        client_code: code(client.code),
        device_code: code(device.code),
        id: MessageId::from_uuid(id(Kind::Message, client.tenant, place)),
        sent_at: at,
        received_at: at,
        values: BTreeMap::from([(metric.to_owned(), (limit * share * 10.0).round() / 10.0)]),
        correlation_id: CorrelationId::generate(),
    }
}

fn tenths(count: u64) -> f64 {
    f64::from(u32::try_from(count).expect("a small number")) / 10.0
}
