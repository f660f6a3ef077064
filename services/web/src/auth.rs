//! Questions to auth, asked for the person whose request it is.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{FromRequest, HttpRequest};
use reqwest::{RequestBuilder, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use service::{ClientAddress, Problem};

use crate::state::Shared;

mod outcome;

pub(crate) use outcome::{Done, Outcome, Refused};

/// What of a request auth is told beside the question: who asks, with which browser, and what it carries of a sign-in
/// under way.
const PASSED_ON: [&str; 4] = [api::headers::IDENTITY, api::headers::STEP, api::headers::DEVICE, "user-agent"];

/// Auth, as a handler asks it; 401 `internal-only` for what did not come through the gateway.
pub(crate) struct Auth {
    state: Shared,
    request: HttpRequest,
    address: ClientAddress,
}

impl FromRequest for Auth {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let address = ClientAddress::from_request(request, payload).into_inner();
        ready(address.and_then(|address| {
            let state = request.app_data::<Shared>().cloned();
            let state =
                state.ok_or_else(|| Problem::internal().because("the state of web is not registered"))?;
            Ok(Self { state, request: request.clone(), address })
        }))
    }
}

impl Auth {
    /// Reads something that nothing but its absence can refuse.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Problem> {
        match self.read(path).await? {
            Ok(done) => done.json(),
            Err(refused) => Err(refused.into()),
        }
    }

    /// Reads something.
    pub(crate) async fn read(&self, path: &str) -> Result<Outcome, Problem> {
        self.send(self.call(&Method::GET, path)?).await
    }

    /// Has something done that its address says all about.
    pub(crate) async fn order(&self, method: &Method, path: &str) -> Result<Outcome, Problem> {
        self.send(self.call(method, path)?).await
    }

    /// Has something done.
    pub(crate) async fn ask(
        &self,
        method: &Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Outcome, Problem> {
        self.send(self.call(method, path)?.json(body)).await
    }

    fn call(&self, method: &Method, path: &str) -> Result<RequestBuilder, Problem> {
        let method = reqwest::Method::from_bytes(method.as_str().as_bytes()).map_err(unfit)?;
        let address = self.state.auth.join(path).map_err(unfit)?;
        let call = self
            .state
            .http
            .request(method, address)
            .header(api::headers::CLIENT_ADDRESS, self.address.0.to_string())
            .header(api::headers::INTERNAL_KEY, self.state.internal_key.expose());
        let headers = self.request.headers();
        Ok(PASSED_ON.iter().fold(call, |call, name| match headers.get(*name) {
            Some(value) => call.header(*name, value.as_bytes()),
            None => call,
        }))
    }

    async fn send(&self, call: RequestBuilder) -> Result<Outcome, Problem> {
        let response = service::propagate(call, &self.request).send().await.map_err(|error| {
            let problem =
                if error.is_connect() { Problem::upstream_unavailable() } else { Problem::upstream_failed() };
            problem.because(error)
        })?;
        read(response).await
    }
}

/// What cannot be put into a question though it was checked: a mistake of ours.
fn unfit(error: impl std::fmt::Display) -> Problem {
    Problem::internal().because(error)
}

async fn read(response: Response) -> Result<Outcome, Problem> {
    let broken = |error: &dyn std::fmt::Display| Problem::upstream_failed().because(error);
    let status = StatusCode::from_u16(response.status().as_u16()).map_err(|error| broken(&error))?;
    let values = |name: &str| -> Vec<HeaderValue> {
        let all = response.headers().get_all(name).iter();
        all.filter_map(|value| HeaderValue::from_bytes(value.as_bytes()).ok()).collect()
    };
    let cookies = values(header::SET_COOKIE.as_str());
    let retry_after = values(header::RETRY_AFTER.as_str()).into_iter().next();
    if status.is_success() {
        let body = response.bytes().await.map_err(|error| broken(&error))?.to_vec();
        return Ok(Ok(Done { status, cookies, body }));
    }
    let problem: api::Problem = response.json().await.map_err(|error| broken(&error))?;
    Ok(Err(Refused { status, problem, retry_after }))
}
