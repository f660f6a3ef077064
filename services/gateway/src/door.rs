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
use crate::inspection::{inspect_body, inspect_head, must_be_read, upload_bytes_max, watch_upload};
use crate::proof::{Proof, is_safe};
use crate::proxy::ClientBody;
use crate::refusal::Refusal;
use crate::routes::Access;
use crate::security_headers::Nonce;
use crate::settings::SIGN_IN;
use crate::upgrade;
use crate::visit::Visit;
use crate::witness;

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
    if let Err(problem) = guard::check(&request, gate.target_bytes_max) {
        witness::tell_of_unreadable(&request, &gate, &problem);
        return Err(problem);
    }
    let snapshot = gate.snapshot();
    let visit = Visit::receive(&request, &gate, &snapshot)?;
    let answer = let_through(&visit, &gate, &client, payload, &nonce).await;
    witness::tell_of_refused(&visit, &gate, &answer);
    let mut answer = answer?;
    if let Some(mark) = visit.new_mark().filter(|_mark| !may_be_shared(answer.headers())) {
        let cookie = HeaderValue::try_from(cookies::set_visitor(mark))
            .map_err(|error| Problem::internal().because(error))?;
        answer.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(answer)
}

async fn let_through(
    visit: &Visit<'_>,
    gate: &Gate,
    client: &UpstreamClient,
    payload: web::Payload,
    nonce: &Nonce,
) -> Result<HttpResponse, Problem> {
    let is_upgrade = upgrade::is_asked(visit.request);
    if is_upgrade {
        check_upgrade(visit, gate)?;
    }
    if is_sign_in(visit) {
        gate.sign_ins.take(visit.client.address)?;
    }
    let identity = identify(visit, gate, client).await?;
    count(visit, gate).await?;
    inspect_head(visit, gate)?;
    if visit.route.access == Access::Required && identity.is_none() {
        return send_to_sign_in(visit.request);
    }
    demand_permission(visit, identity.as_deref())?;
    if is_upgrade {
        return Box::pin(visit.onward(gate, identity.as_deref(), nonce)?.upgrade(client, payload)).await;
    }
    let body = prove(visit, gate, payload, identity.as_deref()).await?;
    if let ClientBody::Whole(body) = &body {
        inspect_body(visit, gate, &body.bytes)?;
    }
    visit.onward(gate, identity.as_deref(), nonce)?.exchange(client, body).await
}

/// Another protocol is for routes that declare it.
fn check_upgrade(visit: &Visit<'_>, gate: &Gate) -> Result<(), Problem> {
    if !visit.route.upgrade {
        return guard::check_plain(visit.request);
    }
    upgrade::check(visit.request, visit.credential, &gate.origins)
}

fn is_sign_in(visit: &Visit<'_>) -> bool {
    visit.route.sign_in && *visit.request.method() == Method::POST
}

async fn identify(
    visit: &Visit<'_>,
    gate: &Gate,
    client: &UpstreamClient,
) -> Result<Option<Arc<SignedIdentity>>, Refusal> {
    let known = match visit.route.access {
        Access::Public => None,
        Access::Optional | Access::Required => gate.identities.identify(client, visit).await?,
    };
    let Some(identity) = known else {
        return Ok(None);
    };
    let identity = visit.identity.get_or_init(|| identity);
    if identity.admits(visit.client) { Ok(Some(Arc::clone(identity))) } else { Err(Refusal::WrongNetwork) }
}

/// Counts the request among those its caller may send.
async fn count(visit: &Visit<'_>, gate: &Gate) -> Result<(), Refusal> {
    let name = if is_sign_in(visit) { Some(SIGN_IN) } else { visit.route.class.as_deref() };
    let Some(class) = name.and_then(|name| gate.rates.class(name)) else {
        return Ok(());
    };
    let (standing, outcome) = gate.rates.take(class, visit.caller()).await;
    standing.keep(visit.request);
    outcome?;
    if gate.rates.is_lost() && !is_safe(visit.request.method()) {
        return Err(Refusal::Uncounted);
    }
    Ok(())
}

/// What everything below a route needs. The service behind looks again, and more closely.
fn demand_permission(visit: &Visit<'_>, identity: Option<&SignedIdentity>) -> Result<(), Refusal> {
    let Some(permission) = visit.route.permission else {
        return Ok(());
    };
    let has = identity.is_some_and(|identity| identity.capabilities.contains(&permission));
    if has { Ok(()) } else { Err(Refusal::NotAllowed(permission.as_str())) }
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
    let proof = Proof::of(visit.request, visit.credential, &gate.origins);
    let length = announced(visit.request.headers());
    if let Some(bytes_max) = upload_bytes_max(visit) {
        let body = Body::new(payload, gate.upload_limits(bytes_max)).announced(length)?;
        return prove_upload(visit, gate, proof, body.watched(watch_upload(visit, gate))).await;
    }
    let body = Body::new(payload, gate.body_limits(identity)).announced(length)?;
    match proof {
        Proof::NotNeeded => {}
        Proof::Missing | Proof::Part => return Err(Refusal::Forged.into()),
        Proof::Header(answer) => demand(visit, gate, answer)?,
        Proof::Field => {
            let form = Box::pin(body.read(&gate.body_memory)).await?;
            let answer = form_answer(&form.bytes).ok_or(Refusal::Forged)?;
            demand(visit, gate, answer.as_bytes())?;
            return Ok(ClientBody::Whole(form));
        }
    }
    client_body(visit, body, &gate.body_memory).await
}

/// An upload is never here as a whole: a page proves it by its first part.
async fn prove_upload(
    visit: &Visit<'_>,
    gate: &Gate,
    proof: Proof<'_>,
    mut body: Body,
) -> Result<ClientBody, Problem> {
    match proof {
        Proof::NotNeeded => {}
        Proof::Missing | Proof::Field => return Err(Refusal::Forged.into()),
        Proof::Header(answer) => demand(visit, gate, answer)?,
        Proof::Part => {
            let token = Box::pin(body.token()).await?.ok_or(Refusal::Forged)?;
            demand(visit, gate, &token)?;
        }
    }
    Ok(ClientBody::Arriving(body, announced(visit.request.headers())))
}

fn demand(visit: &Visit<'_>, gate: &Gate, answer: &[u8]) -> Result<(), Refusal> {
    let is_right = visit.subject().is_some_and(|subject| gate.csrf.accepts(subject, answer));
    if is_right { Ok(()) } else { Err(Refusal::Forged) }
}

async fn client_body(visit: &Visit<'_>, body: Body, memory: &BodyMemory) -> Result<ClientBody, Problem> {
    let headers = visit.request.headers();
    let may_stream = body.may_stream() && !must_be_read(visit);
    match announced(headers) {
        None if !headers.contains_key(TRANSFER_ENCODING) => Ok(ClientBody::Nothing),
        Some(0) => Ok(ClientBody::Nothing),
        None if may_stream => Ok(ClientBody::Arriving(body, None)),
        Some(length) if may_stream && length > WHOLE_BODY_BYTES_MAX => {
            Ok(ClientBody::Arriving(body, Some(length)))
        }
        None | Some(_) => Ok(ClientBody::Whole(Box::pin(body.read(memory)).await?)),
    }
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok())
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
