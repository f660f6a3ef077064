//! Proving again who sits there, for what is dangerous.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, SET_COOKIE};
use actix_web::web::Data;
use api::account::StepUp;
use app::AccountError;
use app::account::Proven;
use domain::account::CeremonyPurpose;
use domain::security::SecurityEventKind;
use domain::sign_in::GuessKind;
use domain::{Actor, Secret};
use service::extract::Json;
use service::{Caller, Problem};

use crate::factors::{self, Given};
use crate::refusal::Refusal;
use crate::sign_in::PASSWORD_CHARACTERS_MAX;
use crate::state::State;
use crate::token::SessionToken;
use crate::{cookie, events, passkeys, visit};

/// Refuses whoever did not prove a short time ago who they are. Judged by the session itself, not by the identity that was
/// signed for it before.
pub(crate) async fn require(state: &State, caller: &Caller) -> Result<(), Problem> {
    let home = visit::at_home(caller);
    let proof = app::account::proof(&state.store, &home, caller.identity.session_id);
    let proof = state.ask(proof).await?.ok_or(Refusal::Session)?;
    if app::account::is_fresh(&proof, state.clock.now(), state.accounts.step_up()) {
        Ok(())
    } else {
        Err(app::Error::from(AccountError::StepUpRequired).into())
    }
}

/// Begins to prove a passkey again.
pub(crate) async fn begin_passkey(caller: Caller, state: Data<State>) -> Result<HttpResponse, Problem> {
    let options = passkeys::begin_proving(&state, &caller.actor, CeremonyPurpose::StepUp).await?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(options))
}

/// Takes a proof; the session goes on with another token. The password is not enough for whoever has a second factor.
pub(crate) async fn step_up(
    caller: Caller,
    body: Json<StepUp>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let actor = &caller.actor;
    let factors = match parse(body.into_inner())? {
        Proof::Password(password) => {
            password_is_enough(&state, actor).await?;
            verify_password(&state, actor, password).await?;
            1
        }
        Proof::Factor(given) => {
            factors::prove(&state, actor, given, GuessKind::StepUp).await?;
            2
        }
    };
    let token = SessionToken::generate().map_err(Refusal::Broken)?;
    let proven = Proven { token_hash: token.hash(), factors };
    let (session, now) = (caller.identity.session_id, state.clock.now());
    state.ask(app::account::step_up(&state.store, actor, session, proven, now)).await?;
    let event = visit::event(&state, actor, SecurityEventKind::StepUpDone);
    events::tell(&state, Some(actor.client_id), event).await;
    let cookie = cookie::give(&token).map_err(|error| Refusal::Broken(error.into()))?;
    Ok(HttpResponse::NoContent().insert_header((SET_COOKIE, cookie)).finish())
}

enum Proof {
    Password(Secret),
    Factor(Given),
}

fn parse(form: StepUp) -> Result<Proof, Problem> {
    match (form.password, form.code, form.passkey) {
        (Some(password), None, None) if password.chars().count() <= PASSWORD_CHARACTERS_MAX => {
            Ok(Proof::Password(Secret::new(password)))
        }
        (None, Some(code), None) => Ok(Proof::Factor(Given::Code(code))),
        (None, None, Some(answer)) => Ok(Proof::Factor(Given::Passkey(answer))),
        _ => Err(factors::one_of("give one of password, code and passkey")),
    }
}

async fn password_is_enough(state: &State, actor: &Actor) -> Result<(), Problem> {
    if state.ask(app::factor::factors(&state.store, actor)).await?.any() {
        return Err(factors::one_of("give a code or a passkey: the password is not enough for you"));
    }
    Ok(())
}

/// Compares the password of somebody who is signed in, counted as a guess apart from those at second factors: whoever knows
/// the one must not win tries at the other. Answers with the hash it was compared with.
pub(crate) async fn verify_password(
    state: &State,
    actor: &Actor,
    password: Secret,
) -> Result<String, Problem> {
    let person = visit::person(actor)?;
    let subject = format!("password:{person}");
    factors::take_guess_at(state, &subject, GuessKind::StepUp).await?;
    let hash = state.ask(app::account::password_hash(&state.store, actor)).await?;
    let is_right = state.passwords.verify_again(hash.clone(), password).await?;
    match hash {
        Some(hash) if is_right => {
            state.ask(app::guess::forget(&state.store, GuessKind::StepUp, &subject)).await?;
            Ok(hash)
        }
        _ => factors::refuse(state, actor, "password").await,
    }
}
