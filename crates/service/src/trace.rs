//! W3C trace context: in from a request, a task or a message; out to the same.

use std::collections::HashMap;

use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The header, task column and MQTT user property of the trace context.
pub(crate) const TRACEPARENT: &str = "traceparent";

/// Characters of a `traceparent` that is passed on; longer ones belong to versions of the format yet to come.
const CHARS_MAX: usize = 100;

tokio::task_local! {
    /// The `traceparent` of whatever caused the work that is going on; known while tracing is off as well.
    static CAUSE: String;
}

/// Gives the `traceparent` for a task, message or call that continues what is going on: the current span's, or the cause's
/// while tracing is off.
pub fn traceparent() -> Option<String> {
    of_span().or_else(|| CAUSE.try_with(Clone::clone).ok())
}

/// Does work that continues the trace of a `traceparent`, which comes from a request, a task or a message; a text that is
/// none is passed over.
pub async fn continue_trace<F: Future>(traceparent: Option<String>, work: F) -> F::Output {
    let readable = traceparent.filter(|text| text.len() <= CHARS_MAX).and_then(|text| parse(&text));
    // Written anew: what stood around or behind it does not travel on.
    match readable.and_then(|context| written(&context)) {
        Some(traceparent) => CAUSE.scope(traceparent, work).await,
        None => work.await,
    }
}

fn of_span() -> Option<String> {
    let context = Span::current().context();
    if !context.span().span_context().is_valid() {
        return None;
    }
    written(&context)
}

fn written(context: &Context) -> Option<String> {
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(context, &mut carrier);
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

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    async fn seen_in_work_of(traceparent: &str) -> Option<String> {
        continue_trace(Some(traceparent.to_owned()), async { super::traceparent() }).await
    }

    #[tokio::test]
    async fn work_knows_the_trace_of_its_cause_while_tracing_is_off() {
        assert_eq!(seen_in_work_of(TRACE).await.as_deref(), Some(TRACE));
        assert_eq!(traceparent(), None, "outside of it nothing is known");
        assert_eq!(continue_trace(None, async { traceparent() }).await, None);
    }

    #[tokio::test]
    async fn nothing_but_the_trace_is_passed_on() {
        for text in [format!(" {TRACE} "), format!("{}-<script>", TRACE.replacen("00", "01", 1))] {
            let seen = seen_in_work_of(&text).await;
            assert!(seen.as_deref().is_none_or(|seen| seen == TRACE), "{text:?} became {seen:?}");
        }
    }

    #[tokio::test]
    async fn what_is_no_traceparent_is_passed_over() {
        let long = format!("{TRACE}-{}", "a".repeat(200));
        for text in ["", "guessed", "00-xyz-1-01", &long] {
            assert_eq!(seen_in_work_of(text).await, None, "{text}");
        }
    }
}
