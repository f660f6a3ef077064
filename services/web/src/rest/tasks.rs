//! `/api/v1/operate/tasks`: the task queue of the whole installation, for operators.

use actix_web::HttpResponse;
use api::Page;
use api::task::{Task, TaskDeadLetter, TaskOverview, TaskQuery, TaskRow};
use domain::TaskId;
use service::extract::{Path, Query};
use service::{Caller, Problem};

use super::answer;
use crate::pages::operate::{dead_letters, list, task};
use crate::state::Shared;
use crate::view::operate::Shown;
use crate::{contract, task_filter};

/// Shows every queue and every worker.
#[utoipa::path(
    get, path = "/api/v1/operate/tasks/queues", tag = "tasks",
    responses(
        (status = 200, description = "Queues and workers", body = TaskOverview),
        (status = "default", description = "A problem", body = api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn queues(caller: Caller, state: Shared) -> Result<HttpResponse, Problem> {
    let overview = app::queue::overview(&state.store, &caller.actor).await?;
    Ok(answer(contract::task::overview(overview)))
}

/// Stops a queue: what runs goes on, nothing is started.
#[utoipa::path(
    post, path = "/api/v1/operate/tasks/queues/{queue}/pause", tag = "tasks",
    params(("queue" = String, Path, description = "The queue's name")),
    responses(
        (status = 204, description = "The queue is paused"),
        (status = "default", description = "A problem", body = api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn pause(
    caller: Caller,
    queue: Path<String>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    app::queue::pause_queue(&state.store, &caller.actor, &queue).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Lets a paused queue go on.
#[utoipa::path(
    post, path = "/api/v1/operate/tasks/queues/{queue}/resume", tag = "tasks",
    params(("queue" = String, Path, description = "The queue's name")),
    responses(
        (status = 204, description = "The queue goes on"),
        (status = "default", description = "A problem", body = api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn resume(
    caller: Caller,
    queue: Path<String>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    app::queue::resume_queue(&state.store, &caller.actor, &queue).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Lists live tasks, the latest enqueued first, delayed ones by when they are due; pass `next` as `after` for the
/// following page.
#[utoipa::path(
    get, path = "/api/v1/operate/tasks", tag = "tasks", params(TaskQuery),
    responses(
        (status = 200, description = "A page of live tasks", body = Page<TaskRow>),
        (status = "default", description = "A problem", body = api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn live(
    caller: Caller,
    query: Query<TaskQuery>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    let (narrowing, place) = task_filter::parse(Shown::Live, &query)?;
    let (items, next) = list::live_rows(&state, &caller.actor, &narrowing, place).await?;
    Ok(answer(Page { items, next }))
}

/// Reads a task with everything that is known of it.
#[utoipa::path(
    get, path = "/api/v1/operate/tasks/{id}", tag = "tasks",
    params(("id" = String, Path, description = "The task's id")),
    responses(
        (status = 200, description = "The task", body = Task),
        (status = "default", description = "A problem", body = api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(caller: Caller, id: Path<TaskId>, state: Shared) -> Result<HttpResponse, Problem> {
    Ok(answer(task::read(&state, &caller.actor, *id).await?))
}

/// Cancels a live task: at once when it does not run, through its worker when it does.
#[utoipa::path(
    post, path = "/api/v1/operate/tasks/{id}/cancel", tag = "tasks",
    params(("id" = String, Path, description = "The task's id")),
    responses(
        (status = 200, description = "The task as it stands", body = Task),
        (status = "default", description = "A problem", body = api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn cancel(caller: Caller, id: Path<TaskId>, state: Shared) -> Result<HttpResponse, Problem> {
    app::queue::cancel_task(&state.store, &caller.actor, *id).await?;
    Ok(answer(task::read(&state, &caller.actor, *id).await?))
}

/// Makes a delayed task ready before its time.
#[utoipa::path(
    post, path = "/api/v1/operate/tasks/{id}/retry", tag = "tasks",
    params(("id" = String, Path, description = "The task's id")),
    responses(
        (status = 200, description = "The task as it stands", body = Task),
        (status = "default", description = "A problem", body = api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn retry(caller: Caller, id: Path<TaskId>, state: Shared) -> Result<HttpResponse, Problem> {
    app::queue::run_task_now(&state.store, &caller.actor, *id).await?;
    Ok(answer(task::read(&state, &caller.actor, *id).await?))
}

/// Lists tasks that were given up, the latest first; narrowed by queue and kind only.
#[utoipa::path(
    get, path = "/api/v1/operate/tasks/dead-letters", tag = "tasks", params(TaskQuery),
    responses(
        (status = 200, description = "A page of dead letters", body = Page<TaskDeadLetter>),
        (status = "default", description = "A problem", body = api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn dead_letters(
    caller: Caller,
    query: Query<TaskQuery>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    let (items, next) = dead_letters::rows(&state, &caller.actor, &query).await?;
    Ok(answer(Page { items, next }))
}

/// Puts a task that was given up back into its queue, with all attempts ahead of it.
#[utoipa::path(
    post, path = "/api/v1/operate/tasks/dead-letters/{id}/retry", tag = "tasks",
    params(("id" = String, Path, description = "The task's id")),
    responses(
        (status = 200, description = "The task as it stands", body = Task),
        (status = "default", description = "A problem", body = api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn retry_dead_letter(
    caller: Caller,
    id: Path<TaskId>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    app::queue::retry_dead_letter(&state.store, &caller.actor, *id).await?;
    Ok(answer(task::read(&state, &caller.actor, *id).await?))
}

/// Drops a task that was given up; what happened to it stays in the history.
#[utoipa::path(
    post, path = "/api/v1/operate/tasks/dead-letters/{id}/discard", tag = "tasks",
    params(("id" = String, Path, description = "The task's id")),
    responses(
        (status = 204, description = "The dead letter is gone"),
        (status = "default", description = "A problem", body = api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn discard_dead_letter(
    caller: Caller,
    id: Path<TaskId>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    app::queue::discard_dead_letter(&state.store, &caller.actor, *id).await?;
    Ok(HttpResponse::NoContent().finish())
}
