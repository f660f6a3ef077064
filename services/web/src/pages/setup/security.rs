//! `/setup/security` and `/operate/security`: what happened at the door, or was tried.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use api::security::SecurityQuery;
use domain::Capability;
use domain::security::SecurityEventKind;
use service::Problem;
use service::extract::Query;

use crate::contract::security::{Whose, events};
use crate::frame::{Frame, Htmx};
use crate::pages::operate::pager;
use crate::state::{Shared, State};
use crate::view::setup::SecurityPage;
use crate::view::{Mistakes, choice};
use crate::{answer, security_words};

/// Shows the events of the reader's client; htmx gets the region only.
pub(crate) async fn ours(
    frame: Frame,
    htmx: Htmx,
    query: Query<SecurityQuery>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    show(Whose::Ours, frame, &htmx, &query, &state).await
}

/// Shows the events of nobody in particular; htmx gets the region only.
pub(crate) async fn of_nobody(
    frame: Frame,
    htmx: Htmx,
    query: Query<SecurityQuery>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    show(Whose::OfNobody, frame, &htmx, &query, &state).await
}

async fn show(
    whose: Whose,
    frame: Frame,
    htmx: &Htmx,
    query: &SecurityQuery,
    state: &State,
) -> Result<HttpResponse, Problem> {
    let path = match whose {
        Whose::Ours => SecurityPage::OURS,
        Whose::OfNobody => SecurityPage::OF_NOBODY,
    };
    let (status, (rows, next), mistakes) = match events(state, &frame.actor, whose, query).await {
        Ok(page) => (StatusCode::OK, page, Mistakes::default()),
        Err(problem) if problem.status() == StatusCode::UNPROCESSABLE_ENTITY => {
            (problem.status(), (Vec::new(), None), Mistakes::of_fields(problem.errors()))
        }
        Err(problem) => return Err(problem),
    };
    let kind = query.kind.clone().unwrap_or_default();
    let kinds = SecurityEventKind::ALL.iter().map(|one| (one.to_string(), security_words::event(*one).label));
    let here = |before: Option<String>| at(path, &SecurityQuery { before, ..query.clone() });
    let page = SecurityPage {
        path,
        tabs: frame.actor.may(Capability::Security) && frame.actor.may(Capability::Operate),
        kinds: choice("kind", "What", "Everything", kinds, &kind),
        rows,
        pager: pager(next.map(|next| here(Some(next))), query.before.as_ref().map(|_| here(None)), htmx),
        mistakes,
        shell: frame.shell,
    };
    if htmx.region {
        return Ok(answer::at_address(answer::page(status, &page.as_list())?, &here(query.before.clone())));
    }
    answer::page(status, &page)
}

fn at(path: &str, query: &SecurityQuery) -> String {
    let kind = query.kind.clone().filter(|kind| !kind.is_empty());
    let text = serde_urlencoded::to_string(SecurityQuery { kind, ..query.clone() });
    let text = text.expect("a query holds texts only");
    if text.is_empty() { path.to_owned() } else { format!("{path}?{text}") }
}
