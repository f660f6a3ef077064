//! `/api/v1/tickets/{id}/attachments` and `/api/v1/attachments/{id}`: files at tickets.

use actix_web::HttpResponse;
use actix_web::http::header;
use api::file::Attachments;
use domain::{AttachmentId, TicketId};
use service::extract::Path;
use service::{Caller, Problem};

use super::answer;
use super::key::IdempotencyKey;
use crate::contract;
use crate::files::{self, Upload};
use crate::state::Shared;
use crate::uploads::Demanded;

/// What an upload holds, for the document.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "it is a schema; parts are read as they arrive")]
pub(crate) struct AttachFile {
    /// The file. Its name, the type of its part and its bytes have to agree.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// Lists the files at a ticket, the earliest first.
#[utoipa::path(
    get, path = "/api/v1/tickets/{id}/attachments", tag = "files", operation_id = "list_attachments",
    params(("id" = String, Path, description = "The ticket's id")),
    responses(
        (status = 200, description = "The files", body = Attachments),
        (status = "default", description = "A problem", body = api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list(caller: Caller, id: Path<TicketId>, state: Shared) -> Result<HttpResponse, Problem> {
    let files = app::attachment::list(&state.store, &caller.actor, *id).await?;
    Ok(answer(Attachments { attachments: files.into_iter().map(contract::file).collect() }))
}

/// Adds a file to a ticket. Repeated with the same `Idempotency-Key` it is added once.
#[utoipa::path(
    post, path = "/api/v1/tickets/{id}/attachments", tag = "files", operation_id = "add_attachment",
    request_body(content = AttachFile, content_type = "multipart/form-data"),
    params(
        ("id" = String, Path, description = "The ticket's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "A UUID, which becomes the file's id"),
    ),
    responses(
        (status = 201, description = "The file; `Location` gives its bytes", body = api::file::Attachment),
        (status = "default", description = "A problem", body = api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn add(
    upload: Upload,
    key: IdempotencyKey,
    id: Path<TicketId>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    let file = upload.add_to(&state, *id, key.0, &Demanded::Nothing).await?;
    Ok(HttpResponse::Created()
        .insert_header((header::LOCATION, format!("/api/v1/attachments/{}", file.id)))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(contract::file(file)))
}

/// Gives the bytes of a file, to be saved.
#[utoipa::path(
    get, path = "/api/v1/attachments/{id}", tag = "files", operation_id = "get_attachment",
    params(("id" = String, Path, description = "The file's id")),
    responses(
        (status = 200, description = "The bytes", content_type = "application/octet-stream"),
        (status = "default", description = "A problem", body = api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    caller: Caller,
    id: Path<AttachmentId>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    files::download(caller, id, state).await
}

/// Removes a file: who added it may, and who administers.
#[utoipa::path(
    delete, path = "/api/v1/attachments/{id}", tag = "files", operation_id = "remove_attachment",
    params(("id" = String, Path, description = "The file's id")),
    responses(
        (status = 204, description = "It is gone"),
        (status = "default", description = "A problem", body = api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn remove(
    caller: Caller,
    id: Path<AttachmentId>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    files::remove(&state, &caller, *id).await?;
    Ok(HttpResponse::NoContent().insert_header((header::CACHE_CONTROL, "no-store")).finish())
}
