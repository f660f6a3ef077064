//! Keys of other programs.

use domain::{ApiKeyId, Capability, PersonId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema;

/// `POST /api/v1/keys`. Answers 201 [`NewKey`], 422 `invalid-key`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MakeKey {
    /// What it is for, 1 to 100 characters, once per client.
    pub name: String,
    /// For whom it acts; absent means whoever makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::id, required = false)]
    pub person_id: Option<PersonId>,
    /// What it may do of that which the person may.
    #[schema(schema_with = schema::label_list::<Capability>)]
    pub capabilities: Vec<Capability>,
    /// Networks (CIDR) from which alone it may be used; none means any.
    #[serde(default)]
    pub networks: Vec<String>,
    /// Days it is good for.
    pub days: u16,
}

/// A key that was just made.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct NewKey {
    /// The key itself, `yk_` and 43 characters: shown this once.
    pub key: String,
    /// Everything else about it.
    pub row: KeyRow,
}

/// One key of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyRow {
    /// Its id.
    #[schema(schema_with = schema::id)]
    pub id: ApiKeyId,
    /// What it is for.
    pub name: String,
    /// Its last four characters.
    pub hint: String,
    /// For whom it acts.
    #[schema(schema_with = schema::id)]
    pub person_id: PersonId,
    /// That person's name.
    pub person_name: String,
    /// What it may do of that which the person may.
    #[schema(schema_with = schema::label_list::<Capability>)]
    pub capabilities: Vec<Capability>,
    /// Networks from which alone it may be used.
    pub networks: Vec<String>,
    /// When it was made.
    #[schema(schema_with = schema::moment)]
    pub created_at: Timestamp,
    /// When it ends.
    #[schema(schema_with = schema::moment)]
    pub expires_at: Timestamp,
    /// When it was last used, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::moment, required = false)]
    pub used_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::moment, required = false)]
    pub revoked_at: Option<Timestamp>,
}

/// A client's keys: `GET /api/v1/keys`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Keys {
    /// By name.
    pub keys: Vec<KeyRow>,
}
