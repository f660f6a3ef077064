//! Calls to auth: sign-in and sign-out.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use api::session::SignIn;
use reqwest::{RequestBuilder, Response};
use service::{ClientAddress, Problem};

use crate::state::State;

/// What auth said.
pub(crate) struct Answer {
    /// The status, which is also ours.
    pub(crate) status: StatusCode,
    /// Cookies for the browser.
    pub(crate) cookies: Vec<HeaderValue>,
    /// Seconds to wait, as auth said it.
    pub(crate) retry_after: Option<HeaderValue>,
    /// Why it refused, in words for the reader.
    pub(crate) refusal: Option<String>,
}

/// Asks auth to let somebody in; a session the request belongs to ends with that.
pub(crate) async fn sign_in(
    state: &State,
    request: &HttpRequest,
    address: ClientAddress,
    form: &SignIn,
) -> Result<Answer, Problem> {
    let call = state
        .http
        .post(state.sessions.clone())
        .header(api::headers::CLIENT_ADDRESS, address.0.to_string())
        .header(api::headers::INTERNAL_KEY, state.internal_key.expose())
        .json(form);
    send(forward(call, request, &[header::USER_AGENT.as_str(), api::headers::IDENTITY]), request).await
}

/// Asks auth to end the session the request belongs to.
pub(crate) async fn sign_out(state: &State, request: &HttpRequest) -> Result<Answer, Problem> {
    let call = state.http.delete(state.sessions.clone());
    send(forward(call, request, &[api::headers::IDENTITY]), request).await
}

fn forward(call: RequestBuilder, request: &HttpRequest, names: &[&str]) -> RequestBuilder {
    names.iter().fold(call, |call, name| match request.headers().get(*name) {
        Some(value) => call.header(*name, value.as_bytes()),
        None => call,
    })
}

async fn send(call: RequestBuilder, request: &HttpRequest) -> Result<Answer, Problem> {
    let response = service::propagate(call, request).send().await.map_err(|error| {
        let problem =
            if error.is_connect() { Problem::upstream_unavailable() } else { Problem::upstream_failed() };
        problem.because(error)
    })?;
    read(response).await
}

async fn read(response: Response) -> Result<Answer, Problem> {
    let status = StatusCode::from_u16(response.status().as_u16())
        .map_err(|error| Problem::upstream_failed().because(error))?;
    let values = |name: &str| -> Vec<HeaderValue> {
        let all = response.headers().get_all(name).iter();
        all.filter_map(|value| HeaderValue::from_bytes(value.as_bytes()).ok()).collect()
    };
    let cookies = values(header::SET_COOKIE.as_str());
    let retry_after = values(header::RETRY_AFTER.as_str()).into_iter().next();
    let refusal = if status.is_success() { None } else { Some(words(response).await?) };
    Ok(Answer { status, cookies, retry_after, refusal })
}

/// The words of a problem; those of its fields when it names fields.
async fn words(response: Response) -> Result<String, Problem> {
    let problem: api::Problem =
        response.json().await.map_err(|error| Problem::upstream_failed().because(error))?;
    if problem.errors.is_empty() {
        return Ok(problem.detail);
    }
    let details: Vec<&str> = problem.errors.iter().map(|error| error.detail.as_str()).collect();
    Ok(details.join(" "))
}
