//! The one handler: every request takes these steps in this order, cheap and certain ones first.

use std::sync::Arc;

use actix_web::http::Method;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, HeaderMap, HeaderValue, LOCATION, SET_COOKIE, TRANSFER_ENCODING,
};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use service::Problem;

use crate::body::{Body, BodyMemory};
use crate::client::UpstreamClient;
use crate::cookies;
use crate::csrf::form_answer;
use crate::gate::Gate;
use crate::guard;
use crate::identity_cache::SignedIdentity;
use crate::proof::{Proof, is_safe};
use crate::proxy::ClientBody;
use crate::refusal::Refusal;
use crate::routes::Access;
use crate::security_headers::Nonce;
use crate::visit::Visit;

/// A body of a known length up to this is read before the upstream is asked, and sent with the head in one write.
const WHOLE_BODY_BYTES_MAX: u64 = 65_536;

/// Where who is not signed in goes.
const SIGN_IN_PAGE: &str = "/login";

/// What may stand unencoded in the value of `next`.
const NEXT_ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Lets a request pass to its upstream, or says why not.
pub(crate) async fn pass(
    request: HttpRequest,
    payload: web::Payload,
    gate: web::Data<Gate>,
    client: web::Data<UpstreamClient>,
) -> Result<HttpResponse, Problem> {
    let nonce = Nonce::generate().map_err(|_unspecified| Refusal::NoRandomness)?;
    request.extensions_mut().insert(nonce.clone());
    guard::check(&request, gate.target_bytes_max)?;
    let visit = Visit::receive(&request, &gate)?;
    if visit.route.sign_in && *request.method() == Method::POST {
        gate.sign_ins.take(visit.client.address)?;
    }
    let identity = identify(&visit, &gate, &client).await?;
    if visit.route.access == Access::Required && identity.is_none() {
        return send_to_sign_in(&request);
    }
    let body = prove(&visit, &gate, payload, identity.as_deref()).await?;
    let mut answer = visit.onward(&gate, identity.as_deref(), &nonce)?.exchange(&client, body).await?;
    if let Some(mark) = visit.new_mark().filter(|_mark| !may_be_shared(answer.headers())) {
        let cookie = HeaderValue::try_from(cookies::set_visitor(mark))
            .map_err(|error| Problem::internal().because(error))?;
        answer.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(answer)
}

async fn identify(
    visit: &Visit<'_>,
    gate: &Gate,
    client: &UpstreamClient,
) -> Result<Option<Arc<SignedIdentity>>, Refusal> {
    match visit.route.access {
        Access::Public => Ok(None),
        Access::Optional | Access::Required => gate.identities.identify(client, visit).await,
    }
}

/// Pages go to the sign-in page and come back from there; programs are told.
fn send_to_sign_in(request: &HttpRequest) -> Result<HttpResponse, Problem> {
    let is_page = is_safe(request.method()) && !request.path().starts_with("/api/");
    if !is_page {
        return Err(Problem::sign_in_required());
    }
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let location = format!("{SIGN_IN_PAGE}?next={}", utf8_percent_encode(target, NEXT_ENCODED));
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, location)).finish())
}

/// Demands the proof a request owes, and gives the body that is left to send. A guest's body is small and arrives before
/// a place at the upstream is taken: places are not for who sends slowly and may be anybody.
async fn prove(
    visit: &Visit<'_>,
    gate: &Gate,
    payload: web::Payload,
    identity: Option<&SignedIdentity>,
) -> Result<ClientBody, Problem> {
    let body = Body::new(payload, if identity.is_some() { gate.body } else { gate.guest_body });
    match Proof::of(visit.request, visit.credential, &gate.origins) {
        Proof::NotNeeded => {}
        Proof::Missing => return Err(Refusal::Forged.into()),
        Proof::Header(answer) => demand(visit, gate, answer)?,
        Proof::Field => {
            let form = body.read(&gate.body_memory).await?;
            let answer = form_answer(&form.bytes).ok_or(Refusal::Forged)?;
            demand(visit, gate, answer.as_bytes())?;
            return Ok(ClientBody::Whole(form));
        }
    }
    client_body(visit.request, body, &gate.body_memory).await
}

fn demand(visit: &Visit<'_>, gate: &Gate, answer: &[u8]) -> Result<(), Refusal> {
    let is_right = visit.subject().is_some_and(|subject| gate.csrf.accepts(subject, answer));
    if is_right { Ok(()) } else { Err(Refusal::Forged) }
}

async fn client_body(request: &HttpRequest, body: Body, memory: &BodyMemory) -> Result<ClientBody, Problem> {
    let headers = request.headers();
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match length {
        None if !headers.contains_key(TRANSFER_ENCODING) => Ok(ClientBody::Nothing),
        Some(0) => Ok(ClientBody::Nothing),
        None if body.may_stream() => Ok(ClientBody::Arriving(body, None)),
        Some(length) if body.may_stream() && length > WHOLE_BODY_BYTES_MAX => {
            Ok(ClientBody::Arriving(body, Some(length)))
        }
        None | Some(_) => Ok(ClientBody::Whole(body.read(memory).await?)),
    }
}

/// Whether a cache for many may keep an answer, and would hand a visitor's mark to all of them. Without a word about it
/// the answer leaves as `no-store`.
fn may_be_shared(headers: &HeaderMap) -> bool {
    let is_closed = |directive: &str| {
        directive.trim().eq_ignore_ascii_case("no-store") || directive.trim().eq_ignore_ascii_case("private")
    };
    let closes = |value: &HeaderValue| value.to_str().is_ok_and(|text| text.split(',').any(is_closed));
    headers.contains_key(CACHE_CONTROL) && !headers.get_all(CACHE_CONTROL).any(closes)
}
