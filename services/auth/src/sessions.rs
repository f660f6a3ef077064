//! `GET` and `DELETE /api/v1/session`: who is signed in, and the end of it.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, SET_COOKIE};
use actix_web::web::Data;
use api::session::Session;
use domain::security::SecurityEventKind;
use service::{Caller, Problem};

use crate::refusal::Refusal;
use crate::state::State;
use crate::{cookie, events, visit};

/// Says who is signed in.
pub(crate) async fn get_session(caller: Caller) -> HttpResponse {
    let identity = caller.identity;
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(Session {
        session_id: identity.session_id,
        person_name: identity.person_name,
        client_name: identity.client_name,
        capabilities: identity.capabilities.into_iter().collect(),
        kind: identity.kind,
        factors: identity.factors,
        owes_factor: identity.owes_factor,
        elevation_id: identity.elevation_id,
    })
}

/// Ends the session the caller came with.
pub(crate) async fn sign_out(caller: Caller, state: Data<State>) -> Result<HttpResponse, Problem> {
    let home = visit::at_home(&caller);
    state.ask(app::sign_in::sign_out(&state.store, &home, caller.identity.session_id)).await?;
    let event = visit::event(&state, &home, SecurityEventKind::SignedOut);
    events::tell(&state, Some(home.client_id), event).await;
    let cookie = cookie::take().map_err(|error| Refusal::Broken(error.into()))?;
    Ok(HttpResponse::NoContent().insert_header((SET_COOKIE, cookie)).finish())
}
