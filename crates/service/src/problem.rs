//! Errors as answers: the one place that turns what went wrong into a status.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::{self, Write as _};

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use domain::{CorrelationId, Fault, FaultKind, FieldError};

use crate::error_page::ErrorPage;

mod answers;

/// What a client reads of a mistake of ours.
const INTERNAL_TEXT: &str = "Something went wrong on our side. It has been recorded.";

/// Seconds to wait when the error does not say.
const RETRY_AFTER_SECONDS: u64 = 1;

/// Chooses the status: the only match from kind to number.
fn status_of(kind: FaultKind) -> StatusCode {
    match kind {
        FaultKind::Malformed => StatusCode::BAD_REQUEST,
        FaultKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        FaultKind::Forbidden => StatusCode::FORBIDDEN,
        FaultKind::NotFound => StatusCode::NOT_FOUND,
        FaultKind::Conflict => StatusCode::CONFLICT,
        FaultKind::Stale => StatusCode::PRECONDITION_FAILED,
        FaultKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        FaultKind::Limited => StatusCode::TOO_MANY_REQUESTS,
        FaultKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        FaultKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// An error on its way to the client: `application/problem+json`, or a page for browsers.
///
/// Every [`Fault`] becomes one by `?`. What is wrong inside stays in the log; the client reads the fault's public text.
#[derive(Clone, Debug)]
pub struct Problem(Box<Parts>);

/// Boxed, so that a `Result` with a problem in it stays small.
#[derive(Clone, Debug)]
struct Parts {
    status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    retry_after_seconds: Option<u64>,
    allow: Option<HeaderValue>,
    cause: Option<String>,
    presentation: Option<Presentation>,
}

/// How and under which reference the problem is shown; the server middleware adds it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Presentation {
    pub(crate) correlation_id: CorrelationId,
    pub(crate) page: bool,
    pub(crate) decorate: Option<Decorate>,
}

/// Sets headers of an answer that is about to leave. The request is absent where the answer was made in its place: over
/// a limit, past the deadline, after a panic.
pub(crate) type Decorate = fn(Option<&HttpRequest>, &mut HeaderMap);

impl<E: Fault> From<E> for Problem {
    fn from(error: E) -> Self {
        let kind = error.kind();
        let detail = match kind {
            FaultKind::Internal => Cow::Borrowed(INTERNAL_TEXT),
            FaultKind::Malformed
            | FaultKind::Unauthenticated
            | FaultKind::Forbidden
            | FaultKind::NotFound
            | FaultKind::Conflict
            | FaultKind::Stale
            | FaultKind::Invalid
            | FaultKind::Limited
            | FaultKind::Unavailable => error.public(),
        };
        let mut problem = Self::new(status_of(kind), error.code(), detail);
        problem.0.errors = error.fields().to_vec();
        problem.0.retry_after_seconds = error.retry_after_seconds();
        problem.0.cause = Some(chain(&error));
        problem
    }
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Parts {
            status,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after_seconds: None,
            allow: None,
            cause: None,
            presentation: None,
        }))
    }

    /// The status, for who passes it on.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// Which problem it is: the end of its type, the metric label, the heading in docs/problems.md.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// What the client reads.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The fields that do not fit.
    pub fn errors(&self) -> &[FieldError] {
        &self.0.errors
    }

    /// Seconds the client should wait, where waiting helps.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        let waits = matches!(self.0.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        self.0.retry_after_seconds.or(waits.then_some(RETRY_AFTER_SECONDS))
    }

    /// Says how long to wait.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after_seconds = Some(seconds);
        self
    }

    /// Keeps the reason for the log; the client does not see it.
    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.0.cause = Some(cause.to_string());
        self
    }

    /// Names the fields that do not fit.
    #[must_use]
    pub(crate) fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.0.errors = errors;
        self
    }

    /// Names the methods that would do.
    pub(crate) fn allowing(mut self, methods: Option<HeaderValue>) -> Self {
        self.0.allow = methods;
        self
    }

    /// Says how and under which reference it is shown.
    pub(crate) fn presented(mut self, presentation: Presentation) -> Self {
        self.0.presentation = Some(presentation);
        self
    }

    /// The reason for the log.
    pub(crate) fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// The body a program reads.
    fn body(&self, correlation_id: CorrelationId) -> api::Problem {
        api::Problem {
            r#type: format!("/problems/{}", self.0.code),
            title: self.title().to_owned(),
            status: self.0.status.as_u16(),
            detail: self.0.detail.clone().into_owned(),
            instance: format!("urn:uuid:{correlation_id}"),
            errors: self.0.errors.clone(),
        }
    }

    fn title(&self) -> &'static str {
        self.0.status.canonical_reason().unwrap_or("Error")
    }
}

/// An error and all its sources on one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        write!(text, ": {cause}").expect("writing to a String never fails");
        source = cause.source();
    }
    text
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.code)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.0.status
    }

    fn error_response(&self) -> HttpResponse {
        let presentation = self.0.presentation.unwrap_or_else(|| Presentation {
            correlation_id: CorrelationId::generate(),
            page: false,
            decorate: None,
        });
        let body = self.body(presentation.correlation_id);
        let mut response = HttpResponse::build(self.0.status);
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        response.insert_header((api::headers::CORRELATION_ID, presentation.correlation_id.to_string()));
        if let Some(methods) = &self.0.allow {
            response.insert_header((header::ALLOW, methods.clone()));
        }
        if self.0.status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"youtility\""));
        }
        if let Some(seconds) = self.retry_after_seconds() {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        let mut response = if presentation.page {
            let reference = presentation.correlation_id.to_string();
            let page = ErrorPage {
                title: &body.title,
                detail: &body.detail,
                code: self.0.code,
                reference: &reference,
            };
            response.content_type("text/html; charset=utf-8").body(page.render())
        } else {
            let text = serde_json::to_vec(&body).expect("a problem holds texts and numbers only");
            response.content_type(api::problem::MEDIA_TYPE).body(text)
        };
        if let Some(decorate) = presentation.decorate {
            decorate(None, response.headers_mut());
        }
        response
    }
}
