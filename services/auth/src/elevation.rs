//! `/api/v1/elevation`: looking into another client for a while, and leaving it.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use api::elevation::{BeginElevation, Elevation};
use app::elevation::Begin;
use service::extract::Json;
use service::{Caller, Problem};

use crate::state::State;
use crate::{step_up, visit};

/// Begins a look into another client: from the next request on the session's identity is of that client, and reads only.
pub(crate) async fn begin_elevation(
    caller: Caller,
    body: Json<BeginElevation>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    step_up::require(&state, &caller).await?;
    let BeginElevation { client_code, reason, minutes } = body.into_inner();
    let begin = Begin { session_id: caller.identity.session_id, client_code, reason, minutes };
    let now = state.clock.now();
    let begun = state.ask(app::elevation::begin(&state.store, &caller.actor, &begin, now)).await?;
    let answer = Elevation { elevation_id: begun.id, expires_at: begun.expires_at };
    Ok(HttpResponse::Created().insert_header((CACHE_CONTROL, "no-store")).json(answer))
}

/// Ends the look; who has none under way is told the same.
pub(crate) async fn end_elevation(caller: Caller, state: Data<State>) -> Result<HttpResponse, Problem> {
    let actor = visit::at_home(&caller);
    state.ask(app::elevation::end(&state.store, &actor, caller.identity.session_id)).await?;
    Ok(HttpResponse::NoContent().finish())
}
