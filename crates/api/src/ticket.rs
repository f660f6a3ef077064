//! Tickets.

use domain::ticket::{TicketEventKind, TicketPriority, TicketSource, TicketState};
use domain::{CorrelationId, PersonId, SiteId, TicketId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::schema;

/// `POST /api/v1/tickets`. With an `Idempotency-Key` header (a UUID, becomes the ticket's id) it is safe to repeat.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTicket {
    /// Where it is.
    #[schema(schema_with = schema::id)]
    pub site_id: SiteId,
    /// One line, 1 to 200 characters.
    pub title: String,
    /// The whole story, at most 4,000 characters.
    #[serde(default)]
    pub description: String,
    /// How urgent.
    #[schema(schema_with = schema::labels::<TicketPriority>)]
    pub priority: TicketPriority,
    /// Who shall work on it.
    #[serde(default)]
    #[schema(schema_with = schema::id, required = false)]
    pub assignee_id: Option<PersonId>,
}

/// `POST /api/v1/tickets/{id}/state`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveTicket {
    /// The wanted state.
    #[schema(schema_with = schema::labels::<TicketState>)]
    pub state: TicketState,
    /// The version that was read; 412 `ticket-stale` when somebody was faster.
    pub version: i64,
}

/// `POST /api/v1/tickets/{id}/comments`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CommentTicket {
    /// 1 to 4,000 characters.
    pub text: String,
}

/// Query of `GET /api/v1/tickets` and of the page `/tickets`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct TicketQuery {
    /// Only this state; an empty text means any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Only this priority; an empty text means any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// Only this site; an empty text means any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// Only titles with these words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Cursor from the previous page's `next`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Rows per page, 1 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u16>,
}

/// Query of `GET /api/v1/tickets/{id}` and of the page `/tickets/{id}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct HistoryQuery {
    /// Place in the history before which the entries stand, from `history_before`; absent means its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<u32>,
}

/// One row of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TicketRow {
    /// Its id.
    #[schema(schema_with = schema::id)]
    pub id: TicketId,
    /// Number within the client.
    pub number: i64,
    /// What it is about.
    pub title: String,
    /// Where it stands.
    #[schema(schema_with = schema::labels::<TicketState>)]
    pub state: TicketState,
    /// How urgent.
    #[schema(schema_with = schema::labels::<TicketPriority>)]
    pub priority: TicketPriority,
    /// Where it is, as a name.
    pub site_name: String,
    /// Who works on it, as a name.
    pub assignee_name: Option<String>,
    /// When it was raised.
    #[schema(schema_with = schema::moment)]
    pub created_at: Timestamp,
}

/// One ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ticket {
    /// Its id.
    #[schema(schema_with = schema::id)]
    pub id: TicketId,
    /// Number within the client.
    pub number: i64,
    /// Where it is.
    #[schema(schema_with = schema::id)]
    pub site_id: SiteId,
    /// Where it is, as a name.
    pub site_name: String,
    /// What it is about.
    pub title: String,
    /// The whole story.
    pub description: String,
    /// Where it stands.
    #[schema(schema_with = schema::labels::<TicketState>)]
    pub state: TicketState,
    /// Where it may go.
    #[schema(schema_with = schema::label_list::<TicketState>)]
    pub next_states: Vec<TicketState>,
    /// How urgent.
    #[schema(schema_with = schema::labels::<TicketPriority>)]
    pub priority: TicketPriority,
    /// What raised it.
    #[schema(schema_with = schema::labels::<TicketSource>)]
    pub source: TicketSource,
    /// Who works on it.
    #[schema(schema_with = schema::id, required = false)]
    pub assignee_id: Option<PersonId>,
    /// Who works on it, as a name.
    pub assignee_name: Option<String>,
    /// Which group works on it, as a name.
    #[serde(default)]
    pub group_name: Option<String>,
    /// Links request, task and mail.
    #[schema(schema_with = schema::id)]
    pub correlation_id: CorrelationId,
    /// Name it when you change the ticket.
    pub version: i64,
    /// When it was raised.
    #[schema(schema_with = schema::moment)]
    pub created_at: Timestamp,
    /// When it last changed.
    #[schema(schema_with = schema::moment)]
    pub updated_at: Timestamp,
    /// What happened, oldest first: the latest entries, or those before the place asked for.
    pub history: Vec<TicketEvent>,
    /// Pass as `before` to get the entries before these; absent when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history_before: Option<u32>,
}

/// One entry of the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TicketEvent {
    /// What happened.
    #[schema(schema_with = schema::labels::<TicketEventKind>)]
    pub kind: TicketEventKind,
    /// Who did it; absent when a process did.
    pub person_name: Option<String>,
    /// The whole sentence.
    pub detail: String,
    /// When.
    #[schema(schema_with = schema::moment)]
    pub at: Timestamp,
}
