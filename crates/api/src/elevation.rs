//! Help across clients: somebody of one looks into another, for a while, reading only, seen by both.

use domain::ElevationId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema;

/// `POST /api/v1/elevation`. Answers 201 [`Elevation`], 403 `elevation-refused`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BeginElevation {
    /// The code of the client to look into.
    pub client_code: String,
    /// Why, 10 to 500 characters; that client reads it.
    pub reason: String,
    /// For how long, 1 to 60.
    pub minutes: u8,
}

/// A look into another client under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Elevation {
    /// Its id.
    #[schema(schema_with = schema::id)]
    pub elevation_id: ElevationId,
    /// When it ends by itself.
    #[schema(schema_with = schema::moment)]
    pub expires_at: Timestamp,
}
