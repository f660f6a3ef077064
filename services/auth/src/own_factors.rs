//! Somebody's own second factors: setting them up and taking them away.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, SET_COOKIE};
use actix_web::web::Data;
use api::account::{AddPasskey, ConfirmTotp, Factors, Passkey, Passkeys, RecoveryCodes, TotpSecret};
use app::AccountError;
use app::factor::{Added, PasskeyRow};
use domain::account::{SecondFactorRule, SessionKind};
use domain::security::SecurityEventKind;
use domain::sign_in::GuessKind;
use domain::{FieldError, PasskeyId};
use serde::Serialize;
use serde_json::json;
use service::extract::{Json, Path};
use service::{Caller, Problem};

use crate::passkeys::NewOwner;
use crate::refusal::Refusal;
use crate::sealing::Holder;
use crate::state::State;
use crate::token::SessionToken;
use crate::{cookie, events, factors, passkeys, step_up, totp, visit};

/// Characters of a passkey's name.
const NAME_CHARACTERS_MAX: usize = 100;

/// Says what second factors the caller has.
pub(crate) async fn list_factors(caller: Caller, state: Data<State>) -> Result<HttpResponse, Problem> {
    let has = state.ask(app::factor::factors(&state.store, &caller.actor)).await?;
    let owner = state.ask(app::account::owner(&state.store, &caller.actor)).await?;
    Ok(no_store(&Factors {
        totp: has.totp,
        passkeys: has.passkeys.into_iter().map(shown).collect(),
        recovery_codes_left: has.recovery_codes_left,
        required: owner.second_factor == SecondFactorRule::Required,
        login: owner.login,
        email: owner.email,
        email_verified: owner.email_verified,
    }))
}

fn no_store(answer: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(answer)
}

fn shown(row: PasskeyRow) -> Passkey {
    Passkey { id: row.id, name: row.name, created_at: row.created_at, used_at: row.used_at }
}

/// Begins an authenticator: its secret is shown this once.
pub(crate) async fn begin_totp(caller: Caller, state: Data<State>) -> Result<HttpResponse, Problem> {
    require(&state, &caller).await?;
    let actor = &caller.actor;
    let owner = state.ask(app::account::owner(&state.store, actor)).await?;
    let secret = totp::TotpSecret::generate().map_err(Refusal::Broken)?;
    let holder = Holder::of(actor).ok_or_else(Problem::sign_in_required)?;
    let sealed = state.sealer.seal(holder, secret.bytes()).map_err(Refusal::Broken)?;
    let (name, now) = (state.sealer.key_name(), state.clock.now());
    state.ask(app::factor::begin_totp(&state.store, actor, &sealed, name, now)).await?;
    let account = owner.login.as_deref().unwrap_or(&owner.name);
    Ok(no_store(&TotpSecret { secret: secret.text(), uri: secret.uri(&state.issuer, account) }))
}

/// Makes an authenticator count by one of its codes. The session has two factors from here on, and another token.
pub(crate) async fn confirm_totp(
    caller: Caller,
    body: Json<ConfirmTotp>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    require(&state, &caller).await?;
    let (actor, person) = (&caller.actor, visit::person(&caller.actor)?);
    factors::take_guess(&state, person, GuessKind::StepUp).await?;
    let kept = state.ask(app::factor::totp(&state.store, actor)).await?;
    let now = state.clock.now();
    let step = match kept.filter(|totp| !totp.is_confirmed) {
        Some(kept) => factors::open(&state, actor, &kept.key_name, &kept.sealed)?.step_of(&body.code, now),
        None => None,
    };
    let Some(step) = step else { return factors::refuse(&state, actor, "totp").await };
    let (recovery_codes, hashes) = factors::new_recovery_codes().map_err(Refusal::Broken)?;
    let (added, token) = added(&state, &caller)?;
    state.ask(app::factor::confirm_totp(&state.store, actor, step, &hashes, added)).await?;
    state.ask(app::guess::forget(&state.store, GuessKind::StepUp, &person.to_string())).await?;
    tell(&state, &caller, SecurityEventKind::FactorAdded, "totp").await;
    with_cookie(&token, &RecoveryCodes { recovery_codes })
}

/// Takes the authenticator away.
pub(crate) async fn remove_totp(caller: Caller, state: Data<State>) -> Result<HttpResponse, Problem> {
    require(&state, &caller).await?;
    state.ask(app::factor::remove_totp(&state.store, &caller.actor)).await?;
    tell(&state, &caller, SecurityEventKind::FactorRemoved, "totp").await;
    Ok(HttpResponse::NoContent().finish())
}

