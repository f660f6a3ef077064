//! Every answer that is an error becomes a problem.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{Error, ResponseError};

use crate::Problem;
use crate::problem::Presentation;

/// What the answer was, for the log.
pub(super) struct Outcome {
    pub(super) status: StatusCode,
    pub(super) problem: Option<Problem>,
}

/// Replaces an error answer by its problem and names the correlation id on every answer.
pub(super) fn present<B: MessageBody + 'static>(
    response: ServiceResponse<B>,
    presentation: Presentation,
) -> (ServiceResponse<BoxBody>, Outcome) {
    let problem = problem_of(&response).map(|problem| problem.presented(presentation));
    let mut response = match &problem {
        Some(problem) => response.into_response(problem.error_response()),
        None => response.map_into_boxed_body(),
    };
    let id = presentation.correlation_id.to_string();
    if let Ok(value) = HeaderValue::try_from(id) {
        response.headers_mut().insert(HeaderName::from_static(api::headers::CORRELATION_ID), value);
    }
    if let Some(decorate) = presentation.decorate {
        let request = response.request().clone();
        decorate(Some(&request), response.headers_mut());
    }
    let outcome = Outcome { status: response.status(), problem };
    (response, outcome)
}

/// The problem behind an error of the framework.
pub(super) fn problem_from(error: &Error) -> Problem {
    if let Some(problem) = error.as_error::<Problem>() {
        return problem.clone();
    }
    let problem = match error.as_response_error().status_code() {
        StatusCode::NOT_FOUND => Problem::not_found(),
        StatusCode::METHOD_NOT_ALLOWED => Problem::method_not_allowed(),
        StatusCode::PAYLOAD_TOO_LARGE => Problem::body_too_large(),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Problem::unsupported_media_type(),
        status if status.is_client_error() => Problem::malformed_request(),
        _ => Problem::internal(),
    };
    problem.because(error)
}

fn problem_of<B: MessageBody>(response: &ServiceResponse<B>) -> Option<Problem> {
    if let Some(error) = response.response().error() {
        return Some(problem_from(error));
    }
    let bare =
        !response.headers().contains_key(header::CONTENT_TYPE) && response.response().body().size().is_eof();
    match response.status() {
        StatusCode::NOT_FOUND if bare => Some(Problem::not_found()),
        StatusCode::METHOD_NOT_ALLOWED if bare => {
            Some(Problem::method_not_allowed().allowing(response.headers().get(header::ALLOW).cloned()))
        }
        _ => None,
    }
}
