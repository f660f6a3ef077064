//! `/api/v1/handset-rules`: where a client's handsets may be, and which.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use api::token::HandsetRules;
use service::extract::Json;
use service::{Caller, Problem};

use crate::state::State;
use crate::step_up;

/// Shows what the client allows.
pub(crate) async fn get_rules(caller: Caller, state: Data<State>) -> Result<HttpResponse, Problem> {
    let rules = state.ask(app::handset_rules::get(&state.store, &caller.actor)).await?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(shown(rules)))
}

/// Changes what the client allows, as a whole.
pub(crate) async fn set_rules(
    caller: Caller,
    body: Json<HandsetRules>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    step_up::require(&state, &caller).await?;
    let rules = app::handset_rules::HandsetRules::parse(&body.networks, &body.imeis)?;
    let now = state.clock.now();
    state.ask(app::handset_rules::set(&state.store, &caller.actor, &rules, now)).await?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(shown(rules)))
}

fn shown(rules: app::handset_rules::HandsetRules) -> HandsetRules {
    HandsetRules {
        networks: rules.networks,
        imeis: rules.imeis.into_iter().map(|imei| imei.as_str().to_owned()).collect(),
    }
}
