//! `/operate/tasks/{id}`: one task: shown, cancelled, begun before its time.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use api::task::Task;
use app::Error;
use domain::{Actor, Fault, FaultKind, TaskId};
use service::Problem;
use service::extract::{Form, Path};

use super::ButtonForm;
use crate::frame::{Frame, Htmx};
use crate::state::{Shared, State};
use crate::view::operate::{ConfirmPage, Question, TaskPage};
use crate::{answer, contract};

/// The address of a task.
pub(super) fn path(id: TaskId) -> String {
    format!("/operate/tasks/{id}")
}

/// Shows a task; htmx gets the region only.
pub(crate) async fn show(
    frame: Frame,
    htmx: Htmx,
    id: Path<TaskId>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    let task = read(&state, &frame.actor, *id).await?;
    let page = TaskPage::plain(frame.shell, task, state.clock.now());
    if htmx.region {
        answer::page(StatusCode::OK, &page.as_task())
    } else {
        answer::page(StatusCode::OK, &page)
    }
}

/// Asks before a task is cancelled, because nothing leads back.
pub(crate) async fn ask_cancel(
    frame: Frame,
    id: Path<TaskId>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    ask(&state, frame, *id, Question::Cancel).await
}

/// Cancels a task, and shows it.
pub(crate) async fn cancel(
    frame: Frame,
    id: Path<TaskId>,
    _form: Form<ButtonForm>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    match app::queue::cancel_task(&state.store, &frame.actor, *id).await {
        Ok(()) => Ok(answer::see_other(&path(*id))),
        Err(error) => refuse(&state, frame, *id, error).await,
    }
}

/// Makes a delayed task ready, and shows it.
pub(crate) async fn retry(
    frame: Frame,
    id: Path<TaskId>,
    _form: Form<ButtonForm>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    match app::queue::run_task_now(&state.store, &frame.actor, *id).await {
        Ok(()) => Ok(answer::see_other(&path(*id))),
        Err(error) => refuse(&state, frame, *id, error).await,
    }
}

/// Reads a task with everything that is known of it.
pub(crate) async fn read(state: &State, actor: &Actor, id: TaskId) -> Result<Task, Error> {
    let known = app::queue::task(&state.store, actor, id).await?;
    contract::task::task(known).ok_or(Error::TaskNotFound(id))
}

/// Shows a question about a task, or the task as it stands when the question is idle.
pub(super) async fn ask(
    state: &State,
    frame: Frame,
    id: TaskId,
    question: Question,
) -> Result<HttpResponse, Problem> {
    let task = read(state, &frame.actor, id).await?;
    let page = TaskPage::plain(frame.shell, task, state.clock.now());
    if page.answers(question) {
        let TaskPage { shell, task, .. } = page;
        answer::page(StatusCode::OK, &ConfirmPage { shell, task, question })
    } else {
        explain(Error::TaskMoved(id), page)
    }
}

/// Shows a task as it stands, and why nothing was done to it.
pub(super) async fn refuse(
    state: &State,
    frame: Frame,
    id: TaskId,
    error: Error,
) -> Result<HttpResponse, Problem> {
    if error.kind() != FaultKind::Conflict {
        return Err(error.into());
    }
    let task = read(state, &frame.actor, id).await?;
    explain(error, TaskPage::plain(frame.shell, task, state.clock.now()))
}

fn explain(error: Error, page: TaskPage) -> Result<HttpResponse, Problem> {
    let notice = Some(error.public().into_owned());
    answer::page(Problem::from(error).status(), &TaskPage { notice, ..page })
}
