//! `GET /operate/tasks/live` and `…/history`: tasks that live, and tasks that ended.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use api::task::{TaskQuery, TaskRow};
use app::Error;
use domain::{Fault, FaultKind};
use service::Problem;
use service::extract::Query;

use super::pager;
use crate::frame::{Frame, Htmx};
use crate::state::{Shared, State};
use crate::view::Mistakes;
use crate::view::operate::{Pager, Shown, TaskFilter, TaskListPage};
use crate::{answer, contract, task_filter};

/// Shows live tasks.
pub(crate) async fn live(
    frame: Frame,
    htmx: Htmx,
    query: Query<TaskQuery>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    show(Shown::Live, frame, &htmx, &query, &state).await
}

/// Shows finished tasks.
pub(crate) async fn history(
    frame: Frame,
    htmx: Htmx,
    query: Query<TaskQuery>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    show(Shown::History, frame, &htmx, &query, &state).await
}

/// Shows a page of a list; htmx gets the region only. Filters that mean nothing are named in its place.
async fn show(
    shown: Shown,
    frame: Frame,
    htmx: &Htmx,
    query: &TaskQuery,
    state: &State,
) -> Result<HttpResponse, Problem> {
    let (status, rows, next, mistakes) = match rows(shown, &frame, query, state).await {
        Ok((rows, next)) => (StatusCode::OK, rows, next, Mistakes::default()),
        Err(error) if error.kind() == FaultKind::Invalid => {
            let mistakes = Mistakes::of_fields(error.fields());
            (Problem::from(error).status(), Vec::new(), None, mistakes)
        }
        Err(error) => return Err(error.into()),
    };
    let choices = app::queue::choices(&state.store, &frame.actor).await?;
    let page = TaskListPage {
        shell: frame.shell,
        shown,
        filter: TaskFilter::of(shown, query, choices),
        rows,
        pager: place(shown, query, next, htmx),
        mistakes,
        now: state.clock.now(),
    };
    if htmx.region {
        let here = task_filter::address(shown.path(), query, query.after.as_deref());
        return Ok(answer::at_address(answer::page(status, &page.as_list())?, &here));
    }
    answer::page(status, &page)
}

/// Where a list of tasks goes on, with the filters it has.
pub(super) fn place(shown: Shown, query: &TaskQuery, next: Option<String>, htmx: &Htmx) -> Pager {
    let to = |after: Option<&str>| task_filter::address(shown.path(), query, after);
    pager(next.map(|after| to(Some(&after))), query.after.as_ref().map(|_| to(None)), htmx)
}

/// The rows of a page, and the cursor of the next.
async fn rows(
    shown: Shown,
    frame: &Frame,
    query: &TaskQuery,
    state: &State,
) -> Result<(Vec<TaskRow>, Option<String>), Error> {
    let (narrowing, place) = task_filter::parse(shown, query)?;
    if shown == Shown::Live {
        live_rows(state, &frame.actor, &narrowing, place).await
    } else {
        let listed = app::queue::finished_tasks(&state.store, &frame.actor, &narrowing, place).await?;
        let next = task_filter::next(&listed.page);
        let rows = listed.page.rows.into_iter().map(|task| contract::task::finished(task, &listed.tenants));
        Ok((rows.collect(), next))
    }
}

/// Live tasks of a page, and the cursor of the next; for page and API.
pub(crate) async fn live_rows(
    state: &State,
    actor: &domain::Actor,
    narrowing: &app::queue::Narrowing,
    place: app::queue::Place,
) -> Result<(Vec<TaskRow>, Option<String>), Error> {
    let listed = app::queue::live_tasks(&state.store, actor, narrowing, place).await?;
    let next = task_filter::next(&listed.page);
    let rows = listed.page.rows.into_iter().map(|task| contract::task::live(task, &listed.tenants));
    Ok((rows.collect(), next))
}
