//! `POST /api/v1/session/factor`: the second factor after the password.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use api::headers;
use api::session::GiveFactor;
use app::sign_in::SignInStep;
use domain::Actor;
use domain::account::CeremonyPurpose;
use domain::sign_in::GuessKind;
use service::extract::Json;
use service::{Caller, ClientAddress, Problem};

use crate::factors::{self, Given};
use crate::passkeys;
use crate::refusal::Refusal;
use crate::sign_in::{Browser, Opened, new_session};
use crate::state::State;
use crate::token::SessionToken;
use crate::visit::{self, Origin};

/// Begins to prove a passkey after the password.
pub(crate) async fn begin_passkey(
    _address: ClientAddress,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let (_step, actor) = find(&state, &request).await?;
    let options = passkeys::begin_proving(&state, &actor, CeremonyPurpose::SignIn).await?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(options))
}

/// Takes a second factor and opens the session. A session the caller came with ends.
pub(crate) async fn give_factor(
    address: ClientAddress,
    before: Option<Caller>,
    request: HttpRequest,
    body: Json<GiveFactor>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let given = Given::parse(body.into_inner())?;
    let (step, actor) = find(&state, &request).await?;
    factors::prove(&state, &actor, given, GuessKind::Factor).await?;
    let origin = Origin::of(&request, address);
    let next = step.remember.then(SessionToken::generate).transpose().map_err(Refusal::Broken)?;
    let browser = Browser::of(&request, next, state.accounts.known_device());
    let fresh = new_session(&state, &origin, &browser, None)?;
    let finished = app::sign_in::finish_step(&state.store, &step, &fresh.row, state.clock.now());
    let live = state.ask(finished).await?.ok_or(Refusal::Session)?;
    Opened { token: fresh.token, live, browser }.answer(&state, before.as_ref(), &origin).await
}

/// The unfinished sign-in a request carries, and its person, who may do nothing else.
async fn find(state: &State, request: &HttpRequest) -> Result<(SignInStep, Actor), Problem> {
    let token = visit::token_in(request, headers::STEP).ok_or(Refusal::Session)?;
    let hash = token.hash();
    let found = state.ask(app::sign_in::find_step(&state.store, &hash)).await?;
    let step = found.ok_or(Refusal::Session)?;
    let actor = app::sign_in::actor_of(&step, service::correlation_id(request));
    Ok((step, actor))
}
