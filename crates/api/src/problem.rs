//! `application/problem+json` (RFC 9457).

use domain::FieldError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The media type of problems.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// An error as a client reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `/problems/<code>`, described in docs/problems.md.
    pub r#type: String,
    /// Fixed words per status.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened, for the reader.
    pub detail: String,
    /// `urn:uuid:<correlation id>`: what to quote to an operator.
    pub instance: String,
    /// Every broken field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(schema_with = crate::schema::field_errors, required = false)]
    pub errors: Vec<FieldError>,
}

impl Problem {
    /// The code at the end of the type.
    pub fn code(&self) -> &str {
        self.r#type.rsplit('/').next().unwrap_or(&self.r#type)
    }
}
