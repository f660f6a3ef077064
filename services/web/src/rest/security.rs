//! `/api/v1/security-events`: what happened at the door, or was tried.

use actix_web::HttpResponse;
use api::Page;
use api::security::{SecurityEvent, SecurityQuery};
use service::extract::Query;
use service::{Caller, Problem};

use super::answer;
use crate::contract::security::{Whose, events};
use crate::state::{Shared, State};

/// Lists events of the caller's client, the latest first.
#[utoipa::path(
    get, path = "/api/v1/security-events", tag = "security", params(SecurityQuery),
    responses(
        (status = 200, description = "A page of events; pass `next` as `before`", body = Page<SecurityEvent>),
        (status = "default", description = "A problem", body = api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn ours(
    caller: Caller,
    query: Query<SecurityQuery>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    list(&state, &caller, Whose::Ours, &query).await
}

/// Lists events of nobody in particular, the latest first, for operators.
#[utoipa::path(
    get, path = "/api/v1/operate/security-events", tag = "security", params(SecurityQuery),
    responses(
        (status = 200, description = "A page of events; pass `next` as `before`", body = Page<SecurityEvent>),
        (status = "default", description = "A problem", body = api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn of_nobody(
    caller: Caller,
    query: Query<SecurityQuery>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    list(&state, &caller, Whose::OfNobody, &query).await
}

async fn list(
    state: &State,
    caller: &Caller,
    whose: Whose,
    query: &SecurityQuery,
) -> Result<HttpResponse, Problem> {
    let (items, next) = events(state, &caller.actor, whose, query).await?;
    Ok(answer(Page { items, next }))
}
