//! `POST /tickets/{id}/attachments` and `…/{file}/removal`: the form that adds a file to a ticket, and the one that takes
//! it away.

use actix_web::HttpResponse;
use domain::{AttachmentId, TicketId};
use serde::Deserialize;
use service::extract::{Form, Path};
use service::{Caller, Problem};

use super::show;
use crate::answer;
use crate::files::{self, Upload};
use crate::frame::{Frame, Htmx};
use crate::state::Shared;
use crate::uploads::Demanded;
use crate::view::TicketPage;

/// The fields of the form that removes a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RemovalForm {
    #[serde(default, rename = "csrf_token")]
    _csrf_token: String,
}

/// Adds a file; why one is refused stands at the form.
pub(crate) async fn submit(
    frame: Frame,
    htmx: Htmx,
    upload: Upload,
    id: Path<TicketId>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    let demanded = Demanded::Token(frame.shell.csrf.clone());
    match upload.add_to(&state, *id, None, &demanded).await {
        Ok(_file) => Ok(answer::see_other(&format!("/tickets/{}#files", *id))),
        Err(problem) if problem.code() == "upload-refused" => {
            let page = show::latest_page(&state, &frame.actor, frame.shell, *id).await?;
            let file_mistake = problem.errors().first().map(|broken| broken.detail.clone());
            show::answer(problem.status(), &htmx, &TicketPage { file_mistake, ..page })
        }
        Err(problem) => Err(problem),
    }
}

/// Removes a file.
pub(crate) async fn remove(
    caller: Caller,
    path: Path<(TicketId, AttachmentId)>,
    _form: Form<RemovalForm>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    let (_ticket, file) = path.into_inner();
    let removed = files::remove(&state, &caller, file).await?;
    Ok(answer::see_other(&format!("/tickets/{}#files", removed.ticket_id)))
}
