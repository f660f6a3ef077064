//! Somebody's own account: password, sessions, browsers that are known.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, SET_COOKIE};
use actix_web::web::Data;
use api::account::{ChangePassword, Devices, Handset, KnownDevice, SessionRow, Sessions};
use app::AccountError;
use app::account::PasswordChange;
use domain::security::SecurityEventKind;
use domain::{FieldError, KnownDeviceId, Secret, SessionId};
use service::extract::{Json, Path};
use service::{Caller, Problem};

use crate::refusal::Refusal;
use crate::sign_in::PASSWORD_CHARACTERS_MAX;
use crate::state::State;
use crate::token::SessionToken;
use crate::{cookie, events, step_up, visit};

/// Changes the password. Every other session ends; this one goes on with another token.
pub(crate) async fn change_password(
    caller: Caller,
    body: Json<ChangePassword>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let (form, actor) = (body.into_inner(), &caller.actor);
    if form.current.chars().count() > PASSWORD_CHARACTERS_MAX {
        return Err(refused(vec![FieldError::new("/current", "use 1 to 128 characters")]));
    }
    // Whoever has a second factor has proven it lately: a password alone must not open what a factor guards.
    if state.ask(app::factor::factors(&state.store, actor)).await?.any() {
        step_up::require(&state, &caller).await?;
    }
    let compared = step_up::verify_password(&state, actor, Secret::new(form.current)).await?;
    let owner = state.ask(app::account::owner(&state.store, actor)).await?;
    let rules = state.password_rules.clone();
    let broken = move |password: &str| rules.broken("/new", password, &owner);
    let new_hash = state.passwords.make(Secret::new(form.new), broken).await?.map_err(refused)?;
    let token = SessionToken::generate().map_err(Refusal::Broken)?;
    let session_id = caller.identity.session_id;
    let change = PasswordChange { compared, new_hash, session_id, token_hash: token.hash() };
    state.ask(app::account::change_password(&state.store, actor, &change, state.clock.now())).await?;
    let event = visit::event(&state, actor, SecurityEventKind::PasswordChanged);
    events::tell(&state, Some(actor.client_id), event).await;
    let mut answer = HttpResponse::NoContent();
    if caller.identity.kind == domain::account::SessionKind::Web {
        let cookie = cookie::give(&token).map_err(|error| Refusal::Broken(error.into()))?;
        answer.insert_header((SET_COOKIE, cookie));
    }
    Ok(answer.finish())
}

/// The rules a new password breaks, as an answer.
pub(crate) fn refused(broken: Vec<FieldError>) -> Problem {
    app::Error::from(AccountError::PasswordRefused(broken)).into()
}

/// Lists the caller's sessions.
pub(crate) async fn list_sessions(caller: Caller, state: Data<State>) -> Result<HttpResponse, Problem> {
    let (person, current) = (visit::person(&caller.actor)?, caller.identity.session_id);
    let rows = state.ask(app::account::sessions(&state.store, &caller.actor, person)).await?;
    let sessions = rows.into_iter().map(|row| shown(row, current)).collect();
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(Sessions { sessions }))
}

/// A session as a list shows it.
pub(crate) fn shown(row: app::account::SessionRow, current: SessionId) -> SessionRow {
    SessionRow {
        id: row.id,
        kind: row.kind,
        current: row.id == current,
        factors: u8::try_from(row.factors).unwrap_or(1),
        user_agent: row.user_agent,
        address: row.address,
        created_at: row.created_at,
        last_seen_at: row.last_seen_at,
        expires_at: row.expires_at,
    }
}

/// Ends one of the caller's sessions.
pub(crate) async fn end_session(
    caller: Caller,
    id: Path<SessionId>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    step_up::require(&state, &caller).await?;
    let (actor, person) = (&caller.actor, visit::person(&caller.actor)?);
    state.ask(app::account::end_session(&state.store, actor, person, *id)).await?;
    tell_ended(&state, &caller).await;
    Ok(HttpResponse::NoContent().finish())
}

/// Ends every session of the caller but the one that asks.
pub(crate) async fn end_other_sessions(caller: Caller, state: Data<State>) -> Result<HttpResponse, Problem> {
    step_up::require(&state, &caller).await?;
    let (actor, person) = (&caller.actor, visit::person(&caller.actor)?);
    let kept = Some(caller.identity.session_id);
    state.ask(app::account::end_other_sessions(&state.store, actor, person, kept)).await?;
    tell_ended(&state, &caller).await;
    Ok(HttpResponse::NoContent().finish())
}

async fn tell_ended(state: &State, caller: &Caller) {
    let event = visit::event(state, &caller.actor, SecurityEventKind::SessionRevoked);
    events::tell(state, Some(caller.actor.client_id), event).await;
}

/// Lists the browsers the caller signed in with before, and the handset.
pub(crate) async fn list_devices(caller: Caller, state: Data<State>) -> Result<HttpResponse, Problem> {
    let known = state.ask(app::account::devices(&state.store, &caller.actor)).await?;
    let handset = state.ask(app::account::handset(&state.store, &caller.actor)).await?;
    let browsers = known.into_iter().map(|device| KnownDevice {
        id: device.id,
        user_agent: device.user_agent,
        created_at: device.created_at,
        used_at: device.used_at,
        expires_at: device.expires_at,
    });
    let handset = handset.map(|handset| Handset {
        id: handset.id,
        model: handset.model,
        bound_at: handset.bound_at,
        used_at: handset.used_at,
    });
    let devices = Devices { browsers: browsers.collect(), handset };
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(devices))
}

/// Forgets a browser of the caller; one that is not known is forgotten already.
pub(crate) async fn forget_device(
    caller: Caller,
    id: Path<KnownDeviceId>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    step_up::require(&state, &caller).await?;
    state.ask(app::account::forget_device(&state.store, &caller.actor, *id)).await?;
    Ok(HttpResponse::NoContent().finish())
}
