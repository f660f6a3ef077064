//! `GET /tickets`: the list.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use api::ticket::TicketQuery;
use app::Error;
use app::ticket::Page;
use domain::{Fault, FaultKind};
use service::Problem;
use service::extract::Query;

use crate::frame::{Frame, Htmx};
use crate::state::{Shared, State};
use crate::view::{ListFilter, Mistakes, TicketList, TicketListPage};
use crate::{answer, contract, filter};

/// Shows a page of the list; htmx gets the region only. Filters that mean nothing are named in its place.
pub(crate) async fn show(
    frame: Frame,
    htmx: Htmx,
    query: Query<TicketQuery>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    let (status, list, mistakes) = match rows(&state, &frame, &query).await {
        Ok(page) => (StatusCode::OK, list(&query, page, &htmx), Mistakes::default()),
        Err(error) if error.kind() == FaultKind::Invalid => {
            let mistakes = Mistakes::of_fields(error.fields());
            (Problem::from(error).status(), TicketList::default(), mistakes)
        }
        Err(error) => return Err(error.into()),
    };
    if htmx.region {
        let filter = ListFilter::of(&query, Vec::new());
        let view = TicketListPage { shell: frame.shell, filter, list, mistakes };
        let region = answer::page(status, &view.as_list())?;
        return Ok(answer::at_address(region, &filter::address(&query, query.after.as_deref())));
    }
    let sites = app::site::list(&state.store, &frame.actor).await?;
    let filter = ListFilter::of(&query, sites.iter().map(contract::site).collect());
    answer::page(status, &TicketListPage { shell: frame.shell, filter, list, mistakes })
}

async fn rows(state: &State, frame: &Frame, query: &TicketQuery) -> Result<Page, Error> {
    app::ticket::list(&state.store, &frame.actor, &filter::parse(query)?).await
}

fn list(query: &TicketQuery, page: Page, htmx: &Htmx) -> TicketList {
    let next = filter::next(&page);
    TicketList {
        rows: page.rows.into_iter().map(contract::row).collect(),
        next: next.map(|after| filter::address(query, Some(&after))),
        first: query.after.as_ref().map(|_| filter::address(query, None)),
        filtered: filter::is_set(query),
        focus: htmx.region && htmx.source.starts_with("a#"),
    }
}
