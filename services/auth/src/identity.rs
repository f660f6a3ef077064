//! Exchanging a session token for a signed identity.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use api::identity::{AUDIENCE, ISSUER};
use api::{Identity, IdentityRequest, IdentityResponse};
use app::sign_in::LiveSession;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, crypto};
use service::extract::Json;
use service::{Internal, Problem};

use crate::keys;
use crate::refusal::Refusal;
use crate::settings::IdentitySettings;
use crate::state::State;
use crate::token::SessionToken;

/// Signs identities. Only this service has the private key.
#[derive(Clone)]
pub(crate) struct Signer {
    key: Arc<EncodingKey>,
    lifetime_seconds: i64,
}

impl Signer {
    /// Reads the private key.
    pub(crate) fn new(settings: &IdentitySettings) -> anyhow::Result<Self> {
        let key = EncodingKey::from_ed_pem(settings.signing_key.expose().as_bytes())?;
        let lifetime_seconds = i64::try_from(settings.lifetime_seconds)?;
        Ok(Self { key: Arc::new(key), lifetime_seconds })
    }

    /// Whether a public key in PEM checks what this signs.
    pub(crate) fn is_checked_by(&self, public_key: &str) -> bool {
        let sample = b"one pair";
        let checks = |signature: String| {
            let public_key = DecodingKey::from_ed_pem(public_key.as_bytes())?;
            crypto::verify(&signature, sample, &public_key, Algorithm::EdDSA)
        };
        crypto::sign(sample, &self.key, Algorithm::EdDSA).and_then(checks).unwrap_or(false)
    }

    /// Signs what is known of a session. The identity ends with its session, or after its lifetime.
    pub(crate) fn sign(&self, session: LiveSession, now: Timestamp) -> anyhow::Result<IdentityResponse> {
        let iat = now.as_second();
        let exp = session.expires_at.as_second().min(iat + self.lifetime_seconds);
        let identity = Identity {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            exp: u64::try_from(exp)?,
            iat: u64::try_from(iat)?,
            sub: session.person_id,
            client_id: session.client_id,
            client_name: session.client_name,
            person_name: session.person_name,
            session_id: session.session_id,
            capabilities: session.capabilities,
            sites: session.sites,
            time_zone: session.time_zone,
            demo: session.demo,
            kind: session.kind,
            factors: u8::try_from(session.factors)?,
            auth_time: u64::try_from(session.authenticated_at.as_second())?,
            owes_factor: session.owes_factor,
            elevation_id: session.elevation_id,
            home_client_id: session.elevation_id.map(|_under_way| session.home_client_id),
        };
        let signed = jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), &identity, &self.key)?;
        Ok(IdentityResponse {
            identity: signed,
            session_id: identity.session_id,
            expires_at: identity.exp,
            client_id: Some(session.home_client_id),
            person_id: Some(identity.sub),
            networks: session.networks,
        })
    }
}

/// Exchanges the token of a live session, or a key of another program, for an identity.
pub(crate) async fn exchange_token(
    _caller: Internal,
    body: Json<IdentityRequest>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let found = if let Some(key) = keys::parse(&body.token) {
        state.ask(app::key::find(&state.store, &key.hash())).await?
    } else {
        let token = SessionToken::parse(&body.token).ok_or(Refusal::Session)?;
        let (hash, idle) = (token.hash(), state.sessions.idle());
        state.ask(app::sign_in::find_session(&state.store, &hash, idle)).await?
    };
    let session = found.ok_or(Refusal::Session)?;
    let signed = state.signer.sign(session, state.clock.now()).map_err(Refusal::Broken)?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(signed))
}
