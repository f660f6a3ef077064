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
use crate::view::{Shell, TicketFiles, TicketPage};
use crate::{answer, contract};

/// Shows a ticket; htmx gets the region only.
pub(crate) async fn show(
    frame: Frame,
    htmx: Htmx,
    id: Path<TicketId>,
    query: Query<HistoryQuery>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    let page = page(&state, &frame.actor, frame.shell, *id, *query).await?;
    let moved = htmx.region && htmx.source == "form#move";
    let is_past = query.before.is_some();
    answer(StatusCode::OK, &htmx, &TicketPage { is_past, moved, ..page })
}

/// A ticket's page as it stands, with a page of its history.
async fn page(
    state: &State,
    actor: &Actor,
    shell: Shell,
    id: TicketId,
    history: HistoryQuery,
) -> Result<TicketPage, Problem> {
    let ticket = read(state, actor, id, history).await?;
    let files = app::attachment::list(&state.store, actor, id).await?;
    let files = TicketFiles::of(files, actor, &state.uploads);
    Ok(TicketPage { files, ..TicketPage::plain(shell, ticket) })
}

/// A ticket's page as it stands, with the latest of its history.
pub(crate) async fn latest_page(
    state: &State,
    actor: &Actor,
    shell: Shell,
    id: TicketId,
) -> Result<TicketPage, Problem> {
    page(state, actor, shell, id, HistoryQuery::default()).await
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
pub(crate) fn refuse(error: Error, htmx: &Htmx, page: TicketPage) -> Result<HttpResponse, Problem> {
    let notice = Some(error.public().into_owned());
    let status = Problem::from(error).status();
    answer(status, htmx, &TicketPage { notice, ..page })
}

/// Answers with the page, or with its region when htmx asks for that.
pub(crate) fn answer(status: StatusCode, htmx: &Htmx, page: &TicketPage) -> Result<HttpResponse, Problem> {
    if htmx.region { answer::page(status, &page.as_ticket()) } else { answer::page(status, page) }
}
