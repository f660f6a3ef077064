//! A batch of messages: one transaction for each client in it.

use std::collections::{BTreeMap, BTreeSet};

use domain::telemetry::Reading;
use domain::text::Code;
use domain::{Actor, ClientId, DeviceId};
use jiff::Timestamp;
use store::telemetry::{MessageKey, MisdatedMessage};
use store::{Store, Tx};

use super::alarm;
use super::message::{Checked, Message, Outcome, Refusal};
use crate::Error;

/// Alarms lost to another bridge before the batch is handed back.
const RACES_MAX: u32 = 10;

/// Stores a batch of messages of any clients and raises the alarms in it; answers what became of each, in order.
///
/// Each client's part is one transaction: readings, newest values, tickets and their mail tasks, or nothing. When
/// PostgreSQL refuses a value, the part is halved until the message is found, and only that one is refused. After an
/// error the parts of the other clients are stored all the same: repeat the batch, what was stored answers as duplicate.
///
/// # Errors
/// Those of the store that repeating may heal.
pub async fn record_batch(store: &Store, messages: &[Message]) -> Result<Vec<Outcome>, Error> {
    let mut outcomes = vec![Outcome::Refused(Refusal::UnknownDevice); messages.len()];
    let mut parts: BTreeMap<ClientId, Vec<Checked>> = BTreeMap::new();
    for (place, client_id, device_id) in resolve(store, messages).await? {
        let (Some(message), Some(outcome)) = (messages.get(place), outcomes.get_mut(place)) else { continue };
        match Checked::of(place, device_id, message) {
            Ok(checked) => parts.entry(client_id).or_default().push(checked),
            Err(refusal) => *outcome = Outcome::Refused(refusal),
        }
    }
    let mut first_error = None;
    for (client_id, part) in &parts {
        match record_part(store, *client_id, part).await {
            Ok(recorded) => {
                for (place, outcome) in recorded {
                    if let Some(slot) = outcomes.get_mut(place) {
                        *slot = outcome;
                    }
                }
            }
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    first_error.map_or(Ok(outcomes), Err)
}

/// The place, client and device of each message whose codes are known.
async fn resolve(store: &Store, messages: &[Message]) -> Result<Vec<(usize, ClientId, DeviceId)>, Error> {
    let clients: Vec<Code> = messages.iter().map(|message| message.client_code.clone()).collect();
    let devices: Vec<Code> = messages.iter().map(|message| message.device_code.clone()).collect();
    let (clients, devices) = (&clients, &devices);
    let mut known = store
        .run_single("resolve_devices", |tx| async move { tx.resolve_devices(clients, devices).await })
        .await?;
    known.sort_by_key(|device| device.position);
    let placed = known.into_iter().filter_map(|device| {
        let place = usize::try_from(device.position).ok()?.checked_sub(1)?;
        Some((place, device.client_id, device.device_id))
    });
    Ok(placed.collect())
}

/// Stores the messages of one client, halving what PostgreSQL refuses.
async fn record_part(
    store: &Store,
    client_id: ClientId,
    part: &[Checked],
) -> Result<Vec<(usize, Outcome)>, Error> {
    let mut outcomes = Vec::with_capacity(part.len());
    let mut waiting = vec![part];
    let mut races = 0;
    while let Some(slice) = waiting.pop() {
        let Some(first) = slice.first() else { continue };
        let actor = &Actor::process(client_id, first.correlation_id);
        let recorded = store
            .run_in_turn(actor, "record_telemetry", |tx| async move { record(&tx, actor, slice).await })
            .await;
        match recorded {
            Ok(stored) => outcomes.extend(tell_apart(slice, stored)),
            Err(error) if is_lost_race(&error) && races < RACES_MAX => {
                races += 1;
                waiting.push(slice);
            }
            Err(error) if is_lost_race(&error) || !error.is_about_values() => return Err(error.into()),
            Err(error) if slice.len() == 1 => {
                let sqlstate = error.sqlstate().unwrap_or("").to_owned();
                outcomes.push((first.place, Outcome::Refused(Refusal::Database { sqlstate })));
            }
            Err(_values_refused) => {
                let (front, back) = slice.split_at(slice.len() / 2);
                waiting.extend([back, front]);
            }
        }
    }
    Ok(outcomes)
}

/// Whether another bridge raised the ticket of the same rule in the same moment: next time it is seen.
fn is_lost_race(error: &store::Error) -> bool {
    error.constraint() == Some("ticket_alarm_key")
}

/// Which messages were stored and which had been; a message twice in one batch is stored once.
fn tell_apart(slice: &[Checked], mut stored: BTreeSet<MessageKey>) -> Vec<(usize, Outcome)> {
    slice
        .iter()
        .map(|message| {
            let is_new = stored.remove(&key(message));
            (message.place, if is_new { Outcome::Stored } else { Outcome::Duplicate })
        })
        .collect()
}

fn key(message: &Checked) -> MessageKey {
    MessageKey { device_id: message.device_id, message_id: message.message_id }
}

/// Stores the messages that are not there and everything that follows from them; answers which those are.
async fn record(tx: &Tx, actor: &Actor, slice: &[Checked]) -> Result<BTreeSet<MessageKey>, store::Error> {
    let firsts = first_of_each(slice);
    let repeated = repeated_misdated(tx, &firsts).await?;
    let readings: Vec<Reading> = firsts
        .iter()
        .filter(|message| !repeated.contains(&key(message)))
        .flat_map(|message| message.readings())
        .collect();
    let stored: BTreeSet<MessageKey> = tx.insert_readings(&readings).await?.into_iter().collect();
    let fresh: Vec<&Reading> = readings
        .iter()
        .filter(|reading| {
            stored.contains(&MessageKey { device_id: reading.device_id, message_id: reading.message_id })
        })
        .collect();
    let devices: BTreeSet<DeviceId> = slice.iter().map(|message| message.device_id).collect();
    let newest = slice.iter().map(|message| message.received_at).max().unwrap_or(Timestamp::UNIX_EPOCH);
    tx.see_devices(devices.into_iter().collect(), newest).await?;
    if !fresh.is_empty() {
        tx.set_latest(&fresh).await?;
        alarm::raise(tx, actor, &fresh, slice).await?;
    }
    Ok(stored)
}

/// The messages, each once: of several under one id the first.
fn first_of_each(slice: &[Checked]) -> Vec<&Checked> {
    let mut seen = BTreeSet::new();
    slice.iter().filter(|message| seen.insert(key(message))).collect()
}

/// The messages that had been taken before as misdated.
async fn repeated_misdated(tx: &Tx, firsts: &[&Checked]) -> Result<BTreeSet<MessageKey>, store::Error> {
    let mut repeated = taken_ahead_of_time(tx, firsts).await?;
    let misdated: Vec<MisdatedMessage> = firsts
        .iter()
        .filter(|message| message.is_misdated())
        .map(|message| MisdatedMessage {
            device_id: message.device_id,
            message_id: message.message_id,
            sent_at: message.sent_at,
            received_at: message.received_at,
        })
        .collect();
    if misdated.is_empty() {
        return Ok(repeated);
    }
    let taken: BTreeSet<MessageKey> = tx.take_misdated(&misdated).await?.into_iter().collect();
    let keys = misdated
        .iter()
        .map(|message| MessageKey { device_id: message.device_id, message_id: message.message_id });
    repeated.extend(keys.filter(|key| !taken.contains(key)));
    Ok(repeated)
}

/// Messages of a clock that is ahead, in range by now, that were out of it when they first came.
async fn taken_ahead_of_time(tx: &Tx, firsts: &[&Checked]) -> Result<BTreeSet<MessageKey>, store::Error> {
    let ahead: Vec<MessageKey> = firsts
        .iter()
        .filter(|message| !message.is_misdated() && message.sent_at > message.received_at)
        .map(|message| key(message))
        .collect();
    if ahead.is_empty() {
        return Ok(BTreeSet::new());
    }
    Ok(tx.taken_misdated(&ahead).await?.into_iter().collect())
}
