//! `GET` and `POST /account/password`: from the old password to a new one.

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode};
use api::account::ChangePassword;
use domain::FieldError;
use serde::Deserialize;
use service::Problem;
use service::extract::Form;

use crate::answer;
use crate::auth::{Auth, Refused};
use crate::frame::{Frame, OwnFrame, step_up_path};
use crate::view::Mistakes;
use crate::view::account::PasswordPage;

/// The fields of the form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordForm {
    current: String,
    new: String,
    #[serde(default, rename = "csrf_token")]
    _csrf_token: String,
}

fn page(frame: Frame) -> PasswordPage {
    PasswordPage { shell: frame.shell, refusal: None, mistakes: Mistakes::default() }
}

/// Shows the form.
pub(crate) async fn show(OwnFrame(frame): OwnFrame) -> Result<HttpResponse, Problem> {
    answer::page(StatusCode::OK, &page(frame))
}

/// Changes the password at auth, or says why not. Nothing typed comes back: passwords are not sent to browsers.
pub(crate) async fn submit(
    OwnFrame(frame): OwnFrame,
    auth: Auth,
    form: Form<PasswordForm>,
) -> Result<HttpResponse, Problem> {
    let PasswordForm { current, new, .. } = form.into_inner();
    match auth.ask(&Method::PUT, "/api/v1/account/password", &ChangePassword { current, new }).await? {
        Ok(done) => Ok(done.see_other("/account?said=password")),
        Err(refused) if refused.asks_for_step_up() => {
            Ok(answer::see_other(&step_up_path("/account/password")))
        }
        Err(refused) if refused.is_about_the_form() => {
            let (mistakes, refusal) = told(&refused);
            let page = PasswordPage { refusal, mistakes, ..page(frame) };
            Ok(refused.with(answer::page(refused.status, &page)?))
        }
        Err(refused) => Err(refused.into()),
    }
}

/// What is wrong with which field; that the current password is wrong stands beside it.
fn told(refused: &Refused) -> (Mistakes, Option<String>) {
    if refused.status == StatusCode::FORBIDDEN {
        let wrong = FieldError::new("/current", "this is not your password");
        return (Mistakes::of_fields(&[wrong]), None);
    }
    refused.at(&["current", "new"])
}
