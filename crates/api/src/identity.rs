//! The signed identity a service trusts, and the exchange that makes it.
//!
//! `auth` signs with Ed25519 (JWT `EdDSA`); everyone else holds only the public key, so nobody but `auth`
//! can make an identity. Lifetime is at most [`LIFETIME_SECONDS`].

use std::collections::BTreeSet;

use domain::{Actor, Capability, ClientId, CorrelationId, PersonId, SessionId, SiteId, SiteScope};
use serde::{Deserialize, Serialize};

/// Who signs.
pub const ISSUER: &str = "youtility-auth";

/// Who may read it.
pub const AUDIENCE: &str = "youtility-services";

/// How long an identity lives, in seconds.
pub const LIFETIME_SECONDS: u64 = 60;

/// Claims of the signed identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// [`ISSUER`].
    pub iss: String,
    /// [`AUDIENCE`].
    pub aud: String,
    /// Unix seconds at which it ends.
    pub exp: u64,
    /// Unix seconds at which it was made.
    pub iat: u64,
    /// The person.
    pub sub: PersonId,
    /// The tenant.
    pub client_id: ClientId,
    /// The tenant's name, for pages.
    pub client_name: String,
    /// The tenant's time zone (IANA), in which pages show times.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// The person's name, for pages.
    pub person_name: String,
    /// The session it came from.
    pub session_id: SessionId,
    /// What the person may do.
    pub capabilities: BTreeSet<Capability>,
    /// Sites the person sees; absent means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sites: Option<BTreeSet<SiteId>>,
    /// Whether the client's data is marked as demo data.
    #[serde(default)]
    pub demo: bool,
}

fn utc() -> String {
    "UTC".to_owned()
}

impl Identity {
    /// The actor of a request made with this identity.
    pub fn actor(&self, correlation_id: CorrelationId) -> Actor {
        Actor {
            client_id: self.client_id,
            person_id: Some(self.sub),
            capabilities: self.capabilities.clone(),
            sites: self.sites.clone().map_or(SiteScope::All, SiteScope::Only),
            correlation_id,
        }
    }
}

/// `POST /internal/identity`: exchanges a session token for an identity.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityRequest {
    /// The value of the session cookie or bearer token.
    pub token: String,
}

/// The answer; 401 when the token is nobody's.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IdentityResponse {
    /// The signed identity to forward in [`crate::headers::IDENTITY`].
    pub identity: String,
    /// The session, so that a revocation finds the cached entry.
    pub session_id: SessionId,
    /// Unix seconds after which it must not be used.
    pub expires_at: u64,
}

/// One line of `GET /internal/revocations`: newline-separated JSON, one object per event, an empty object as heartbeat.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Revocation {
    /// The session that ended; absent in a heartbeat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
}
