//! Devices and the rules that watch their readings.

use domain::telemetry::{AlarmRule, Comparison, Metric};
use domain::text::Code;
use domain::ticket::TicketPriority;
use domain::{AlarmRuleId, ClientId, DeviceId, GroupId, PersonId, SiteId};
use jiff::Timestamp;

use crate::{Error, Tx, queries, row};

/// The device behind the codes of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResolvedDevice {
    /// The pair's place in the question, from 1.
    pub position: i32,
    /// The tenant.
    pub client_id: ClientId,
    /// The device.
    pub device_id: DeviceId,
}

/// A device to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDevice {
    /// Its id.
    pub id: DeviceId,
    /// Where it stands.
    pub site_id: SiteId,
    /// Its code, the second part of its topics.
    pub code: Code,
    /// Its name.
    pub name: String,
    /// The name it gives the broker.
    pub broker_username: String,
    /// The line of the broker's password file behind the name.
    pub broker_password_hash: String,
}

row! { ResolvedDevice { position, client_id, device_id } }
row! { AlarmRule { id, device_id, device_code, site_id, metric, comparison, threshold, priority, assignee_id, group_id } }

queries! {
    /// The enabled devices behind pairs of client and device codes, over every client.
    RESOLVE: (Vec<Code>, Vec<Code>) => ResolvedDevice = "
        select position, client_id, device_id
          from resolve_devices($1, $2)";
    /// The rules that watch devices.
    RULES: (Vec<DeviceId>,) => AlarmRule = "
        select alarm_rule.id, alarm_rule.device_id, device.code as device_code, device.site_id, alarm_rule.metric,
               alarm_rule.comparison, alarm_rule.threshold, alarm_rule.priority, alarm_rule.assignee_id,
               alarm_rule.group_id
          from alarm_rule
          join device on device.client_id = alarm_rule.client_id and device.id = alarm_rule.device_id
         where alarm_rule.device_id = any ($1)
           and alarm_rule.enabled
         order by alarm_rule.id";
    /// Those of the given rules that have an open ticket.
    RAISED_RULES: (Vec<AlarmRuleId>,) => AlarmRuleId = "
        select alarm_rule.id
          from alarm_rule
         where alarm_rule.id = any ($1)
           and exists (select from ticket
                        where ticket.client_id = alarm_rule.client_id
                          and ticket.alarm_rule_id = alarm_rule.id
                          and ticket.state in ('NEW', 'OPEN', 'ON_HOLD'))";
    /// Notes that devices were heard of, at most every ten seconds each: rivals seldom meet on the row.
    SEEN: (Timestamp, Vec<DeviceId>) => () = "
        update device
           set last_seen_at = $1
         where id = any ($2)
           and (last_seen_at is null or last_seen_at < $1::timestamptz - interval '10 seconds')";
    /// Adds a device; one that exists gets the password only.
    INSERT: (DeviceId, SiteId, Code, String, String, String) => () = "
        insert into device (id, site_id, code, name, broker_username, broker_password_hash)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (client_id, id) do update
           set broker_password_hash = excluded.broker_password_hash";
    /// Adds a rule; one that exists stays as it is.
    INSERT_RULE: (AlarmRuleId, DeviceId, Metric, Comparison, f64, TicketPriority, Option<PersonId>, Option<GroupId>)
        => () = "
        insert into alarm_rule (id, device_id, metric, comparison, threshold, priority, assignee_id, group_id)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        on conflict (client_id, id) do nothing";
}

impl Tx {
    /// Finds the devices behind pairs of client and device codes; unknown pairs are left out.
    pub async fn resolve_devices(
        &self,
        clients: &[Code],
        devices: &[Code],
    ) -> Result<Vec<ResolvedDevice>, Error> {
        self.all(&RESOLVE, (clients, devices)).await
    }

    /// Reads the rules that watch devices.
    pub async fn alarm_rules(&self, devices: Vec<DeviceId>) -> Result<Vec<AlarmRule>, Error> {
        self.all(&RULES, (devices,)).await
    }

    /// Finds those of the given rules that have an open ticket.
    pub async fn raised_rules(&self, rules: Vec<AlarmRuleId>) -> Result<Vec<AlarmRuleId>, Error> {
        self.all(&RAISED_RULES, (rules,)).await
    }

    /// Notes that devices were heard of.
    pub async fn see_devices(&self, devices: Vec<DeviceId>, now: Timestamp) -> Result<u64, Error> {
        self.execute(&SEEN, (now, devices)).await
    }

    /// Adds a device; one that exists gets the password only.
    pub async fn insert_device(&self, device: &NewDevice) -> Result<u64, Error> {
        let columns = (
            device.id,
            device.site_id,
            &device.code,
            &device.name,
            &device.broker_username,
            &device.broker_password_hash,
        );
        self.execute(&INSERT, columns).await
    }

    /// Adds a rule, unless it exists.
    pub async fn insert_alarm_rule(&self, rule: &AlarmRule) -> Result<u64, Error> {
        let columns = (
            rule.id,
            rule.device_id,
            &rule.metric,
            rule.comparison,
            rule.threshold,
            rule.priority,
            rule.assignee_id,
            rule.group_id,
        );
        self.execute(&INSERT_RULE, columns).await
    }
}
