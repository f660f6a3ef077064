//! The signed identity a service trusts, and the exchange that makes it.
//!
//! `auth` signs with Ed25519 (JWT `EdDSA`); everyone else holds only the public key, so nobody but `auth`
//! can make an identity. Lifetime is at most [`LIFETIME_SECONDS`].

use std::collections::BTreeSet;

use domain::account::SessionKind;
use domain::{
    Actor, Capability, ClientId, CorrelationId, ElevationId, PersonId, SessionId, SiteId, SiteScope,
};
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
    /// What the person is signed in with.
    #[serde(default = "web")]
    pub kind: SessionKind,
    /// How many factors were proven.
    #[serde(default = "one")]
    pub factors: u8,
    /// Unix seconds at which that was last proven.
    #[serde(default)]
    pub auth_time: u64,
    /// Whether the person must set a second factor up before anything else.
    #[serde(default)]
    pub owes_factor: bool,
    /// The look into another client under way: `client_id` is that client's then, and nothing can be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elevation_id: Option<ElevationId>,
    /// During such a look, the client the person belongs to: the session is that client's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home_client_id: Option<ClientId>,
}

fn utc() -> String {
    "UTC".to_owned()
}

fn web() -> SessionKind {
    SessionKind::Web
}

fn one() -> u8 {
    1
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
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
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
    /// Whose rights it carries: the home client, so that a change of rights there finds the cached entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
    /// The person, so that limits can be kept per person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person_id: Option<PersonId>,
    /// Networks (CIDR) from which alone it may be used, on every use; empty means any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<String>,
}

/// One line of `GET /internal/revocations`: newline-separated JSON, one object per event, an empty object as heartbeat.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Revocation {
    /// The session that ended; absent in a heartbeat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// The client whose rights changed: everything kept of its people is to be asked again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_identity_signed_before_factors_were_known_is_a_browsers_with_one() {
        let identity: Identity = serde_json::from_value(json!({
            "iss": ISSUER, "aud": AUDIENCE, "exp": 2, "iat": 1,
            "sub": PersonId::generate(), "client_id": ClientId::generate(), "client_name": "ACME",
            "person_name": "Asha", "session_id": SessionId::generate(), "capabilities": ["WEB"],
        }))
        .unwrap();
        assert_eq!((identity.kind, identity.factors), (SessionKind::Web, 1));
        assert!(!identity.owes_factor && identity.elevation_id.is_none());
    }

    #[test]
    fn an_answer_without_networks_may_be_used_from_anywhere() {
        let answer: IdentityResponse = serde_json::from_value(json!({
            "identity": "signed", "session_id": SessionId::generate(), "expires_at": 1,
        }))
        .unwrap();
        assert!(answer.networks.is_empty() && answer.client_id.is_none());
    }
}
