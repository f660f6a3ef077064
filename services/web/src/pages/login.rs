//! `GET` and `POST /login`: the sign-in page.

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use api::session::SignIn;
use serde::Deserialize;
use service::extract::{Form, Query};
use service::{ClientAddress, Problem};

use crate::answer;
use crate::auth::{self, Answer};
use crate::frame::{self, Htmx, PublicFrame};
use crate::state::Shared;
use crate::view::LoginPage;

/// Where to go without a wish.
const START: &str = "/";

/// The query of the page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginQuery {
    /// Where to go afterwards.
    #[serde(default)]
    next: String,
}

/// The fields of the form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginForm {
    login: String,
    password: String,
    #[serde(default)]
    next: String,
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
        let back = htmx.page.as_deref().unwrap_or(START);
        let query = serde_urlencoded::to_string([("next", back)]).expect("a pair of texts can be encoded");
        return Ok(answer::go_to(&htmx, &format!("/login?{query}")));
    }
    let next = local_or_start(&query.next);
    answer::page(StatusCode::OK, &LoginPage { shell: frame.shell, next, login: String::new(), refusal: None })
}

/// Signs somebody in at auth, or shows the form with the reason.
pub(crate) async fn submit(
    frame: PublicFrame,
    address: ClientAddress,
    request: HttpRequest,
    form: Form<LoginForm>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    let LoginForm { login, password, next, .. } = form.into_inner();
    let next = local_or_start(&next);
    let sign_in = SignIn { login, password };
    match auth::sign_in(&state, &request, address, &sign_in).await {
        Ok(answer) if answer.refusal.is_none() => Ok(welcome(&answer, &next)),
        Ok(answer) => refuse(frame, sign_in.login, next, answer),
        Err(problem) => refuse(frame, sign_in.login, next, unavailable(&problem)),
    }
}

/// Says that auth cannot be asked, whatever is wrong with it.
fn unavailable(problem: &Problem) -> Answer {
    tracing::warn!(error.code = problem.code(), "auth did not answer");
    Answer {
        status: Problem::upstream_unavailable().status(),
        cookies: Vec::new(),
        retry_after: Some(header::HeaderValue::from_static("2")),
        refusal: Some("Sign-in is not available at this moment. Try again shortly.".to_owned()),
    }
}

fn local_or_start(next: &str) -> String {
    if frame::is_local(next) { next.to_owned() } else { START.to_owned() }
}

fn welcome(answer: &Answer, next: &str) -> HttpResponse {
    let mut response = answer::see_other(next);
    for cookie in &answer.cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie.clone());
    }
    response
}

fn refuse(frame: PublicFrame, login: String, next: String, answer: Answer) -> Result<HttpResponse, Problem> {
    let page = LoginPage { shell: frame.shell, next, login, refusal: answer.refusal };
    let mut response = answer::page(answer.status, &page)?;
    if let Some(seconds) = answer.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    Ok(response)
}
