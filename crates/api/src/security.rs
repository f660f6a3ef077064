//! Security events.

use std::net::IpAddr;

use domain::security::SecurityEventKind;
use domain::{ClientId, CorrelationId, PersonId, SecurityEventId, SessionId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::schema;

/// Where the gateway's events go.
pub const PATH: &str = "/internal/events";

/// Events in one request at most.
pub const EVENTS_MAX: usize = 100;

/// `POST /internal/events`: what the gateway saw. Answers 204; a batch that was written before changes nothing.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecurityEvents {
    /// At most [`EVENTS_MAX`].
    pub events: Vec<NewSecurityEvent>,
}

/// One event to be written. Who repeats it keeps the id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSecurityEvent {
    /// Its id.
    #[schema(schema_with = schema::id)]
    pub id: SecurityEventId,
    /// When it was first seen.
    #[schema(schema_with = schema::moment)]
    pub at: Timestamp,
    /// What happened.
    #[schema(schema_with = schema::labels::<SecurityEventKind>)]
    pub kind: SecurityEventKind,
    /// At which client; absent when nobody is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::id, required = false)]
    pub client_id: Option<ClientId>,
    /// Who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::id, required = false)]
    pub person_id: Option<PersonId>,
    /// With which session or key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::id, required = false)]
    pub session_id: Option<SessionId>,
    /// Under which login name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub address: Option<IpAddr>,
    /// At which route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// How many like it were merged into it.
    pub times: u32,
    /// The request.
    #[schema(schema_with = schema::id)]
    pub correlation_id: CorrelationId,
    /// What else is to be known; an object.
    #[serde(default = "nothing")]
    #[schema(value_type = Object, required = false)]
    pub detail: Value,
}

fn nothing() -> Value {
    Value::Object(serde_json::Map::new())
}

/// Query of `GET /api/v1/security-events` and `GET /api/v1/operate/security-events`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct SecurityQuery {
    /// Cursor from the previous page's `next`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Only this kind; an empty text means any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// One line of the security log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SecurityEvent {
    /// Its id.
    #[schema(schema_with = schema::id)]
    pub id: SecurityEventId,
    /// When.
    #[schema(schema_with = schema::moment)]
    pub at: Timestamp,
    /// What happened.
    #[schema(schema_with = schema::labels::<SecurityEventKind>)]
    pub kind: SecurityEventKind,
    /// Who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::id, required = false)]
    pub person_id: Option<PersonId>,
    /// The person's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person_name: Option<String>,
    /// Under which login name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub address: Option<IpAddr>,
    /// At which route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// How many like it were merged into it.
    pub times: u32,
    /// What to quote.
    #[schema(schema_with = schema::id)]
    pub correlation_id: CorrelationId,
    /// What else is known; an object.
    #[schema(value_type = Object)]
    pub detail: Value,
}
