//! `GET /tickets/{id}`: one ticket.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use api::ticket::{HistoryQuery, Ticket};
use app::Error;
use domain::{Actor, Fault, TicketId};
use service::Problem;
use service::extract::{Path, Query};

use crate::frame::{Frame, Htmx};
use crate::state::{Shared, State};
use crate::view::{Shell, TicketPage};
use crate::{answer, contract};

/// Shows a ticket; htmx gets the region only.
pub(crate) async fn show(
    frame: Frame,
    htmx: Htmx,
    id: Path<TicketId>,
    query: Query<HistoryQuery>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    let ticket = read(&state, &frame.actor, *id, *query).await?;
    let moved = htmx.region && htmx.source == "form#move";
    let is_past = query.before.is_some();
    answer(StatusCode::OK, &htmx, &TicketPage { is_past, moved, ..TicketPage::plain(frame.shell, ticket) })
}

/// Reads a ticket with a page of its history.
pub(crate) async fn read(
    state: &State,
    actor: &Actor,
    id: TicketId,
    history: HistoryQuery,
) -> Result<Ticket, Problem> {
    Ok(contract::ticket(app::ticket::get(&state.store, actor, id).await?, history))
}

/// Reads a ticket with the latest of its history.
pub(crate) async fn read_latest(state: &State, actor: &Actor, id: TicketId) -> Result<Ticket, Problem> {
    read(state, actor, id, HistoryQuery::default()).await
}

/// Answers with the ticket as it stands, and why a request about it was refused.
pub(crate) fn refuse(
    error: Error,
    htmx: &Htmx,
    shell: Shell,
    ticket: Ticket,
) -> Result<HttpResponse, Problem> {
    let notice = Some(error.public().into_owned());
    let status = Problem::from(error).status();
    answer(status, htmx, &TicketPage { notice, ..TicketPage::plain(shell, ticket) })
}

/// Answers with the page, or with its region when htmx asks for that.
pub(crate) fn answer(status: StatusCode, htmx: &Htmx, page: &TicketPage) -> Result<HttpResponse, Problem> {
    if htmx.region { answer::page(status, &page.as_ticket()) } else { answer::page(status, page) }
}
