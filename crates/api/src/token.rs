//! Tokens of handsets.

use domain::{Capability, PersonId, SiteId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema;

/// `POST /api/v1/tokens`. Answers 201, 401 `sign-in-refused`, 403 `site-missing`, `handset-refused`, `handset-bound` or
/// `factor-refused`, 429 `sign-in-limited`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueTokens {
    /// The client's code.
    pub client_code: String,
    /// Login name.
    pub login: String,
    /// Password.
    pub password: String,
    /// What the handset calls itself, the same on every sign-in.
    pub device_id: String,
    /// The number of its radio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imei: Option<String>,
    /// Its make.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Six digits of an authenticator, or a recovery code, for whoever has a second factor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// `POST /api/v1/tokens/refresh`. Answers 200, 401 `refresh-refused`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshTokens {
    /// The refresh token; good once.
    pub refresh_token: String,
    /// What the handset calls itself.
    pub device_id: String,
}

/// A pair of tokens.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct Tokens {
    /// Goes into `Authorization: Bearer`.
    pub access_token: String,
    /// Seconds the access token is good for.
    pub expires_in: u64,
    /// Gives the next pair, once.
    pub refresh_token: String,
    /// Seconds the refresh token is good for.
    pub refresh_expires_in: u64,
    /// Who works with the handset; absent in the answer to a refresh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<HandsetUser>,
}

/// Who works with a handset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HandsetUser {
    /// The person.
    #[schema(schema_with = schema::id)]
    pub id: PersonId,
    /// The person's name.
    pub name: String,
    /// The client's name.
    pub client_name: String,
    /// The client's time zone (IANA).
    pub time_zone: String,
    /// What the person may do.
    #[schema(schema_with = schema::label_list::<Capability>)]
    pub capabilities: Vec<Capability>,
    /// Sites the person sees; absent means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::id_list, required = false)]
    pub sites: Option<Vec<SiteId>>,
}

/// Where a client's handsets may be, and which: `GET` and `PUT /api/v1/handset-rules`. An empty list allows all. Answers 422
/// `invalid-account`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandsetRules {
    /// Networks (CIDR) handsets may come from, at most 100.
    pub networks: Vec<String>,
    /// Numbers of the handsets that may sign in, at most 10,000.
    pub imeis: Vec<String>,
}
