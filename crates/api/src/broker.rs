//! What brokers ask about accounts of devices.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /internal/mosquitto/user` and `…/superuser`: 200 lets in, 403 does not.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct MosquittoUser {
    /// The account.
    pub username: String,
    /// Its password; absent in `…/superuser`.
    #[serde(default)]
    pub password: String,
    /// What the connection calls itself; absent in `…/superuser`.
    #[serde(default)]
    pub clientid: String,
}

/// `POST /internal/mosquitto/acl`: 200 allows, 403 does not.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MosquittoAccess {
    /// The account.
    pub username: String,
    /// The topic, or the filter of a subscription.
    pub topic: String,
    /// 1 reads, 2 writes, 3 both, 4 subscribes.
    pub acc: u8,
}

/// `POST /internal/emqx/authn`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct EmqxLogin {
    /// The account.
    pub username: String,
    /// Its password.
    pub password: String,
    /// What the connection calls itself.
    #[serde(default)]
    pub clientid: String,
}

/// `POST /internal/emqx/authz`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EmqxAccess {
    /// The account.
    pub username: String,
    /// The topic, or the filter of a subscription.
    pub topic: String,
    /// `publish` or `subscribe`.
    pub action: String,
}

/// What EMQX is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "result")]
pub enum EmqxAnswer {
    /// Let in, or allowed.
    Allow,
    /// Not.
    Deny,
}

/// What mosquitto-go-auth is answered beside 200; with 403 it reads nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MosquittoAnswer {
    /// Let in, or allowed.
    pub ok: bool,
    /// Why not.
    pub error: &'static str,
}

impl MosquittoAnswer {
    /// Let in, or allowed.
    pub const ALLOWED: Self = Self { ok: true, error: "" };
}
