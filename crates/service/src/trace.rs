//! W3C trace context: in from a request, a task or a message; out to the same.

use std::collections::HashMap;

use actix_web::{HttpMessage, HttpRequest};
use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The header, task column and MQTT user property of the trace context.
pub(crate) const TRACEPARENT: &str = "traceparent";

/// Gives the `traceparent` of the current span, for a task or message that continues it; `None` without tracing.
pub fn traceparent() -> Option<String> {
    let context = Span::current().context();
    if !context.span().span_context().is_valid() {
        return None;
    }
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&context, &mut carrier);
    carrier.remove(TRACEPARENT)
}

/// Makes a span continue the trace of a `traceparent`; a text that is none is passed over.
pub fn adopt_traceparent(span: &Span, traceparent: &str) {
    let Some(parent) = parse(traceparent) else { return };
    if let Err(reason) = span.set_parent(parent) {
        tracing::debug!(%reason, "the trace is not continued");
    }
}

/// The trace id inside a `traceparent`, for log lines.
pub(crate) fn trace_id(traceparent: &str) -> Option<String> {
    parse(traceparent).map(|context| context.span().span_context().trace_id().to_string())
}

/// The trace id of a span, when tracing is on.
pub(crate) fn trace_id_of(span: &Span) -> Option<String> {
    let context = span.context();
    let span = context.span();
    let span_context = span.span_context();
    span_context.is_valid().then(|| span_context.trace_id().to_string())
}

fn parse(traceparent: &str) -> Option<Context> {
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier);
    context.span().span_context().is_valid().then_some(context)
}

/// The `traceparent` a request came with, kept for calls it causes while tracing is off.
#[derive(Clone, Debug)]
pub(crate) struct Incoming(pub(crate) String);

/// The `traceparent` for a call that a request causes.
pub(crate) fn outgoing(request: &HttpRequest) -> Option<String> {
    traceparent().or_else(|| request.extensions().get::<Incoming>().map(|incoming| incoming.0.clone()))
}
