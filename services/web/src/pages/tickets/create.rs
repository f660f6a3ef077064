//! `GET /tickets/new` and `POST /tickets`: the form that raises a ticket.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use app::Error;
use app::ticket::{Draft, DraftText};
use domain::{Capability, Fault, FaultKind, FieldError};
use service::Problem;
use service::extract::Form;

use super::assignee::{self, Assignee};
use crate::frame::{Frame, Htmx};
use crate::state::{Shared, State};
use crate::view::{Mistakes, NewTicketPage, TicketForm};
use crate::{answer, contract};

/// Shows the empty form.
pub(crate) async fn show(frame: Frame, state: Shared) -> Result<HttpResponse, Problem> {
    frame.require(Capability::TicketsWrite)?;
    let page = page(&state, frame, TicketForm::blank()).await?;
    answer::page(StatusCode::OK, &page)
}

/// Raises a ticket; a refused form comes back as typed, with everything that is wrong.
pub(crate) async fn submit(
    frame: Frame,
    htmx: Htmx,
    form: Form<TicketForm>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    let form = form.into_inner();
    let assignee = assignee::resolve(&state, &frame.actor, &form).await?;
    let raised = match draft(&form, &assignee) {
        Ok(draft) => app::ticket::create(&state.store, &frame.actor, &draft, state.clock.now()).await,
        Err(error) => Err(error),
    };
    match raised {
        Ok(raised) => Ok(answer::go_to(&htmx, &format!("/tickets/{}", raised.id))),
        Err(error) if error.kind() == FaultKind::Invalid => {
            let mistakes = Mistakes::of_fields(&in_order_of_form(error.fields()));
            let status = Problem::from(error).status();
            let filled = page(&state, frame, form.offering(&assignee)).await?;
            refuse(status, &htmx, &NewTicketPage { mistakes, candidates: assignee.candidates(), ..filled })
        }
        Err(error) => Err(error.into()),
    }
}

fn refuse(status: StatusCode, htmx: &Htmx, page: &NewTicketPage) -> Result<HttpResponse, Problem> {
    if htmx.region { answer::page(status, &page.as_form()) } else { answer::page(status, page) }
}

async fn page(state: &State, frame: Frame, form: TicketForm) -> Result<NewTicketPage, Problem> {
    let sites = app::site::list(&state.store, &frame.actor).await?;
    Ok(NewTicketPage {
        shell: frame.shell,
        form,
        mistakes: Mistakes::default(),
        sites: sites.iter().map(contract::site).collect(),
        candidates: Vec::new(),
    })
}

/// Reads the form; what is wrong with the assignee is named beside everything else.
fn draft(form: &TicketForm, assignee: &Assignee) -> Result<Draft, Error> {
    let person = assignee.person().map_or_else(String::new, |person| person.to_string());
    let text = DraftText {
        site: &form.site_id,
        title: &form.title,
        description: &form.description,
        priority: &form.priority,
        assignee: &person,
    };
    let parsed = Draft::parse(form.key, &text);
    let Some(mistake) = assignee.mistake() else {
        return parsed;
    };
    let mut broken = match parsed {
        Ok(_) => Vec::new(),
        Err(Error::InvalidTicket(broken)) => broken,
        Err(other) => return Err(other),
    };
    broken.push(mistake);
    Err(Error::InvalidTicket(broken))
}

/// The mistakes as somebody meets them reading the form.
fn in_order_of_form(fields: &[FieldError]) -> Vec<FieldError> {
    let order = ["/title", "/site_id", "/priority", "/assignee", "/assignee_id", "/description"];
    let place = |field: &FieldError| order.iter().position(|pointer| *pointer == field.pointer);
    let mut sorted = fields.to_vec();
    sorted.sort_by_key(|field| place(field).unwrap_or(order.len()));
    sorted
}
