//! Somebody's own account: password, second factors, sessions, devices, and the links that are mailed.

use std::net::IpAddr;

use domain::account::SessionKind;
use domain::{HandsetId, KnownDeviceId, PasskeyId, SessionId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::schema;

/// `PUT /api/v1/account/password`. Answers 204 and ends every other session, 422 `password-refused`, 403 `factor-refused`
/// when the current one is wrong.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// The password until this moment.
    pub current: String,
    /// The password from this moment on, 12 to 128 characters.
    pub new: String,
}

/// `POST /api/v1/account/step-up`: exactly one of the three. Answers 204 and gives a new session token.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StepUp {
    /// The password; not enough for whoever has a second factor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Six digits of an authenticator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What the browser answered to the options, a `PublicKeyCredential` as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, required = false)]
    pub passkey: Option<Value>,
}

/// The answer to `POST /api/v1/account/totp`: shown once, for the authenticator.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct TotpSecret {
    /// The secret in base 32.
    pub secret: String,
    /// The same as an `otpauth:` address, for a QR code.
    pub uri: String,
}

/// `PUT /api/v1/account/totp`: proves that the authenticator has the secret.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmTotp {
    /// Six digits.
    pub code: String,
}

/// New recovery codes, shown once; those before them are void.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct RecoveryCodes {
    /// Ten of them.
    pub recovery_codes: Vec<String>,
}

/// What second factors somebody has: `GET /api/v1/account/factors`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Factors {
    /// Whether an authenticator is set up.
    pub totp: bool,
    /// Passkeys.
    pub passkeys: Vec<Passkey>,
    /// Recovery codes that are left.
    pub recovery_codes_left: u32,
    /// Whether the client demands a second factor.
    pub required: bool,
    /// The login name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// The address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Whether the address was proven.
    #[serde(default)]
    pub email_verified: bool,
}

/// One passkey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Passkey {
    /// Its id.
    #[schema(schema_with = schema::id)]
    pub id: PasskeyId,
    /// What its owner calls it.
    pub name: String,
    /// When it was added.
    #[schema(schema_with = schema::moment)]
    pub created_at: Timestamp,
    /// When it was last used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::moment, required = false)]
    pub used_at: Option<Timestamp>,
}

/// Somebody's passkeys: `GET /api/v1/account/passkeys`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Passkeys {
    /// The oldest first.
    pub passkeys: Vec<Passkey>,
}

/// `POST /api/v1/account/passkeys`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddPasskey {
    /// What its owner calls it, 1 to 100 characters.
    pub name: String,
    /// What the browser answered to the options, a `PublicKeyCredential` as JSON.
    #[schema(value_type = Object)]
    pub credential: Value,
}

/// One session of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionRow {
    /// Its id.
    #[schema(schema_with = schema::id)]
    pub id: SessionId,
    /// What it was opened with.
    #[schema(schema_with = schema::labels::<SessionKind>)]
    pub kind: SessionKind,
    /// Whether it is the one that asks.
    pub current: bool,
    /// How many factors were proven.
    pub factors: u8,
    /// The browser's or handset's words about itself.
    pub user_agent: String,
    /// Where it was opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub address: Option<IpAddr>,
    /// When it was opened.
    #[schema(schema_with = schema::moment)]
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    #[schema(schema_with = schema::moment)]
    pub last_seen_at: Timestamp,
    /// When it ends in any case.
    #[schema(schema_with = schema::moment)]
    pub expires_at: Timestamp,
}

/// Somebody's sessions: `GET /api/v1/account/sessions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sessions {
    /// The latest first.
    pub sessions: Vec<SessionRow>,
}

/// A browser somebody signed in with before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KnownDevice {
    /// Its id.
    #[schema(schema_with = schema::id)]
    pub id: KnownDeviceId,
    /// The browser's words about itself.
    pub user_agent: String,
    /// When it was first known.
    #[schema(schema_with = schema::moment)]
    pub created_at: Timestamp,
    /// When somebody last signed in with it.
    #[schema(schema_with = schema::moment)]
    pub used_at: Timestamp,
    /// When it is forgotten.
    #[schema(schema_with = schema::moment)]
    pub expires_at: Timestamp,
}

/// The telephone somebody works with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Handset {
    /// Its id.
    #[schema(schema_with = schema::id)]
    pub id: HandsetId,
    /// Its make.
    pub model: String,
    /// Since when it is bound to the person.
    #[schema(schema_with = schema::moment)]
    pub bound_at: Timestamp,
    /// When it last had new tokens.
    #[schema(schema_with = schema::moment)]
    pub used_at: Timestamp,
}

/// Somebody's devices: `GET /api/v1/account/devices`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Devices {
    /// Browsers, the latest first.
    pub browsers: Vec<KnownDevice>,
    /// The telephone, if one is bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handset: Option<Handset>,
}

/// `POST /api/v1/recovery`: always answers 202, whether or not there is such a login.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AskRecovery {
    /// Login name.
    pub login: String,
}

/// `POST /api/v1/recovery/token`. Answers 204 and ends every session, 403 `link-refused`, 422 `password-refused`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UseRecovery {
    /// What the mailed link carries.
    pub token: String,
    /// The password from this moment on, 12 to 128 characters.
    pub password: String,
}

/// `POST /api/v1/email-verification`. Answers 204, 403 `link-refused`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyEmail {
    /// What the mailed link carries.
    pub token: String,
}
