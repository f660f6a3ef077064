//! `/api/v1/users`: people of a client and what they may do, for its administrators.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use api::Page;
use api::account::{SessionRow, Sessions};
use api::user::{AddUser, ChangeUser, SetCapabilities, SetGroups, SetSites, User, UserQuery, UserRow};
use app::people::{NewUser, UserChange, UserFilter};
use app::{AccountError, Error};
use domain::text::Code;
use domain::{FieldError, PersonId};
use serde::Serialize;
use service::extract::{Json, Path, Query};
use service::{Caller, Problem};

use crate::state::State;
use crate::step_up;

/// Lists people by code, a page at a time.
pub(crate) async fn list_users(
    caller: Caller,
    query: Query<UserQuery>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let UserQuery { q, after } = query.into_inner();
    let after = after.map(|after| parsed("/after", Code::parse(&after))).transpose()?;
    let filter = UserFilter { words: q.filter(|words| !words.trim().is_empty()), after };
    let (rows, more) = state.ask(app::people::list(&state.store, &caller.actor, &filter)).await?;
    let next = rows.last().filter(|_last| more).map(|last| last.code.to_string());
    Ok(seen(&Page { items: rows.into_iter().map(row).collect(), next }))
}

/// Shows a person.
pub(crate) async fn get_user(
    caller: Caller,
    id: Path<PersonId>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    Ok(seen(&shown(state.ask(app::people::get(&state.store, &caller.actor, *id)).await?)))
}

/// Adds a person, and invites who has a login and an address.
pub(crate) async fn add_user(
    caller: Caller,
    body: Json<AddUser>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    step_up::require(&state, &caller).await?;
    let AddUser { code, name, email, login } = body.into_inner();
    let new = NewUser { code, name, email, login, hash_of_nobody: state.passwords.hash_of_nobody() };
    let now = state.clock.now();
    let user = state.ask(app::people::add(&state.store, &caller.actor, &new, now)).await?;
    Ok(HttpResponse::Created().insert_header((CACHE_CONTROL, "no-store")).json(shown(user)))
}

/// Changes a person.
pub(crate) async fn change_user(
    caller: Caller,
    id: Path<PersonId>,
    body: Json<ChangeUser>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    step_up::require(&state, &caller).await?;
    let ChangeUser { name, email, enabled } = body.into_inner();
    let trimmed = |text: String| text.trim().to_owned();
    let change = UserChange { name: name.map(trimmed), email: email.map(trimmed), enabled };
    let now = state.clock.now();
    let user = state.ask(app::people::change(&state.store, &caller.actor, *id, &change, now)).await?;
    Ok(seen(&shown(user)))
}

/// Sets what is given to a person.
pub(crate) async fn set_capabilities(
    caller: Caller,
    id: Path<PersonId>,
    body: Json<SetCapabilities>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    step_up::require(&state, &caller).await?;
    let (wanted, now) = (&body.capabilities, state.clock.now());
    state.ask(app::people::set_capabilities(&state.store, &caller.actor, *id, wanted, now)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Sets which sites a person sees.
pub(crate) async fn set_sites(
    caller: Caller,
    id: Path<PersonId>,
    body: Json<SetSites>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    step_up::require(&state, &caller).await?;
    let sites = (!body.all_sites).then_some(body.sites.as_slice());
    let now = state.clock.now();
    state.ask(app::people::set_sites(&state.store, &caller.actor, *id, sites, now)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Sets the groups a person is in.
pub(crate) async fn set_groups(
    caller: Caller,
    id: Path<PersonId>,
    body: Json<SetGroups>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    step_up::require(&state, &caller).await?;
    let now = state.clock.now();
    state.ask(app::people::set_groups(&state.store, &caller.actor, *id, &body.groups, now)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Mails a person a link to set their first password.
pub(crate) async fn invite_user(
    caller: Caller,
    id: Path<PersonId>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    step_up::require(&state, &caller).await?;
    let now = state.clock.now();
    state.ask(app::people::invite(&state.store, &caller.actor, *id, now)).await?;
    Ok(HttpResponse::Accepted().finish())
}

/// Lists a person's live sessions.
pub(crate) async fn list_sessions(
    caller: Caller,
    id: Path<PersonId>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let person = state.ask(app::people::get(&state.store, &caller.actor, *id)).await?.id;
    let rows = state.ask(app::account::sessions(&state.store, &caller.actor, person)).await?;
    let sessions = rows
        .into_iter()
        .map(|row| SessionRow {
            id: row.id,
            kind: row.kind,
            current: row.id == caller.identity.session_id,
            factors: u8::try_from(row.factors).unwrap_or(1),
            user_agent: row.user_agent,
            address: row.address,
            created_at: row.created_at,
            last_seen_at: row.last_seen_at,
            expires_at: row.expires_at,
        })
        .collect();
    Ok(seen(&Sessions { sessions }))
}

/// Ends every session of a person.
pub(crate) async fn end_sessions(
    caller: Caller,
    id: Path<PersonId>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    step_up::require(&state, &caller).await?;
    let now = state.clock.now();
    state.ask(app::people::end_sessions(&state.store, &caller.actor, *id, now)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Releases the handset of a person who lost it or has another one.
pub(crate) async fn release_handset(
    caller: Caller,
    id: Path<PersonId>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    step_up::require(&state, &caller).await?;
    let now = state.clock.now();
    state.ask(app::people::release_handset(&state.store, &caller.actor, *id, now)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Takes every second factor from a person.
pub(crate) async fn remove_factors(
    caller: Caller,
    id: Path<PersonId>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    step_up::require(&state, &caller).await?;
    let now = state.clock.now();
    state.ask(app::people::remove_factors(&state.store, &caller.actor, *id, now)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Lets a person try again who tried too often.
pub(crate) async fn unlock_user(
    caller: Caller,
    id: Path<PersonId>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    step_up::require(&state, &caller).await?;
    let now = state.clock.now();
    state.ask(app::people::unlock(&state.store, &caller.actor, *id, now)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// An answer that no cache keeps.
pub(crate) fn seen(body: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(body)
}

fn parsed<T>(pointer: &'static str, read: Result<T, domain::text::InvalidText>) -> Result<T, Error> {
    read.map_err(|unfit| AccountError::InvalidUser(vec![FieldError::new(pointer, unfit.to_string())]).into())
}

fn row(row: app::people::UserRow) -> UserRow {
    UserRow { id: row.id, code: row.code.to_string(), name: row.name, login: row.login, enabled: row.enabled }
}

fn shown(user: app::people::User) -> User {
    User {
        id: user.id,
        code: user.code.to_string(),
        name: user.name,
        email: user.email,
        email_verified_at: user.email_verified_at,
        login: user.login,
        enabled: user.enabled,
        capabilities: user.capabilities,
        effective_capabilities: user.effective_capabilities,
        all_sites: user.all_sites,
        sites: user.sites,
        groups: user.groups,
        has_second_factor: user.has_second_factor,
    }
}
