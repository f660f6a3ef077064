//! People, as look-ups see them.

use domain::PersonId;
use serde::{Deserialize, Serialize};

/// Query of `GET /api/v1/people/lookup`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LookupQuery {
    /// What was typed; empty gives the first names.
    pub q: String,
}

/// One choice of a look-up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonChoice {
    /// The person.
    pub id: PersonId,
    /// Name and code.
    pub label: String,
}
