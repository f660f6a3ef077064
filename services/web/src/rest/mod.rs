//! The REST API.

pub(crate) mod attachments;
mod key;
pub(crate) mod openapi;
pub(crate) mod people;
pub(crate) mod security;
pub(crate) mod sites;
pub(crate) mod tasks;
pub(crate) mod tickets;

use actix_web::HttpResponse;
use actix_web::http::header;
use serde::Serialize;

/// Answers with what was asked for; nobody keeps it.
fn answer(body: impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(body)
}
