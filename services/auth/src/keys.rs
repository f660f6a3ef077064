//! `/api/v1/keys`: keys of other programs.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use api::key::{KeyRow, Keys, MakeKey, NewKey};
use app::key::ApiKey;
use domain::ApiKeyId;
use service::extract::{Json, Path};
use service::{Caller, Problem};

use crate::refusal::Refusal;
use crate::state::State;
use crate::step_up;
use crate::token::SessionToken;

/// What a key begins with, so that whoever finds one knows what it is.
const KEY_PREFIX: &str = "yk_";

/// Characters of a key that are shown in lists.
const HINT_CHARACTERS: usize = 4;

/// Reads a key; `None` for a text that is none.
pub(crate) fn parse(text: &str) -> Option<SessionToken> {
    text.strip_prefix(KEY_PREFIX).and_then(SessionToken::parse)
}

/// Lists the client's keys.
pub(crate) async fn list_keys(caller: Caller, state: Data<State>) -> Result<HttpResponse, Problem> {
    let keys = state.ask(app::key::list(&state.store, &caller.actor)).await?;
    let keys = keys.into_iter().map(row).collect();
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(Keys { keys }))
}

/// Makes a key and shows it, this once.
pub(crate) async fn make_key(
    caller: Caller,
    body: Json<MakeKey>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    step_up::require(&state, &caller).await?;
    let token = SessionToken::generate().map_err(Refusal::Broken)?;
    let (key, body) = (format!("{KEY_PREFIX}{}", token.text()), body.into_inner());
    let new = app::key::NewKey {
        name: body.name,
        person_id: body.person_id,
        capabilities: body.capabilities,
        networks: body.networks,
        days: body.days,
        token_hash: token.hash(),
        hint: key.chars().skip(key.len().saturating_sub(HINT_CHARACTERS)).collect(),
    };
    let (limits, now) = (state.keys.limits(), state.clock.now());
    let made = state.ask(app::key::make(&state.store, &caller.actor, &new, limits, now)).await?;
    let answer = NewKey { key, row: row(made) };
    Ok(HttpResponse::Created().insert_header((CACHE_CONTROL, "no-store")).json(answer))
}

/// Revokes a key.
pub(crate) async fn revoke_key(
    caller: Caller,
    id: Path<ApiKeyId>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    step_up::require(&state, &caller).await?;
    let now = state.clock.now();
    state.ask(app::key::revoke(&state.store, &caller.actor, *id, now)).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn row(key: ApiKey) -> KeyRow {
    KeyRow {
        id: key.id,
        name: key.name,
        hint: key.hint,
        person_id: key.person_id,
        person_name: key.person_name,
        capabilities: key.capabilities,
        networks: key.networks,
        created_at: key.created_at,
        expires_at: key.expires_at,
        used_at: key.used_at,
        revoked_at: key.revoked_at,
    }
}
