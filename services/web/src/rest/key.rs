//! `Idempotency-Key`: makes a request that creates something safe to repeat.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use service::Problem;
use uuid::Uuid;

use crate::refusal::Refusal;

/// The header.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The client's key, which becomes the id of what is created; 400 `idempotency-key-malformed` when it is no UUID.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IdempotencyKey(pub(crate) Option<Uuid>);

impl FromRequest for IdempotencyKey {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let Some(value) = request.headers().get(IDEMPOTENCY_KEY) else {
            return ready(Ok(Self(None)));
        };
        let key = value.to_str().ok().and_then(|text| Uuid::parse_str(text.trim().trim_matches('"')).ok());
        ready(key.map(|key| Self(Some(key))).ok_or_else(|| Refusal::IdempotencyKey.into()))
    }
}
