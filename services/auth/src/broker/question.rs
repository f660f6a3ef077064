//! Who asks, and in which form.

use std::future::{Ready, ready};
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use api::headers::BROKER_KEY;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use service::Problem;
use service::extract::{Form, Json};
use utoipa::ToSchema;

use crate::refusal::Refusal;
use crate::state::State;

/// A broker; without its key 401 `broker-only`. The key opens nothing but these questions, and no other key opens them.
pub(crate) struct Broker;

impl FromRequest for Broker {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(if is_broker(request) { Ok(Self) } else { Err(Refusal::BrokerKey.into()) })
    }
}

fn is_broker(request: &HttpRequest) -> bool {
    let Some(state) = request.app_data::<Data<State>>() else { return false };
    let expected = state.broker.key.expose().as_bytes();
    !expected.is_empty()
        && given_key(request).is_some_and(|key| verify_slices_are_equal(&key, expected).is_ok())
}

/// The key in a header of its own, or as password of `Authorization: Basic`: mosquitto-go-auth sends no headers of ours, but
/// what stands before the `@` of its host.
fn given_key(request: &HttpRequest) -> Option<Vec<u8>> {
    if let Some(key) = request.headers().get(BROKER_KEY) {
        return Some(key.as_bytes().to_vec());
    }
    let basic = request.headers().get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let pair = STANDARD.decode(basic.trim()).ok()?;
    let colon = pair.iter().position(|&byte| byte == b':')?;
    pair.get(colon + 1..).map(<[u8]>::to_vec)
}

/// A question as a form or as JSON, whichever the broker was told to send.
pub(crate) struct Question<T>(pub(crate) T);

impl<T: DeserializeOwned + ToSchema + 'static> FromRequest for Question<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_form = request.headers().get(CONTENT_TYPE).is_some_and(|kind| {
            kind.as_bytes().to_ascii_lowercase().starts_with(b"application/x-www-form-urlencoded")
        });
        if is_form {
            let form = Form::<T>::from_request(request, payload);
            Box::pin(async move { Ok(Self(form.await?.into_inner())) })
        } else {
            let json = Json::<T>::from_request(request, payload);
            Box::pin(async move { Ok(Self(json.await?.into_inner())) })
        }
    }
}
