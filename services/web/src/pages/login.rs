//! `GET` and `POST /login`: the sign-in page.

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode};
use api::session::{FactorOwed, SignIn};
use serde::Deserialize;
use service::Problem;
use service::extract::{Form, Query};

use crate::answer;
use crate::auth::{Auth, Done};
use crate::frame::{self, Htmx, PublicFrame, local_or_start};
use crate::view::{LoginPage, factor_path};

/// Where auth makes and ends sessions.
pub(super) const SESSION: &str = "/api/v1/session";

/// What a reader is told while auth cannot be asked.
pub(super) const UNAVAILABLE: &str = "Sign-in is not available at this moment. Try again shortly.";

/// The query of the page.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LoginQuery {
    /// Where to go afterwards.
    next: String,
    /// What was done before.
    said: String,
}

/// The fields of the form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginForm {
    login: String,
    password: String,
    #[serde(default)]
    next: String,
    #[serde(default)]
    remember: Option<String>,
    #[serde(default, rename = "csrf_token")]
    _csrf_token: String,
}

/// Shows the form. A region that asks because its session ended loads the page whole.
pub(crate) async fn show(
    frame: PublicFrame,
    htmx: Htmx,
    query: Query<LoginQuery>,
) -> Result<HttpResponse, Problem> {
    if htmx.region {
        let back = htmx.page.as_deref().unwrap_or("/");
        return Ok(answer::go_to(&htmx, &format!("/login?{}", frame::pair("next", back))));
    }
    let page = LoginPage {
        shell: frame.shell,
        next: local_or_start(&query.next),
        login: String::new(),
        remember: false,
        refusal: None,
        said: said(&query.said),
    };
    answer::page(StatusCode::OK, &page)
}

/// The words for what led to the page.
fn said(word: &str) -> Option<&'static str> {
    match word {
        "password" => Some("Your new password is kept. Sign in with it."),
        "verified" => Some("Your e-mail address is confirmed."),
        "late" => Some("That took too long. Begin again."),
        _ => None,
    }
}

/// Signs somebody in at auth, leads to the second step, or shows the form with the reason.
pub(crate) async fn submit(
    frame: PublicFrame,
    auth: Auth,
    form: Form<LoginForm>,
) -> Result<HttpResponse, Problem> {
    let LoginForm { login, password, next, remember, .. } = form.into_inner();
    let next = local_or_start(&next);
    let sign_in = SignIn { login, password, remember: remember.is_some() };
    let page = |refusal: String| LoginPage {
        shell: frame.shell.clone(),
        next: next.clone(),
        login: sign_in.login.clone(),
        remember: sign_in.remember,
        refusal: Some(refusal),
        said: None,
    };
    match auth.ask(&Method::POST, SESSION, &sign_in).await {
        Ok(Ok(done)) => welcome(done, &next),
        Ok(Err(refused)) => {
            let response = answer::page(refused.status, &page(refused.words()))?;
            Ok(refused.with(response))
        }
        Err(problem) => unavailable(&problem, &page(UNAVAILABLE.to_owned())),
    }
}

/// Goes on to where the reader wanted to, or to the page that asks for what is owed yet.
fn welcome(done: Done, next: &str) -> Result<HttpResponse, Problem> {
    if done.status != StatusCode::ACCEPTED {
        return Ok(done.see_other(next));
    }
    let owed: FactorOwed = done.json()?;
    Ok(done.see_other(&factor_path(&owed.factors, None, next)))
}

/// Shows a page that says that auth cannot be asked, whatever is wrong with it.
pub(super) fn unavailable(problem: &Problem, page: &impl askama::Template) -> Result<HttpResponse, Problem> {
    tracing::warn!(error.code = problem.code(), "auth did not answer");
    Ok(answer::try_again(answer::page(Problem::upstream_unavailable().status(), page)?))
}
