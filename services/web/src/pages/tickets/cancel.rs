//! `GET /tickets/{id}/cancel`: asks before a ticket is cancelled, because nothing leads back.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use domain::ticket::TicketState;
use domain::{Capability, TicketId};
use service::Problem;
use service::extract::Path;

use super::show;
use crate::answer;
use crate::frame::{Frame, Htmx};
use crate::state::Shared;
use crate::view::CancelPage;

/// Shows what would be cancelled and the button that does it; a ticket that cannot be cancelled is shown as it stands.
pub(crate) async fn show(
    frame: Frame,
    htmx: Htmx,
    id: Path<TicketId>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    frame.require(Capability::TicketsWrite)?;
    let ticket = show::read_latest(&state, &frame.actor, *id).await?;
    match ticket.state.move_to(TicketState::Cancelled) {
        Ok(_) => answer::page(StatusCode::OK, &CancelPage { shell: frame.shell, ticket }),
        Err(refused) => {
            let page = show::latest_page(&state, &frame.actor, frame.shell, *id).await?;
            show::refuse(refused.into(), &htmx, page)
        }
    }
}
