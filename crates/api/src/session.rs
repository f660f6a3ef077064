//! Sign-in and sign-out.

use domain::account::{SecondFactor, SessionKind};
use domain::{Capability, ElevationId, SessionId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::schema;

/// `POST /api/v1/session`. Answers 201 and sets the session cookie, 202 when a second factor is owed, 401
/// `sign-in-refused`, 429 `sign-in-limited`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// Login name.
    pub login: String,
    /// Password, at most 128 characters.
    pub password: String,
    /// Whether the browser is to be known the next time.
    #[serde(default)]
    pub remember: bool,
}

/// The answer 202 to a sign-in: the password was right, and one of these is owed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FactorOwed {
    /// What the person can prove.
    #[schema(schema_with = schema::label_list::<SecondFactor>)]
    pub factors: Vec<SecondFactor>,
    /// Until when.
    #[schema(schema_with = schema::moment)]
    pub expires_at: Timestamp,
}

/// `POST /api/v1/session/factor`: exactly one of the three. Answers 201 as a sign-in does, 403 `factor-refused`, 429
/// `factor-limited`.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GiveFactor {
    /// Six digits of an authenticator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// A recovery code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery_code: Option<String>,
    /// What the browser answered to the options, a `PublicKeyCredential` as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, required = false)]
    pub passkey: Option<Value>,
}

/// What `navigator.credentials` is asked with.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PasskeyOptions {
    /// The options as JSON, for `parseCreationOptionsFromJSON` or `parseRequestOptionsFromJSON`.
    #[serde(rename = "publicKey")]
    #[schema(value_type = Object)]
    pub public_key: Value,
}

/// The answer to a sign-in and to `GET /api/v1/session`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// The session, for lists and revocation. Not the token.
    #[schema(schema_with = schema::id)]
    pub session_id: SessionId,
    /// The person's name.
    pub person_name: String,
    /// The client's name.
    pub client_name: String,
    /// What the person may do.
    #[schema(schema_with = schema::label_list::<Capability>)]
    pub capabilities: Vec<Capability>,
    /// What the person is signed in with.
    #[serde(default = "web")]
    #[schema(schema_with = schema::labels::<SessionKind>)]
    pub kind: SessionKind,
    /// How many factors were proven.
    #[serde(default = "one")]
    pub factors: u8,
    /// Whether the person must set a second factor up before anything else.
    #[serde(default)]
    pub owes_factor: bool,
    /// The look into another client under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::id, required = false)]
    pub elevation_id: Option<ElevationId>,
}

fn web() -> SessionKind {
    SessionKind::Web
}

fn one() -> u8 {
    1
}
