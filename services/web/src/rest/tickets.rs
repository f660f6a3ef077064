//! `/api/v1/tickets`: raising, listing, reading and changing tickets.

use actix_web::HttpResponse;
use actix_web::http::header;
use api::Page;
use api::ticket::{CommentTicket, CreateTicket, HistoryQuery, MoveTicket, Ticket, TicketQuery, TicketRow};
use app::Error;
use app::ticket::{Comment, Draft, DraftText, TicketRead};
use domain::{Actor, Capability, TicketEventId, TicketId};
use service::extract::{Json, Path, Query};
use service::{Caller, Problem};

use super::answer;
use super::key::IdempotencyKey;
use crate::pages::tickets::show::{read, read_latest};
use crate::state::Shared;
use crate::{contract, filter};

/// Lists tickets, newest first; pass `next` as `after` for the following page.
#[utoipa::path(
    get, path = "/api/v1/tickets", tag = "tickets", params(TicketQuery),
    responses(
        (status = 200, description = "A page of tickets", body = Page<TicketRow>),
        (status = "default", description = "A problem", body = api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list(
    caller: Caller,
    query: Query<TicketQuery>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    let page = app::ticket::list(&state.store, &caller.actor, &filter::parse(&query)?).await?;
    let next = filter::next(&page);
    let items: Vec<TicketRow> = page.rows.into_iter().map(contract::row).collect();
    Ok(answer(Page { items, next }))
}

/// Raises a ticket. Repeated with the same `Idempotency-Key` it answers with the ticket of the first time.
#[utoipa::path(
    post, path = "/api/v1/tickets", tag = "tickets", request_body = CreateTicket,
    params(("Idempotency-Key" = Option<String>, Header, description = "A UUID, which becomes the ticket's id")),
    responses(
        (status = 201, description = "The ticket; `Location` is its address", body = Ticket),
        (status = "default", description = "A problem", body = api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn create(
    caller: Caller,
    key: IdempotencyKey,
    body: Json<CreateTicket>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    require_write_and_read(&caller.actor)?;
    let id = key.0.map_or_else(TicketId::generate, TicketId::from_uuid);
    let draft = draft(id, &body)?;
    let raised = app::ticket::create(&state.store, &caller.actor, &draft, state.clock.now()).await?;
    let ticket = read_latest(&state, &caller.actor, raised.id).await?;
    Ok(HttpResponse::Created()
        .insert_header((header::LOCATION, format!("/api/v1/tickets/{}", raised.id)))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(ticket))
}

/// Reads a ticket with the latest of its history; pass `history_before` as `before` for what came earlier.
#[utoipa::path(
    get, path = "/api/v1/tickets/{id}", tag = "tickets",
    params(("id" = String, Path, description = "The ticket's id"), HistoryQuery),
    responses(
        (status = 200, description = "The ticket", body = Ticket),
        (status = "default", description = "A problem", body = api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    caller: Caller,
    id: Path<TicketId>,
    query: Query<HistoryQuery>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    Ok(answer(read(&state, &caller.actor, *id, *query).await?))
}

/// Moves a ticket to another state; refused when it changed since it was read.
#[utoipa::path(
    post, path = "/api/v1/tickets/{id}/state", tag = "tickets", request_body = MoveTicket,
    params(("id" = String, Path, description = "The ticket's id")),
    responses(
        (status = 200, description = "The ticket as it stands after the move", body = Ticket),
        (status = "default", description = "A problem", body = api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn move_to(
    caller: Caller,
    id: Path<TicketId>,
    body: Json<MoveTicket>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    require_write_and_read(&caller.actor)?;
    let read = TicketRead { id: *id, version: body.version };
    app::ticket::move_to(&state.store, &caller.actor, read, body.state, state.clock.now()).await?;
    Ok(answer(read_latest(&state, &caller.actor, *id).await?))
}

/// Adds a comment. Repeated with the same `Idempotency-Key` it is said once.
#[utoipa::path(
    post, path = "/api/v1/tickets/{id}/comments", tag = "tickets", request_body = CommentTicket,
    params(
        ("id" = String, Path, description = "The ticket's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "A UUID, which becomes the comment's id"),
    ),
    responses(
        (status = 200, description = "The ticket with the comment in its history", body = Ticket),
        (status = "default", description = "A problem", body = api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn comment(
    caller: Caller,
    key: IdempotencyKey,
    id: Path<TicketId>,
    body: Json<CommentTicket>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    require_write_and_read(&caller.actor)?;
    let event_id = key.0.map_or_else(TicketEventId::generate, TicketEventId::from_uuid);
    let comment = Comment::parse(event_id, &body.text)?;
    app::ticket::comment(&state.store, &caller.actor, *id, &comment, state.clock.now()).await?;
    Ok(answer(read_latest(&state, &caller.actor, *id).await?))
}

/// Refuses before anything is written somebody who may not read the answer.
fn require_write_and_read(actor: &Actor) -> Result<(), Error> {
    let needed = [Capability::TicketsWrite, Capability::TicketsRead];
    needed
        .into_iter()
        .find(|capability| !actor.may(*capability))
        .map_or(Ok(()), |lacks| Err(Error::Forbidden(lacks)))
}

fn draft(id: TicketId, body: &CreateTicket) -> Result<Draft, Error> {
    let assignee = body.assignee_id.map_or_else(String::new, |person| person.to_string());
    let text = DraftText {
        site: &body.site_id.to_string(),
        title: &body.title,
        description: &body.description,
        priority: body.priority.as_str(),
        assignee: &assignee,
    };
    Draft::parse(id, &text)
}
