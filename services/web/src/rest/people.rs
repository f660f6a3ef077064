//! `GET /api/v1/people/lookup`.

use actix_web::HttpResponse;
use api::Page;
use api::person::{LookupQuery, PersonChoice};
use service::extract::Query;
use service::{Caller, Problem};

use crate::state::Shared;
use crate::{contract, people};

/// Finds people by what was typed: every word in any order, of one or two letters as the beginning of a word.
#[utoipa::path(
    get, path = "/api/v1/people/lookup", tag = "people", params(LookupQuery),
    responses(
        (status = 200, description = "The first that match, by name", body = Page<PersonChoice>),
        (status = "default", description = "A problem", body = api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn lookup(
    caller: Caller,
    query: Query<LookupQuery>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    let found = people::lookup(&state, &caller.actor, &query.q).await?;
    let items = found.iter().map(contract::person).collect();
    Ok(super::answer(Page { items, next: None }))
}
