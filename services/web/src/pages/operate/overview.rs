//! `GET /operate/tasks`: queues and workers; and the buttons that stop a queue or let it go on.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use service::Problem;
use service::extract::{Form, Path};

use super::ButtonForm;
use crate::frame::{Frame, Htmx};
use crate::state::{Shared, State};
use crate::view::operate::OverviewPage;
use crate::{answer, contract};

const PATH: &str = "/operate/tasks";

/// Shows the overview; htmx gets the region only.
pub(crate) async fn show(frame: Frame, htmx: Htmx, state: Shared) -> Result<HttpResponse, Problem> {
    answer(&state, frame, &htmx, None).await
}

/// Stops a queue.
pub(crate) async fn pause(
    frame: Frame,
    htmx: Htmx,
    queue: Path<String>,
    _form: Form<ButtonForm>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    app::queue::pause_queue(&state.store, &frame.actor, &queue).await?;
    done(&state, frame, &htmx, format!("Queue {} is paused.", *queue)).await
}

/// Lets a queue go on.
pub(crate) async fn resume(
    frame: Frame,
    htmx: Htmx,
    queue: Path<String>,
    _form: Form<ButtonForm>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    app::queue::resume_queue(&state.store, &frame.actor, &queue).await?;
    done(&state, frame, &htmx, format!("Queue {} goes on.", *queue)).await
}

async fn done(state: &State, frame: Frame, htmx: &Htmx, done: String) -> Result<HttpResponse, Problem> {
    if htmx.region { answer(state, frame, htmx, Some(done)).await } else { Ok(answer::see_other(PATH)) }
}

async fn answer(
    state: &State,
    frame: Frame,
    htmx: &Htmx,
    done: Option<String>,
) -> Result<HttpResponse, Problem> {
    let overview = contract::task::overview(app::queue::overview(&state.store, &frame.actor).await?);
    let page = OverviewPage { shell: frame.shell, overview, now: state.clock.now(), done };
    if htmx.region {
        answer::page(StatusCode::OK, &page.as_overview())
    } else {
        answer::page(StatusCode::OK, &page)
    }
}
