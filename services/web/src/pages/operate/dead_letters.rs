//! `/operate/tasks/dead-letters`: tasks that were given up: listed, retried, discarded.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use api::task::{TaskDeadLetter, TaskQuery};
use app::Error;
use domain::{Actor, Fault, FaultKind, TaskId};
use service::Problem;
use service::extract::{Form, Path, Query};

use super::list::place;
use super::{ButtonForm, task};
use crate::frame::{Frame, Htmx};
use crate::state::{Shared, State};
use crate::view::Mistakes;
use crate::view::operate::{DeadLettersPage, Question, Shown, TaskFilter};
use crate::{answer, contract, task_filter};

/// Shows a page of the list; htmx gets the region only. Filters that mean nothing are named in its place.
pub(crate) async fn show(
    frame: Frame,
    htmx: Htmx,
    query: Query<TaskQuery>,
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
    let choices = app::queue::choices(&state.store, &frame.actor).await?;
    let page = DeadLettersPage {
        shell: frame.shell,
        filter: TaskFilter::of(Shown::DeadLetters, &query, choices),
        rows,
        pager: place(Shown::DeadLetters, &query, next, &htmx),
        mistakes,
        now: state.clock.now(),
    };
    if htmx.region {
        let here = task_filter::address(Shown::DeadLetters.path(), &query, query.after.as_deref());
        return Ok(answer::at_address(answer::page(status, &page.as_list())?, &here));
    }
    answer::page(status, &page)
}

/// Dead letters of a page, and the cursor of the next; for page and API.
pub(crate) async fn rows(
    state: &State,
    actor: &Actor,
    query: &TaskQuery,
) -> Result<(Vec<TaskDeadLetter>, Option<String>), Error> {
    let (narrowing, place) = task_filter::parse(Shown::DeadLetters, query)?;
    let listed = app::queue::dead_letters(&state.store, actor, &narrowing, place).await?;
    let next = task_filter::next(&listed.page);
    let rows =
        listed.page.rows.into_iter().map(|letter| contract::task::dead_letter(letter, &listed.tenants));
    Ok((rows.collect(), next))
}

/// Puts a dead letter back into its queue, and shows the task.
pub(crate) async fn retry(
    frame: Frame,
    id: Path<TaskId>,
    _form: Form<ButtonForm>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    match app::queue::retry_dead_letter(&state.store, &frame.actor, *id).await {
        Ok(()) => Ok(answer::see_other(&task::path(*id))),
        Err(error) => task::refuse(&state, frame, *id, error).await,
    }
}

/// Asks before a dead letter is discarded, because nothing leads back.
pub(crate) async fn ask(frame: Frame, id: Path<TaskId>, state: Shared) -> Result<HttpResponse, Problem> {
    task::ask(&state, frame, *id, Question::Discard).await
}

/// Discards a dead letter, and shows those that are left.
pub(crate) async fn discard(
    frame: Frame,
    id: Path<TaskId>,
    _form: Form<ButtonForm>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    match app::queue::discard_dead_letter(&state.store, &frame.actor, *id).await {
        Ok(()) => Ok(answer::see_other(Shown::DeadLetters.path())),
        Err(error) => task::refuse(&state, frame, *id, error).await,
    }
}
