//! What a request says about itself when it arrives.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::{HttpMessage, HttpRequest};
use domain::CorrelationId;
use tracing::Span;
use tracing::field::Empty;

use super::guard::Limits;
use super::page_choice::choose_page;
use crate::problem::Presentation;
use crate::{random, trace};

/// The route of requests that match none.
const NO_ROUTE: &str = "unmatched";

/// Who may speak to a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exposure {
    /// Our own processes: their correlation id, trace and deadline are followed.
    Internal,
    /// Everybody: the process gives its own.
    Public,
}

/// Until when a request must be answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// The deadline of a request; `None` outside of [`watch`](super::watch).
    pub(crate) fn of(request: &HttpRequest) -> Option<Self> {
        request.extensions().get::<Self>().copied()
    }

    /// The time that is left.
    pub(crate) fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// The same in whole milliseconds.
    pub(crate) fn remaining_ms(self) -> u64 {
        u64::try_from(self.remaining().as_millis()).unwrap_or(u64::MAX)
    }
}

/// The correlation id of a request: its cause's when an own process sent it, else a new one.
pub fn correlation_id(request: &HttpRequest) -> CorrelationId {
    let known = request.extensions().get::<CorrelationId>().copied();
    known.unwrap_or_else(CorrelationId::generate)
}

/// The route a catch-all handler found in a table of its own.
type NamedRoute = Rc<OnceCell<Arc<str>>>;

/// Names the route in log and metrics, for handlers that serve many routes; the first name stays.
///
/// Use templates of a fixed table, never a path as it came: every name is a label of its own.
pub fn name_route(request: &HttpRequest, template: impl Into<Arc<str>>) {
    let template = template.into();
    let span = Span::current();
    if !span.is_disabled() {
        span.record("http.route", &*template);
        span.record("otel.name", format!("{} {template}", request.method()));
    }
    if let Some(named) = request.extensions().get::<NamedRoute>() {
        named.get_or_init(|| template);
    }
}

/// One request at the door.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    pub(super) method: &'static str,
    pub(super) deadline: Deadline,
    pub(super) presentation: Presentation,
    pattern: Option<String>,
    named: NamedRoute,
    pub(super) traceparent: Option<String>,
    begun: Instant,
}

impl Arrival {
    /// Reads the request's head and leaves in it what handlers ask for.
    pub(super) fn read(request: &ServiceRequest, limits: &Limits) -> Self {
        let believed = limits.exposure == Exposure::Internal;
        let header = |name: &str| {
            let value = request.headers().get(name).filter(|_| believed)?;
            value.to_str().ok()
        };
        let correlation_id = header(api::headers::CORRELATION_ID)
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(random::correlation_id);
        let asked =
            header(api::headers::DEADLINE_MS).and_then(|text| text.parse().ok()).map(Duration::from_millis);
        let begun = Instant::now();
        let time = asked.map_or(limits.request_timeout, |asked| asked.min(limits.request_timeout));
        let deadline = Deadline(begun + time);
        let traceparent = header(trace::TRACEPARENT).map(str::to_owned);
        let named = NamedRoute::default();
        let mut extensions = request.extensions_mut();
        extensions.insert(named.clone());
        extensions.insert(correlation_id);
        extensions.insert(deadline);
        drop(extensions);
        Self {
            method: method_label(request.method()),
            deadline,
            presentation: Presentation {
                correlation_id,
                page: choose_page(request.path(), request.headers()),
                decorate: limits.decorate,
            },
            pattern: request.match_pattern(),
            named,
            traceparent,
            begun,
        }
    }

    /// The span everything about this request happens in.
    pub(super) fn span(&self) -> Span {
        let span = tracing::info_span!(
            "request",
            otel.name = format_args!("{} {}", self.method, self.route()),
            otel.kind = "server",
            http.method = self.method,
            http.route = self.route(),
            correlation_id = %self.presentation.correlation_id,
            trace_id = Empty,
            client.id = Empty,
            person.id = Empty,
        );
        if let Some(traceparent) = &self.traceparent {
            trace::adopt_traceparent(&span, traceparent);
        }
        let trace_id =
            trace::trace_id_of(&span).or_else(|| self.traceparent.as_deref().and_then(trace::trace_id));
        if let Some(trace_id) = trace_id {
            span.record("trace_id", trace_id);
        }
        span
    }

    /// The template of its route.
    pub(super) fn route(&self) -> &str {
        self.named.get().map(|named| &**named).or(self.pattern.as_deref()).unwrap_or(NO_ROUTE)
    }

    /// How long ago it arrived.
    pub(super) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }
}

/// The method as a label; the world's inventions share one, so that labels stay few.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}
