//! `/forgot` and `/reset`: from a forgotten password to a new one; `/verify`: a proven address. Opening a mailed link
//! changes nothing, so that programs that look into mail use none of them up.

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode};
use api::account::{AskRecovery, UseRecovery, VerifyEmail};
use serde::Deserialize;
use service::extract::{Form, Path, Query};
use service::{Caller, Problem};

use super::login::{UNAVAILABLE, unavailable};
use crate::answer;
use crate::auth::Auth;
use crate::frame::PublicFrame;
use crate::view::{ForgotPage, Mistakes, ResetPage, VerifyPage};

/// The query of `/forgot`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ForgotQuery {
    sent: Option<String>,
}

/// The fields of `/forgot`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ForgotForm {
    login: String,
    #[serde(default, rename = "csrf_token")]
    _csrf_token: String,
}

/// Asks for the login name, or says where to look.
pub(crate) async fn forgot(frame: PublicFrame, query: Query<ForgotQuery>) -> Result<HttpResponse, Problem> {
    let page =
        ForgotPage { shell: frame.shell, sent: query.sent.is_some(), login: String::new(), refusal: None };
    answer::page(StatusCode::OK, &page)
}

/// Has a link sent. Whether there is such a login name is told to nobody.
pub(crate) async fn send_link(
    frame: PublicFrame,
    auth: Auth,
    form: Form<ForgotForm>,
) -> Result<HttpResponse, Problem> {
    let login = form.into_inner().login;
    let page = |refusal: String| ForgotPage {
        shell: frame.shell.clone(),
        sent: false,
        login: login.clone(),
        refusal: Some(refusal),
    };
    match auth.ask(&Method::POST, "/api/v1/recovery", &AskRecovery { login: login.clone() }).await {
        Ok(Ok(_done)) => Ok(answer::see_other("/forgot?sent=yes")),
        Ok(Err(refused)) => Ok(refused.with(answer::page(refused.status, &page(refused.words()))?)),
        Err(problem) => unavailable(&problem, &page(UNAVAILABLE.to_owned())),
    }
}

/// The fields of `/reset`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResetForm {
    token: String,
    password: String,
    #[serde(default, rename = "csrf_token")]
    _csrf_token: String,
}

fn reset_page(frame: PublicFrame, token: String) -> ResetPage {
    ResetPage { shell: frame.shell, token, is_dead: false, refusal: None, mistakes: Mistakes::default() }
}

/// Asks for the new password.
pub(crate) async fn reset(frame: PublicFrame, token: Path<String>) -> Result<HttpResponse, Problem> {
    answer::page(StatusCode::OK, &reset_page(frame, token.into_inner()))
}

/// Keeps the new password, or says why not.
pub(crate) async fn choose_password(
    frame: PublicFrame,
    auth: Auth,
    form: Form<ResetForm>,
) -> Result<HttpResponse, Problem> {
    let ResetForm { token, password, .. } = form.into_inner();
    let page = reset_page(frame, token.clone());
    match auth.ask(&Method::POST, "/api/v1/recovery/token", &UseRecovery { token, password }).await {
        Ok(Ok(done)) => Ok(done.see_other("/login?said=password")),
        Ok(Err(refused)) => {
            let is_dead = refused.status == StatusCode::FORBIDDEN;
            let (mistakes, refusal) = refused.at(&["password"]);
            let page = ResetPage { is_dead, refusal, mistakes, ..page };
            Ok(refused.with(answer::page(refused.status, &page)?))
        }
        Err(problem) => unavailable(&problem, &ResetPage { refusal: Some(UNAVAILABLE.to_owned()), ..page }),
    }
}

/// The field of `/verify`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerifyForm {
    token: String,
    #[serde(default, rename = "csrf_token")]
    _csrf_token: String,
}

/// Asks for the one press that proves the address.
pub(crate) async fn verify(frame: PublicFrame, token: Path<String>) -> Result<HttpResponse, Problem> {
    let page = VerifyPage { shell: frame.shell, token: token.into_inner(), is_dead: false };
    answer::page(StatusCode::OK, &page)
}

/// Has the address marked as proven.
pub(crate) async fn prove_address(
    frame: PublicFrame,
    caller: Option<Caller>,
    auth: Auth,
    form: Form<VerifyForm>,
) -> Result<HttpResponse, Problem> {
    let token = form.into_inner().token;
    match auth.ask(&Method::POST, "/api/v1/email-verification", &VerifyEmail { token }).await? {
        Ok(done) if caller.is_some() => Ok(done.see_other("/account?said=verified")),
        Ok(done) => Ok(done.see_other("/login?said=verified")),
        Err(refused) if refused.status == StatusCode::FORBIDDEN => {
            let page = VerifyPage { shell: frame.shell, token: String::new(), is_dead: true };
            answer::page(refused.status, &page)
        }
        Err(refused) => Err(refused.into()),
    }
}
