//! Who a request comes from, as far as this process can check it alone.

use std::fmt;
use std::future::{Ready, ready};
use std::net::IpAddr;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, web};
use anyhow::Context as _;
use api::Identity;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use domain::{Actor, Secret};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use tracing::Span;

use crate::{Problem, correlation_id};

/// Clocks of two machines may differ by so much.
const LEEWAY_SECONDS: u64 = 5;

/// Checks signed identities; holds the public key only.
#[derive(Clone)]
pub struct IdentityVerifier {
    key: DecodingKey,
    validation: Validation,
}

/// Why an identity is not believed; for the log.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Not signed by the key, expired, or for somebody else.
    #[error("the identity is not valid")]
    Invalid(#[source] jsonwebtoken::errors::Error),
    /// Signed, but for longer than identities live.
    #[error("the identity lives too long")]
    TooLong,
}

impl IdentityVerifier {
    /// Takes an Ed25519 public key in PEM.
    pub fn from_pem(pem: &str) -> anyhow::Result<Self> {
        let key = DecodingKey::from_ed_pem(pem.as_bytes()).context("reading the identity's public key")?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[api::identity::ISSUER]);
        validation.set_audience(&[api::identity::AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.leeway = LEEWAY_SECONDS;
        Ok(Self { key, validation })
    }

    /// Gives the identity inside a token that is signed, current and meant for our services.
    pub fn verify(&self, token: &str) -> Result<Identity, IdentityError> {
        let identity = jsonwebtoken::decode::<Identity>(token, &self.key, &self.validation)
            .map_err(IdentityError::Invalid)?
            .claims;
        if identity.exp.saturating_sub(identity.iat) > api::identity::LIFETIME_SECONDS {
            return Err(IdentityError::TooLong);
        }
        Ok(identity)
    }
}

impl fmt::Debug for IdentityVerifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("IdentityVerifier")
    }
}

/// Whom a service believes: identities by signature, our own processes by key. Registered as `web::Data<Trust>`.
#[derive(Clone, Debug)]
pub struct Trust {
    verifier: IdentityVerifier,
    internal_key: Secret,
}

impl Trust {
    /// Opens the public key.
    pub fn new(identity_public_key: &str, internal_key: Secret) -> anyhow::Result<Self> {
        Ok(Self { verifier: IdentityVerifier::from_pem(identity_public_key)?, internal_key })
    }

    /// Whether the request carries the internal key; an empty key opens nothing.
    fn is_internal(&self, request: &HttpRequest) -> bool {
        let expected = self.internal_key.expose().as_bytes();
        let given = request.headers().get(api::headers::INTERNAL_KEY);
        !expected.is_empty()
            && given.is_some_and(|key| verify_slices_are_equal(key.as_bytes(), expected).is_ok())
    }
}

/// Somebody who is signed in; without a valid identity 401 `sign-in-required`.
#[derive(Clone, Debug)]
pub struct Caller {
    /// What `auth` signed.
    pub identity: Identity,
    /// The same for use cases, with the request's correlation id.
    pub actor: Actor,
}

/// The client's address as the gateway saw it; believed beside the right internal key only, else 401 `internal-only`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// A call from one of our own processes; without the right internal key 401 `internal-only`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Internal;

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(caller(request))
    }
}

impl FromRequest for Internal {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(internal(request))
    }
}

impl FromRequest for ClientAddress {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(internal(request).and_then(|_internal| client_address(request)))
    }
}

fn trust(request: &HttpRequest) -> Result<&Trust, Problem> {
    let registered = request.app_data::<web::Data<Trust>>();
    registered
        .map(|trust| &***trust)
        .ok_or_else(|| Problem::internal().because("`web::Data<Trust>` is not registered"))
}

fn caller(request: &HttpRequest) -> Result<Caller, Problem> {
    if let Some(caller) = request.extensions().get::<Caller>() {
        return Ok(caller.clone());
    }
    let trust = trust(request)?;
    let token = request.headers().get(api::headers::IDENTITY).ok_or_else(Problem::sign_in_required)?;
    let token = token.to_str().map_err(|error| Problem::sign_in_required().because(error))?;
    let identity = trust
        .verifier
        .verify(token)
        .map_err(|error| Problem::sign_in_required().because(crate::problem::chain(&error)))?;
    let actor = identity.actor(correlation_id(request));
    let span = Span::current();
    span.record("client.id", tracing::field::display(actor.client_id));
    span.record("person.id", tracing::field::display(identity.sub));
    Ok(Caller { identity, actor })
}

fn internal(request: &HttpRequest) -> Result<Internal, Problem> {
    if trust(request)?.is_internal(request) { Ok(Internal) } else { Err(Problem::internal_only()) }
}

fn client_address(request: &HttpRequest) -> Result<ClientAddress, Problem> {
    let header = request.headers().get(api::headers::CLIENT_ADDRESS);
    let address = header.and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    address
        .map(ClientAddress)
        .ok_or_else(|| Problem::internal_only().because("no client address beside the key"))
}
