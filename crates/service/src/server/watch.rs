//! The one middleware of every listener.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::web::Data;
use futures_util::FutureExt;
use tracing::Instrument;

use super::arrival::Arrival;
use super::body::{self, Refused};
use super::guard::Limits;
use super::outcome::{Outcome, present, problem_from};
use crate::connection::Activity;
use crate::metrics::{self, Answered, InFlight};
use crate::{Problem, panics, trace};

/// The status in the log of a request whose client did not wait; nobody receives it.
const CLIENT_GONE: u16 = 499;

/// Wraps a request: correlation id, span, limits, deadline, panic barrier, problems, one log line, metrics.
pub(crate) async fn watch<B: MessageBody + 'static>(
    limits: Data<Limits>,
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let arrival = Arrival::read(&request, &limits);
    let span = arrival.span();
    let watched = async move {
        let line = Line { arrival: &arrival, _in_flight: InFlight::begin(), written: false };
        let in_hand = request.conn_data::<Rc<Activity>>().map(Activity::begin);
        let held = body::hold(&mut request, limits.body_bytes_max);
        match answer(&limits, &arrival, request, next).await {
            Ok(response) => {
                let (response, outcome) = present(response, arrival.presentation);
                line.write(&outcome);
                Ok(response.map_body(|_head, body| body::keep(held, body::mark(in_hand, body))))
            }
            Err(problem) => {
                let problem = problem.presented(arrival.presentation);
                line.write(&Outcome { status: problem.status(), problem: Some(problem.clone()) });
                Err(Refused { problem, held }.into())
            }
        }
    };
    watched.instrument(span).await
}

/// Asks the handler, within the limits; a panic is a problem.
async fn answer<B: MessageBody + 'static>(
    limits: &Limits,
    arrival: &Arrival,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Problem> {
    limits.admit(&request)?;
    let handling =
        trace::continue_trace(arrival.traceparent.clone(), async move { next.call(request).await });
    let handled = AssertUnwindSafe(handling).catch_unwind();
    match tokio::time::timeout(arrival.deadline.remaining(), handled).await {
        Ok(Ok(Ok(response))) => Ok(response),
        Ok(Ok(Err(error))) => Err(problem_from(&error)),
        Ok(Err(panic)) => Err(Problem::internal().because(panics::text(panic.as_ref()))),
        Err(_elapsed) => Err(Problem::deadline_exceeded()),
    }
}

/// Writes the canonical line; absent fields are left out. Method, route and ids are the span's.
macro_rules! log_request {
    ($level:ident, $status:expr, $error_type:expr, $cause:expr, $elapsed_ms:expr) => {
        tracing::$level!(
            target: "request",
            { http.status = $status, error.type = $error_type, error.chain = $cause, elapsed_ms = $elapsed_ms },
            "request"
        )
    };
}

/// The canonical log line; written when the client went away, too.
struct Line<'a> {
    arrival: &'a Arrival,
    _in_flight: InFlight,
    written: bool,
}

impl Line<'_> {
    fn write(mut self, outcome: &Outcome) {
        self.written = true;
        let status = outcome.status.as_u16();
        let error_type = outcome.problem.as_ref().map(Problem::code);
        let cause = outcome.problem.as_ref().and_then(Problem::cause);
        let elapsed_ms = self.count(status, error_type.unwrap_or(""));
        match outcome.status {
            StatusCode::INTERNAL_SERVER_ERROR => log_request!(error, status, error_type, cause, elapsed_ms),
            StatusCode::TOO_MANY_REQUESTS => log_request!(warn, status, error_type, cause, elapsed_ms),
            other if other.is_server_error() => log_request!(warn, status, error_type, cause, elapsed_ms),
            _ => log_request!(info, status, error_type, cause, elapsed_ms),
        }
    }

    /// Adds to the metrics; gives the elapsed milliseconds.
    fn count(&self, status: u16, error_type: &'static str) -> f64 {
        let elapsed = self.arrival.elapsed();
        let (method, route) = (self.arrival.method, self.arrival.route());
        metrics::record(&Answered { method, route, status, error_type, elapsed });
        elapsed.as_secs_f64() * 1000.0
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if !self.written {
            let elapsed_ms = self.count(CLIENT_GONE, "client-gone");
            log_request!(info, CLIENT_GONE, Some("client-gone"), None::<&str>, elapsed_ms);
        }
    }
}
