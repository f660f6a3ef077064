//! `/operate/tasks/schedules`: listed, stopped, let go on, run once.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use app::Error;
use domain::{Fault, FaultKind};
use serde::Deserialize;
use service::Problem;
use service::extract::Form;

use crate::frame::{Frame, Htmx};
use crate::state::{Shared, State};
use crate::view::operate::SchedulesPage;
use crate::{answer, contract};

const PATH: &str = "/operate/tasks/schedules";

/// The fields of a schedule's buttons.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScheduleForm {
    name: String,
    #[serde(default, rename = "csrf_token")]
    _csrf_token: String,
}

/// What the reader is told above the list.
#[derive(Default)]
struct Said {
    done: Option<String>,
    refused: Option<String>,
}

/// Shows the schedules.
pub(crate) async fn show(frame: Frame, htmx: Htmx, state: Shared) -> Result<HttpResponse, Problem> {
    answer(&state, frame, &htmx, StatusCode::OK, Said::default()).await
}

/// Stops a schedule.
pub(crate) async fn pause(
    frame: Frame,
    htmx: Htmx,
    form: Form<ScheduleForm>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    app::queue::pause_schedule(&state.store, &frame.actor, &form.name).await?;
    done(&state, frame, &htmx, format!("Schedule {} is paused.", form.name)).await
}

/// Lets a schedule go on.
pub(crate) async fn resume(
    frame: Frame,
    htmx: Htmx,
    form: Form<ScheduleForm>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    app::queue::resume_schedule(&state.store, &frame.actor, &form.name).await?;
    done(&state, frame, &htmx, format!("Schedule {} goes on.", form.name)).await
}

/// Enqueues what a schedule enqueues; while an earlier one lives, says so.
pub(crate) async fn run(
    frame: Frame,
    htmx: Htmx,
    form: Form<ScheduleForm>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    match app::queue::tick_schedule(&state.store, &frame.actor, &form.name).await {
        Ok(_id) => done(&state, frame, &htmx, format!("Schedule {} runs once.", form.name)).await,
        Err(error) if error.kind() == FaultKind::Conflict => refuse(&state, frame, &htmx, error).await,
        Err(error) => Err(error.into()),
    }
}

async fn done(state: &State, frame: Frame, htmx: &Htmx, done: String) -> Result<HttpResponse, Problem> {
    if !htmx.region {
        return Ok(answer::see_other(PATH));
    }
    answer(state, frame, htmx, StatusCode::OK, Said { done: Some(done), refused: None }).await
}

async fn refuse(state: &State, frame: Frame, htmx: &Htmx, error: Error) -> Result<HttpResponse, Problem> {
    let refused = Some(error.public().into_owned());
    let status = Problem::from(error).status();
    answer(state, frame, htmx, status, Said { done: None, refused }).await
}

async fn answer(
    state: &State,
    frame: Frame,
    htmx: &Htmx,
    status: StatusCode,
    Said { done, refused }: Said,
) -> Result<HttpResponse, Problem> {
    let schedules = app::queue::schedules(&state.store, &frame.actor).await?;
    let rows = schedules.into_iter().map(contract::task::schedule).collect();
    let page = SchedulesPage { shell: frame.shell, rows, now: state.clock.now(), done, refused };
    if htmx.region { answer::page(status, &page.as_list()) } else { answer::page(status, &page) }
}
