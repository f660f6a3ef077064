//! `GET` and `DELETE /api/v1/session`: who is signed in, and the end of it.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, SET_COOKIE};
use actix_web::web::Data;
use api::session::Session;
use service::{Caller, Problem};

use crate::cookie;
use crate::refusal::Refusal;
use crate::state::State;

/// Says who is signed in.
pub(crate) async fn get_session(caller: Caller) -> HttpResponse {
    let identity = caller.identity;
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(Session {
        session_id: identity.session_id,
        person_name: identity.person_name,
        client_name: identity.client_name,
        capabilities: identity.capabilities.into_iter().collect(),
    })
}

/// Ends the session the caller came with.
pub(crate) async fn sign_out(caller: Caller, state: Data<State>) -> Result<HttpResponse, Problem> {
    state.ask(app::sign_in::sign_out(&state.store, &caller.actor, caller.identity.session_id)).await?;
    let cookie = cookie::take().map_err(|error| Refusal::Broken(error.into()))?;
    Ok(HttpResponse::NoContent().insert_header((SET_COOKIE, cookie)).finish())
}