/// Gives new recovery codes; those before them are void.
pub(crate) async fn new_recovery_codes(caller: Caller, state: Data<State>) -> Result<HttpResponse, Problem> {
    require(&state, &caller).await?;
    let (recovery_codes, hashes) = factors::new_recovery_codes().map_err(Refusal::Broken)?;
    state.ask(app::factor::new_recovery_codes(&state.store, &caller.actor, &hashes)).await?;
    tell(&state, &caller, SecurityEventKind::FactorAdded, "recovery").await;
    Ok(no_store(&RecoveryCodes { recovery_codes }))
}

/// Lists the caller's passkeys.
pub(crate) async fn list_passkeys(caller: Caller, state: Data<State>) -> Result<HttpResponse, Problem> {
    let has = state.ask(app::factor::factors(&state.store, &caller.actor)).await?;
    Ok(no_store(&Passkeys { passkeys: has.passkeys.into_iter().map(shown).collect() }))
}

/// Begins to add a passkey.
pub(crate) async fn begin_passkey(caller: Caller, state: Data<State>) -> Result<HttpResponse, Problem> {
    require(&state, &caller).await?;
    let owner = state.ask(app::account::owner(&state.store, &caller.actor)).await?;
    let login = owner.login.as_deref().unwrap_or(&owner.name);
    let new_owner = NewOwner { person: visit::person(&caller.actor)?, login, name: &owner.name };
    Ok(no_store(&passkeys::begin_adding(&state, &caller.actor, new_owner).await?))
}

/// Adds the passkey a browser made. The session has two factors from here on, and another token.
pub(crate) async fn add_passkey(
    caller: Caller,
    body: Json<AddPasskey>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    require(&state, &caller).await?;
    let AddPasskey { name, credential } = body.into_inner();
    let name = name.trim().to_owned();
    if name.is_empty() || name.chars().count() > NAME_CHARACTERS_MAX || name.contains(char::is_control) {
        let field = FieldError::new("/name", "use 1 to 100 characters");
        return Err(app::Error::from(AccountError::InvalidAccount(vec![field])).into());
    }
    let actor = &caller.actor;
    let Some(proven) = passkeys::finish_adding(&state, actor, name, credential).await? else {
        return factors::refuse(&state, actor, "passkey").await;
    };
    let (added, token) = added(&state, &caller)?;
    let row = state.ask(app::factor::add_passkey(&state.store, actor, &proven, added)).await?;
    tell(&state, &caller, SecurityEventKind::FactorAdded, "passkey").await;
    let cookie = cookie::give(&token).map_err(|error| Refusal::Broken(error.into()))?;
    Ok(HttpResponse::Created()
        .insert_header((SET_COOKIE, cookie))
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(shown(row)))
}

/// Takes a passkey away.
pub(crate) async fn remove_passkey(
    caller: Caller,
    id: Path<PasskeyId>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    require(&state, &caller).await?;
    state.ask(app::factor::remove_passkey(&state.store, &caller.actor, *id)).await?;
    tell(&state, &caller, SecurityEventKind::FactorRemoved, "passkey").await;
    Ok(HttpResponse::NoContent().finish())
}

/// Factors are set up in a browser by somebody who proved a short time ago who they are.
async fn require(state: &State, caller: &Caller) -> Result<(), Problem> {
    if caller.identity.kind != SessionKind::Web {
        return Err(app::Error::from(AccountError::StepUpRequired).into());
    }
    step_up::require(state, caller).await
}

fn added(state: &State, caller: &Caller) -> Result<(Added, SessionToken), Refusal> {
    let token = SessionToken::generate().map_err(Refusal::Broken)?;
    let (session_id, at) = (caller.identity.session_id, state.clock.now());
    Ok((Added { session_id, token_hash: token.hash(), at }, token))
}

fn with_cookie(token: &SessionToken, answer: &impl Serialize) -> Result<HttpResponse, Problem> {
    let cookie = cookie::give(token).map_err(|error| Refusal::Broken(error.into()))?;
    Ok(HttpResponse::Ok()
        .insert_header((SET_COOKIE, cookie))
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(answer))
}

async fn tell(state: &State, caller: &Caller, kind: SecurityEventKind, factor: &'static str) {
    let mut event = visit::event(state, &caller.actor, kind);
    event.detail = json!({ "factor": factor });
    events::tell(state, Some(caller.actor.client_id), event).await;
}
