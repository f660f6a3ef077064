//! Mailed links: asking for them and using them, by whoever cannot sign in.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use api::account::{AskRecovery, UseRecovery, VerifyEmail};
use app::AccountError;
use app::guess::GuessLimit;
use domain::security::SecurityEventKind;
use domain::sign_in::{GuessKind, LoginName};
use domain::{ClientId, FieldError, PersonId, Secret};
use service::extract::Json;
use service::{Caller, ClientAddress, Problem};

use crate::account::refused;
use crate::events;
use crate::refusal::Refusal;
use crate::state::State;
use crate::token::SessionToken;
use crate::visit::{self, Origin};

/// Asks for a link to set a new password. Says 202 whether or not there is such a login, and whether or not it has asked
/// too often; only an address that asks for too many reads that.
pub(crate) async fn ask_recovery(
    address: ClientAddress,
    request: HttpRequest,
    body: Json<AskRecovery>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let login = LoginName::parse(&body.login)
        .map_err(|invalid| Refusal::Form(vec![FieldError::new("/login", invalid.to_string())]))?;
    let origin = Origin::of(&request, address);
    let limits = &state.accounts;
    let per_address = limits.limit(limits.resets_per_address);
    state.ask(app::guess::take(&state.store, GuessKind::Reset, &origin.network(), per_address)).await?;
    if has_room(&state, &login.key(), limits.limit(limits.resets_per_login)).await? {
        state.ask(app::recovery::ask(&state.store, &login, origin.correlation_id)).await?;
        tell(&state, None, (SecurityEventKind::ResetAsked, None), &origin).await;
    }
    Ok(HttpResponse::Accepted().finish())
}

/// Whether a login name, or a person, may ask for another link.
async fn has_room(state: &State, subject: &str, limit: GuessLimit) -> Result<bool, Problem> {
    let subject = format!("of:{subject}");
    let taken = async {
        match app::guess::take(&state.store, GuessKind::Reset, &subject, limit).await {
            Ok(()) => Ok(true),
            Err(app::Error::Account(AccountError::FactorLimited { .. })) => Ok(false),
            Err(error) => Err(error),
        }
    };
    state.ask(taken).await
}

/// Sets the password a link was mailed for. A second factor stays owed.
pub(crate) async fn use_recovery(
    address: ClientAddress,
    request: HttpRequest,
    body: Json<UseRecovery>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let (form, origin) = (body.into_inner(), Origin::of(&request, address));
    let hash = try_link(&state, &form.token, &origin).await?;
    let link = state.ask(app::recovery::find_reset(&state.store, &hash, origin.correlation_id)).await?;
    let (rules, owner) = (state.password_rules.clone(), link.owner.clone());
    let broken = move |password: &str| rules.broken("/password", password, &owner);
    let new_hash = state.passwords.make(Secret::new(form.password), broken).await?.map_err(refused)?;
    let now = state.clock.now();
    state.ask(app::recovery::reset_password(&state.store, &link, &new_hash, now)).await?;
    let whose = (link.token.client_id, link.token.person_id);
    tell(&state, Some(whose.0), (SecurityEventKind::ResetDone, Some(whose.1)), &origin).await;
    Ok(HttpResponse::NoContent().finish())
}

/// Asks for a link that proves the caller's address.
pub(crate) async fn ask_verification(caller: Caller, state: Data<State>) -> Result<HttpResponse, Problem> {
    let person = visit::person(&caller.actor)?;
    let limit = state.accounts.limit(state.accounts.resets_per_login);
    state.ask(app::guess::take(&state.store, GuessKind::Reset, &format!("verify:{person}"), limit)).await?;
    state.ask(app::recovery::ask_verification(&state.store, &caller.actor)).await?;
    Ok(HttpResponse::Accepted().finish())
}

/// Proves the address a link was mailed to.
pub(crate) async fn verify_email(
    address: ClientAddress,
    request: HttpRequest,
    body: Json<VerifyEmail>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let origin = Origin::of(&request, address);
    let hash = try_link(&state, &body.token, &origin).await?;
    let (store, now) = (&state.store, state.clock.now());
    let verified = app::recovery::verify_email(store, &hash, origin.correlation_id, now);
    let (client, person) = state.ask(verified).await?;
    tell(&state, Some(client), (SecurityEventKind::EmailVerified, Some(person)), &origin).await;
    Ok(HttpResponse::NoContent().finish())
}

/// Counts a link that is tried, and gives the hash of its token.
async fn try_link(state: &State, token: &str, origin: &Origin) -> Result<[u8; 32], Problem> {
    let limit = state.accounts.limit(state.accounts.links_per_address);
    state.ask(app::guess::take(&state.store, GuessKind::Link, &origin.network(), limit)).await?;
    let token = SessionToken::parse(token).ok_or(app::Error::from(AccountError::LinkRefused))?;
    Ok(token.hash())
}

async fn tell(
    state: &State,
    client: Option<ClientId>,
    (kind, person): (SecurityEventKind, Option<PersonId>),
    origin: &Origin,
) {
    let mut event = app::security::NewSecurityEvent::new(kind, state.clock.now(), origin.correlation_id);
    event.person_id = person;
    event.address = Some(origin.address);
    events::tell(state, client, event).await;
}
