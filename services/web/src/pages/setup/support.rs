//! `/support`: a look into another client, for a while and read-only.

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode};
use api::elevation::BeginElevation;
use domain::FieldError;
use service::Problem;
use service::extract::Form;

use crate::answer;
use crate::auth::Auth;
use crate::frame::{Frame, OwnFrame, step_up_path};
use crate::pages::account::{ButtonForm, settle};
use crate::state::Shared;
use crate::view::Mistakes;
use crate::view::setup::{SupportForm, SupportPage};

const PATH: &str = "/support";
const AT_AUTH: &str = "/api/v1/elevation";

fn page(frame: Frame, form: SupportForm) -> SupportPage {
    SupportPage { shell: frame.shell, form, refusal: None, mistakes: Mistakes::default() }
}

/// Asks whom to look at, why, and for how long.
pub(crate) async fn show(frame: Frame, state: Shared) -> Result<HttpResponse, Problem> {
    if let Some(first) = frame.step_up_for(&state, PATH) {
        return Ok(first);
    }
    answer::page(StatusCode::OK, &page(frame, SupportForm::default()))
}

/// Begins it, and shows the other client's start page.
pub(crate) async fn begin(
    frame: Frame,
    auth: Auth,
    form: Form<SupportForm>,
) -> Result<HttpResponse, Problem> {
    let form = form.into_inner();
    let Ok(minutes) = form.minutes.parse() else {
        let mistakes = Mistakes::of_fields(&[FieldError::new("/minutes", "choose one of these")]);
        return answer::page(
            StatusCode::UNPROCESSABLE_ENTITY,
            &SupportPage { mistakes, ..page(frame, form) },
        );
    };
    let (client_code, reason) = (form.client_code.trim().to_owned(), form.reason.trim().to_owned());
    match auth.ask(&Method::POST, AT_AUTH, &BeginElevation { client_code, reason, minutes }).await? {
        Ok(done) => Ok(done.see_other("/")),
        Err(refused) if refused.asks_for_step_up() => Ok(answer::see_other(&step_up_path(PATH))),
        Err(refused) if refused.is_about_the_form() => {
            let (mistakes, refusal) = refused.at(&["client_code", "reason", "minutes"]);
            let page = SupportPage { refusal, mistakes, ..page(frame, form) };
            Ok(refused.with(answer::page(refused.status, &page)?))
        }
        Err(refused) => Err(refused.into()),
    }
}

/// Ends it, and goes home.
pub(crate) async fn end(
    _frame: OwnFrame,
    auth: Auth,
    _form: Form<ButtonForm>,
) -> Result<HttpResponse, Problem> {
    settle(auth.order(&Method::DELETE, AT_AUTH).await?, "/", "/")
}
