//! `GET /tickets/{id}`: one ticket.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use api::ticket::Ticket;
use domain::{Actor, TicketId};
use service::Problem;
use service::extract::Path;

use crate::frame::{Frame, Htmx};
use crate::state::{Shared, State};
use crate::view::TicketPage;
use crate::{answer, contract};

/// Shows a ticket; htmx gets the region only.
pub(crate) async fn show(
    frame: Frame,
    htmx: Htmx,
    id: Path<TicketId>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    let ticket = read(&state, &frame.actor, *id).await?;
    let moved = htmx.region && htmx.source == "form#move";
    answer(StatusCode::OK, &htmx, &TicketPage { moved, ..TicketPage::plain(frame.shell, ticket) })
}

/// Reads a ticket with its history.
pub(crate) async fn read(state: &State, actor: &Actor, id: TicketId) -> Result<Ticket, Problem> {
    Ok(contract::ticket(app::ticket::get(&state.store, actor, id).await?))
}

/// Answers with the page, or with its region when htmx asks for that.
pub(crate) fn answer(status: StatusCode, htmx: &Htmx, page: &TicketPage) -> Result<HttpResponse, Problem> {
    if htmx.region { answer::page(status, &page.as_ticket()) } else { answer::page(status, page) }
}
