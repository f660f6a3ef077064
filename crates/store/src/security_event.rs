//! Security events: what happened at the door, or was tried.

use std::net::IpAddr;

use domain::security::SecurityEventKind;
use domain::{CorrelationId, PersonId, SecurityEventId, SessionId};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::{Error, Tx, queries, row};

/// An event to be written. Who repeats it keeps id and time, and it is written once.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NewSecurityEvent {
    /// Its id.
    pub id: SecurityEventId,
    /// When it was first seen; a time to come becomes the database's own.
    pub at: Timestamp,
    /// What happened.
    pub kind: SecurityEventKind,
    /// Who.
    pub person_id: Option<PersonId>,
    /// With which session or key.
    pub session_id: Option<SessionId>,
    /// Under which login name.
    pub login: Option<String>,
    /// From where.
    pub address: Option<IpAddr>,
    /// At which route, as its template.
    pub route: Option<String>,
    /// How many like it were merged into it.
    pub times: u32,
    /// The request.
    pub correlation_id: CorrelationId,
    /// What else is to be known, an object; never secrets.
    pub detail: Value,
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct SecurityEvent {
    /// Its id.
    pub id: SecurityEventId,
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub kind: SecurityEventKind,
    /// Who.
    pub person_id: Option<PersonId>,
    /// The person's name.
    pub person_name: Option<String>,
    /// Under which login name.
    pub login: Option<String>,
    /// From where.
    pub address: Option<IpAddr>,
    /// At which route.
    pub route: Option<String>,
    /// How many like it were merged into it.
    pub times: i32,
    /// The request.
    pub correlation_id: CorrelationId,
    /// What else is known.
    pub detail: Value,
}

impl NewSecurityEvent {
    /// An event of nobody in particular, seen once.
    pub fn new(kind: SecurityEventKind, at: Timestamp, correlation_id: CorrelationId) -> Self {
        Self {
            id: SecurityEventId::generate(),
            at,
            kind,
            person_id: None,
            session_id: None,
            login: None,
            address: None,
            route: None,
            times: 1,
            correlation_id,
            detail: Value::Object(serde_json::Map::new()),
        }
    }
}

row! { SecurityEvent { id, at, kind, person_id, person_name, login, address, route, times, correlation_id, detail } }

queries! {
    /// Writes events of the transaction's client, or of nobody's in a transaction without one.
    RECORD: (Value,) => i64 = "
        select record_security_events($1)";
    /// The client's events before a place, the latest first; of one kind, or of all.
    LIST: (Timestamp, SecurityEventId, Option<SecurityEventKind>, i64) => SecurityEvent = "
        select security_event.id, security_event.at, security_event.kind, security_event.person_id,
               person.name as person_name, security_event.login, security_event.address, security_event.route,
               security_event.times, security_event.correlation_id, security_event.detail
          from security_event
          left join person on person.client_id = security_event.client_id and person.id = security_event.person_id
         where (security_event.at, security_event.id) < ($1, $2)
           and ($3::text is null or security_event.kind = $3)
         order by security_event.at desc, security_event.id desc
         limit $4";
    /// Events of nobody before a moment, the latest first, for operators.
    LIST_OF_NOBODY: (Timestamp, i32) => SecurityEvent = "
        select id, at, kind, person_id, null::text as person_name, login, address, route, times, correlation_id, detail
          from security_events_of_nobody($1, $2)";
}

impl Tx {
    /// Writes events of the transaction's client, or of nobody's in a transaction without one; answers how many were new.
    pub async fn record_security_events(&self, events: &[NewSecurityEvent]) -> Result<i64, Error> {
        let rows = events.iter().filter_map(|event| serde_json::to_value(event).ok()).collect();
        self.one(&RECORD, (Value::Array(rows),)).await
    }

    /// Reads the client's events before a place, the latest first.
    pub async fn security_events(
        &self,
        before: (Timestamp, SecurityEventId),
        kind: Option<SecurityEventKind>,
        limit: i64,
    ) -> Result<Vec<SecurityEvent>, Error> {
        self.all(&LIST, (before.0, before.1, kind, limit)).await
    }

    /// Reads events of nobody before a moment, the latest first; nothing for who is no operator.
    pub async fn security_events_of_nobody(
        &self,
        before: Timestamp,
        limit: i32,
    ) -> Result<Vec<SecurityEvent>, Error> {
        self.all(&LIST_OF_NOBODY, (before, limit)).await
    }
}
