//! Tickets.

use domain::ticket::{TicketEventKind, TicketPriority, TicketSource, TicketState};
use domain::{CorrelationId, PersonId, SiteId, TicketId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// `POST /api/v1/tickets`. With an `Idempotency-Key` header (a UUID, becomes the ticket's id) it is safe to repeat.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateTicket {
    /// Where it is.
    pub site_id: SiteId,
    /// One line, 1 to 200 characters.
    pub title: String,
    /// The whole story, at most 4,000 characters.
    #[serde(default)]
    pub description: String,
    /// How urgent.
    pub priority: TicketPriority,
    /// Who shall work on it.
    #[serde(default)]
    pub assignee_id: Option<PersonId>,
}

/// `POST /api/v1/tickets/{id}/state`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoveTicket {
    /// The wanted state.
    pub state: TicketState,
    /// The version that was read; 412 `ticket-stale` when somebody was faster.
    pub version: i64,
}

/// `POST /api/v1/tickets/{id}/comments`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommentTicket {
    /// 1 to 4,000 characters.
    pub text: String,
}

/// Query of `GET /api/v1/tickets` and of the page `/tickets`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// One row of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketRow {
    /// Its id.
    pub id: TicketId,
    /// Number within the client.
    pub number: i64,
    /// What it is about.
    pub title: String,
    /// Where it stands.
    pub state: TicketState,
    /// How urgent.
    pub priority: TicketPriority,
    /// Where it is, as a name.
    pub site_name: String,
    /// Who works on it, as a name.
    pub assignee_name: Option<String>,
    /// When it was raised.
    pub created_at: Timestamp,
}

/// One ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Its id.
    pub id: TicketId,
    /// Number within the client.
    pub number: i64,
    /// Where it is.
    pub site_id: SiteId,
    /// Where it is, as a name.
    pub site_name: String,
    /// What it is about.
    pub title: String,
    /// The whole story.
    pub description: String,
    /// Where it stands.
    pub state: TicketState,
    /// Where it may go.
    pub next_states: Vec<TicketState>,
    /// How urgent.
    pub priority: TicketPriority,
    /// What raised it.
    pub source: TicketSource,
    /// Who works on it.
    pub assignee_id: Option<PersonId>,
    /// Who works on it, as a name.
    pub assignee_name: Option<String>,
    /// Links request, task and mail.
    pub correlation_id: CorrelationId,
    /// Name it when you change the ticket.
    pub version: i64,
    /// When it was raised.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// What happened, oldest first.
    pub history: Vec<TicketEvent>,
}

/// One entry of the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketEvent {
    /// What happened.
    pub kind: TicketEventKind,
    /// Who did it; absent when a process did.
    pub person_name: Option<String>,
    /// The whole sentence.
    pub detail: String,
    /// When.
    pub at: Timestamp,
}
