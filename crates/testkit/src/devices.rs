//! Devices and alarm rules, with valid defaults.

use std::borrow::Borrow;
use std::pin::Pin;

use domain::telemetry::Comparison;
use domain::ticket::TicketPriority;
use domain::{AlarmRuleId, ClientId, DeviceId, GroupId, PersonId, SiteId};

use crate::database::Database;

impl Database {
    /// A device of a site; await it, or say more first. Its user name at the broker is `{client}.{device}`.
    pub fn device(
        &self,
        client: impl Borrow<ClientId>,
        site: impl Borrow<SiteId>,
        code: &str,
    ) -> DeviceBuilder<'_> {
        DeviceBuilder {
            db: self,
            client: *client.borrow(),
            site: *site.borrow(),
            code: code.to_owned(),
            broker_password_hash: "$7$101$none$none".to_owned(),
        }
    }

    /// A rule of high priority for `temperature` above 70; await it, or say more first.
    pub fn alarm_rule(
        &self,
        client: impl Borrow<ClientId>,
        device: impl Borrow<DeviceId>,
    ) -> AlarmRuleBuilder<'_> {
        AlarmRuleBuilder {
            db: self,
            client: *client.borrow(),
            device: *device.borrow(),
            metric: "temperature".to_owned(),
            comparison: Comparison::Above,
            threshold: 70.0,
            priority: TicketPriority::High,
            assignee: None,
            group: None,
        }
    }
}

/// Describes a device; awaiting it inserts the device.
#[must_use = "await it"]
pub struct DeviceBuilder<'a> {
    db: &'a Database,
    client: ClientId,
    site: SiteId,
    code: String,
    broker_password_hash: String,
}

impl DeviceBuilder<'_> {
    /// Gives the line of the broker's password file.
    pub fn broker_password_hash(mut self, hash: &str) -> Self {
        hash.clone_into(&mut self.broker_password_hash);
        self
    }

    async fn insert(self) -> DeviceId {
        let id = DeviceId::generate();
        let client_code: String =
            self.db.value("select code from client where client_id = $1", &[&self.client]).await;
        let sql =
            "insert into device (client_id, id, site_id, code, name, broker_username, broker_password_hash)
                   values ($1, $2, $3, $4, $5, $6, $7)";
        let (name, user) = (format!("Device {}", self.code), format!("{client_code}.{}", self.code));
        let params: &[&(dyn tokio_postgres::types::ToSql + Sync)] =
            &[&self.client, &id, &self.site, &self.code, &name, &user, &self.broker_password_hash];
        self.db.insert(sql, params).await;
        id
    }
}

impl<'a> IntoFuture for DeviceBuilder<'a> {
    type Output = DeviceId;
    type IntoFuture = Pin<Box<dyn Future<Output = DeviceId> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.insert())
    }
}

/// Describes an alarm rule; awaiting it inserts the rule.
#[must_use = "await it"]
pub struct AlarmRuleBuilder<'a> {
    db: &'a Database,
    client: ClientId,
    device: DeviceId,
    metric: String,
    comparison: Comparison,
    threshold: f64,
    priority: TicketPriority,
    assignee: Option<PersonId>,
    group: Option<GroupId>,
}

impl AlarmRuleBuilder<'_> {
    /// Watches a metric.
    pub fn metric(mut self, metric: &str) -> Self {
        metric.clone_into(&mut self.metric);
        self
    }

    /// Raises an alarm above a limit.
    pub fn above(mut self, threshold: f64) -> Self {
        (self.comparison, self.threshold) = (Comparison::Above, threshold);
        self
    }

    /// Raises an alarm below a limit.
    pub fn below(mut self, threshold: f64) -> Self {
        (self.comparison, self.threshold) = (Comparison::Below, threshold);
        self
    }

    /// Gives the ticket's priority.
    pub fn priority(mut self, priority: TicketPriority) -> Self {
        self.priority = priority;
        self
    }

    /// Hands the ticket to a person.
    pub fn assignee(mut self, person: PersonId) -> Self {
        self.assignee = Some(person);
        self
    }

    /// Hands the ticket to a group.
    pub fn group(mut self, group: GroupId) -> Self {
        self.group = Some(group);
        self
    }

    async fn insert(self) -> AlarmRuleId {
        let id = AlarmRuleId::generate();
        let sql = "insert into alarm_rule (client_id, id, device_id, metric, comparison, threshold, priority,
                                           assignee_id, group_id)
                   values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let params: &[&(dyn tokio_postgres::types::ToSql + Sync)] = &[
            &self.client,
            &id,
            &self.device,
            &self.metric,
            &self.comparison,
            &self.threshold,
            &self.priority,
            &self.assignee,
            &self.group,
        ];
        self.db.insert(sql, params).await;
        id
    }
}

impl<'a> IntoFuture for AlarmRuleBuilder<'a> {
    type Output = AlarmRuleId;
    type IntoFuture = Pin<Box<dyn Future<Output = AlarmRuleId> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.insert())
    }
}
