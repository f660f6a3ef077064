//! People, as look-ups see them.

use domain::PersonId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Query of `GET /api/v1/people/lookup`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct LookupQuery {
    /// What was typed; empty gives the first names.
    pub q: String,
}

/// One choice of a look-up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PersonChoice {
    /// The person.
    #[schema(schema_with = crate::schema::id)]
    pub id: PersonId,
    /// Name and code.
    pub label: String,
}
