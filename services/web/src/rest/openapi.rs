//! `GET /api/v1/openapi.json`: the contract, for programs.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header;
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};

use super::{attachments, people, security, sites, tasks, tickets};

/// Every operation of the REST API of web.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Youtility",
        description = "Facilities and security operations. Errors are `application/problem+json`; /problems/{code} explains each.",
    ),
    paths(
        tickets::list, tickets::create, tickets::get, tickets::move_to, tickets::comment, people::lookup, sites::list,
        attachments::list, attachments::add, attachments::get, attachments::remove,
        tasks::queues, tasks::pause, tasks::resume, tasks::live, tasks::get, tasks::cancel, tasks::retry,
        tasks::dead_letters, tasks::retry_dead_letter, tasks::discard_dead_letter, security::ours, security::of_nobody,
    ),
    tags(
        (name = "tickets", description = "What is wrong, who works on it, how it went"),
        (name = "files", description = "Pictures and documents at tickets"),
        (name = "people", description = "Who can be given work"),
        (name = "sites", description = "Where work is"),
        (name = "security", description = "What happened at the door, or was tried"),
        (name = "tasks", description = "The task queue of the whole installation, for operators"),
    ),
    security(("session" = []), ("bearer" = [])),
)]
struct Document;

static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let mut document = Document::openapi();
    let components = document.components.get_or_insert_default();
    let cookie = ApiKey::Cookie(ApiKeyValue::new(api::headers::SESSION_COOKIE));
    components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    document.to_pretty_json().expect("the document holds texts and numbers only")
});

/// Answers with the document.
pub(crate) async fn document() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((header::CACHE_CONTROL, "public, max-age=300"))
        .body(DOCUMENT.as_str())
}
