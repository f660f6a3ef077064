//! From readings that break rules to tickets: one open ticket for each rule.

use std::collections::{BTreeMap, BTreeSet};

use domain::telemetry::{AlarmRule, Reading};
use domain::ticket::{NewTicket, TicketSource};
use domain::{Actor, AlarmRuleId, CorrelationId, DeviceId, MessageId, TicketEventId, TicketId};
use store::Tx;

use super::message::Checked;
use crate::news::{self, News};

/// Raises a ticket for every rule that a reading breaks and that has no open ticket, and tells whom it concerns.
pub(super) async fn raise(
    tx: &Tx,
    actor: &Actor,
    readings: &[&Reading],
    messages: &[Checked],
) -> Result<(), store::Error> {
    let devices: BTreeSet<DeviceId> = readings.iter().map(|reading| reading.device_id).collect();
    let rules = tx.alarm_rules(devices.into_iter().collect()).await?;
    let broken = broken_rules(&rules, readings);
    if broken.is_empty() {
        return Ok(());
    }
    let ids: Vec<AlarmRuleId> = broken.iter().map(|(rule, _)| rule.id).collect();
    let open: BTreeSet<AlarmRuleId> = tx.raised_rules(ids).await?.into_iter().collect();
    let causes: BTreeMap<MessageId, CorrelationId> =
        messages.iter().map(|message| (message.message_id, message.correlation_id)).collect();
    let new: Vec<NewTicket> = broken
        .iter()
        .filter(|(rule, _)| !open.contains(&rule.id))
        .map(|(rule, reading)| {
            let cause = causes.get(&reading.message_id).copied().unwrap_or(actor.correlation_id);
            ticket_of(rule, reading, cause)
        })
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    let news: Vec<News> = new.iter().map(News::of_new).collect();
    news::spread(tx, actor, &news).await?;
    tx.raise_tickets(&new).await?;
    Ok(())
}

/// Each broken rule with the first reading that breaks it.
fn broken_rules<'a>(rules: &'a [AlarmRule], readings: &[&'a Reading]) -> Vec<(&'a AlarmRule, &'a Reading)> {
    let mut by_device: BTreeMap<DeviceId, Vec<&Reading>> = BTreeMap::new();
    for reading in readings {
        by_device.entry(reading.device_id).or_default().push(reading);
    }
    rules
        .iter()
        .filter_map(|rule| {
            let of_device = by_device.get(&rule.device_id)?;
            let first = of_device
                .iter()
                .filter(|reading| rule.is_broken_by(reading))
                .min_by_key(|reading| reading.measured_at)?;
            Some((rule, *first))
        })
        .collect()
}

fn ticket_of(rule: &AlarmRule, reading: &Reading, correlation_id: CorrelationId) -> NewTicket {
    let story = rule.explain(reading);
    NewTicket {
        id: TicketId::generate(),
        event_id: TicketEventId::generate(),
        site_id: rule.site_id,
        title: rule.title(),
        detail: format!("Raised with priority {} by an alarm rule: {story}.", rule.priority.in_words()),
        description: story,
        priority: rule.priority,
        source: TicketSource::Alarm,
        assignee_id: rule.assignee_id,
        group_id: rule.group_id,
        created_by: None,
        alarm_rule_id: Some(rule.id),
        device_id: Some(rule.device_id),
        correlation_id,
        created_at: reading.received_at,
    }
}
