//! `GET /api/v1/sites`.

use actix_web::HttpResponse;
use api::Page;
use api::site::SiteChoice;
use service::{Caller, Problem};

use crate::contract;
use crate::state::Shared;

/// Lists the sites the caller looks after.
#[utoipa::path(
    get, path = "/api/v1/sites", tag = "sites",
    responses(
        (status = 200, description = "The sites, by code", body = Page<SiteChoice>),
        (status = "default", description = "A problem", body = api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list(caller: Caller, state: Shared) -> Result<HttpResponse, Problem> {
    let sites = app::site::list(&state.store, &caller.actor).await?;
    let items = sites.iter().map(contract::site).collect();
    Ok(super::answer(Page { items, next: None }))
}
