//! `/api/v1/elevation`: looking into another client for a while, and leaving it.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, SET_COOKIE};
use actix_web::web::Data;
use api::elevation::{BeginElevation, Elevation};
use app::elevation::Begin;
use service::extract::Json;
use service::{Caller, Problem};

use crate::refusal::Refusal;
use crate::state::State;
use crate::token::SessionToken;
use crate::{cookie, step_up, visit};

/// Begins a look into another client: with the token given, the session's identity is of that client, and reads only.
pub(crate) async fn begin_elevation(
    caller: Caller,
    body: Json<BeginElevation>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    step_up::require(&state, &caller).await?;
    let token = SessionToken::generate().map_err(Refusal::Broken)?;
    let BeginElevation { client_code, reason, minutes } = body.into_inner();
    let session_id = caller.identity.session_id;
    let wish = Begin { session_id, client_code, reason, minutes, token_hash: token.hash() };
    let now = state.clock.now();
    let begun = state.ask(app::elevation::begin(&state.store, &caller.actor, &wish, now)).await?;
    let cookie = cookie::give(&token).map_err(|error| Refusal::Broken(error.into()))?;
    let answer = Elevation { elevation_id: begun.id, expires_at: begun.expires_at };
    Ok(HttpResponse::Created()
        .insert_header((SET_COOKIE, cookie))
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(answer))
}

/// Ends the look; who has none under way is told the same.
pub(crate) async fn end_elevation(caller: Caller, state: Data<State>) -> Result<HttpResponse, Problem> {
    let token = SessionToken::generate().map_err(Refusal::Broken)?;
    let (actor, session) = (visit::at_home(&caller), caller.identity.session_id);
    let mut answer = HttpResponse::NoContent();
    if state.ask(app::elevation::end(&state.store, &actor, session, token.hash())).await? {
        let cookie = cookie::give(&token).map_err(|error| Refusal::Broken(error.into()))?;
        answer.insert_header((SET_COOKIE, cookie));
    }
    Ok(answer.finish())
}
