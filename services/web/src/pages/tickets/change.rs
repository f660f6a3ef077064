//! `POST /tickets/{id}/state` and `…/comments`: what the buttons and the comment form of a ticket send.

use actix_web::HttpResponse;
use app::ticket::{Comment, TicketRead};
use domain::ticket::TicketState;
use domain::{Fault, FaultKind, TicketEventId, TicketId};
use serde::Deserialize;
use service::Problem;
use service::extract::{Form, Path};

use super::show;
use crate::answer;
use crate::frame::{Frame, Htmx};
use crate::state::Shared;
use crate::view::{Mistakes, TicketPage};

/// The fields of the buttons that move a ticket.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StateForm {
    state: TicketState,
    version: i64,
    #[serde(default, rename = "csrf_token")]
    _csrf_token: String,
}

/// The fields of the comment form.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommentForm {
    /// Becomes the comment's id, so that sending twice says it once.
    key: TicketEventId,
    #[serde(default)]
    text: String,
    #[serde(default, rename = "csrf_token")]
    _csrf_token: String,
}

/// Moves a ticket; when somebody was faster, shows it as it stands.
pub(crate) async fn submit_state(
    frame: Frame,
    htmx: Htmx,
    id: Path<TicketId>,
    form: Form<StateForm>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    let read = TicketRead { id: *id, version: form.version };
    match app::ticket::move_to(&state.store, &frame.actor, read, form.state, state.clock.now()).await {
        Ok(()) => Ok(answer::see_other(&format!("/tickets/{}", *id))),
        Err(error) if matches!(error.kind(), FaultKind::Stale | FaultKind::Conflict) => {
            let page = show::latest_page(&state, &frame.actor, frame.shell, *id).await?;
            show::refuse(error, &htmx, page)
        }
        Err(error) => Err(error.into()),
    }
}

/// Adds a comment; a refused one stays in the form.
pub(crate) async fn submit_comment(
    frame: Frame,
    htmx: Htmx,
    id: Path<TicketId>,
    form: Form<CommentForm>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    let said = match Comment::parse(form.key, &form.text) {
        Ok(comment) => {
            app::ticket::comment(&state.store, &frame.actor, *id, &comment, state.clock.now()).await
        }
        Err(error) => Err(error),
    };
    match said {
        Ok(()) => Ok(answer::see_other(&format!("/tickets/{}", *id))),
        Err(error) if error.kind() == FaultKind::Invalid => {
            let mistakes = Mistakes::of_fields(error.fields());
            let status = Problem::from(error).status();
            let page = show::latest_page(&state, &frame.actor, frame.shell, *id).await?;
            let CommentForm { key, text: comment, .. } = form.into_inner();
            let page = TicketPage { key, comment, mistakes, ..page };
            show::answer(status, &htmx, &page)
        }
        Err(error) => Err(error.into()),
    }
}
