//! Files at tickets.

use domain::AttachmentId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema;

/// One file at a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Attachment {
    /// Its id; `/files/{id}` gives the bytes.
    #[schema(schema_with = schema::id)]
    pub id: AttachmentId,
    /// What it is called.
    pub file_name: String,
    /// What it is, by its bytes.
    pub media_type: String,
    /// How long it is.
    pub size_bytes: i64,
    /// Who added it, unless that was a process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// When it was added.
    #[schema(schema_with = schema::moment)]
    pub created_at: Timestamp,
}

/// A ticket's files: `GET /api/v1/tickets/{id}/attachments`, and what an upload answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Attachments {
    /// The earliest first.
    pub attachments: Vec<Attachment>,
}
