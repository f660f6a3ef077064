//! `GET /operate/tasks/audit`: who did what to the queue by hand.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use api::task::TaskAction;
use app::Error;
use domain::{Actor, Fault, FaultKind};
use serde::{Deserialize, Serialize};
use service::Problem;
use service::extract::Query;

use super::pager;
use crate::frame::{Frame, Htmx};
use crate::state::{Shared, State};
use crate::view::Mistakes;
use crate::view::operate::AuditPage;
use crate::{answer, contract, task_filter};

const PATH: &str = "/operate/tasks/audit";

/// The query of the list.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AuditQuery {
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u16>,
}

impl AuditQuery {
    fn at(&self, after: Option<&str>) -> String {
        let there = Self { after: after.map(str::to_owned), limit: self.limit };
        let text = serde_urlencoded::to_string(there).expect("a query holds texts and numbers only");
        if text.is_empty() { PATH.to_owned() } else { format!("{PATH}?{text}") }
    }
}

/// Shows a page of the list; htmx gets the region only.
pub(crate) async fn show(
    frame: Frame,
    htmx: Htmx,
    query: Query<AuditQuery>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    let (status, rows, next, mistakes) = match rows(&state, &frame.actor, &query).await {
        Ok((rows, next)) => (StatusCode::OK, rows, next, Mistakes::default()),
        Err(error) if error.kind() == FaultKind::Invalid => {
            let mistakes = Mistakes::of_fields(error.fields());
            (Problem::from(error).status(), Vec::new(), None, mistakes)
        }
        Err(error) => return Err(error.into()),
    };
    let first = query.after.as_ref().map(|_| query.at(None));
    let pager = pager(next.map(|after| query.at(Some(&after))), first, &htmx);
    let page = AuditPage { shell: frame.shell, rows, pager, mistakes };
    if htmx.region {
        let here = query.at(query.after.as_deref());
        return Ok(answer::at_address(answer::page(status, &page.as_list())?, &here));
    }
    answer::page(status, &page)
}

async fn rows(
    state: &State,
    actor: &Actor,
    query: &AuditQuery,
) -> Result<(Vec<TaskAction>, Option<String>), Error> {
    let place = task_filter::place(query.after.as_ref(), query.limit)?;
    let page = app::queue::actions(&state.store, actor, place).await?;
    let next = task_filter::next(&page);
    Ok((page.rows.into_iter().map(contract::task::action).collect(), next))
}
