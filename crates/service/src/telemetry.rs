//! Logs and traces of a process: set up once, flushed at the end.

use std::io::IsTerminal;

use anyhow::Context as _;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use crate::{About, LogFormat, ProcessSettings};

/// Changes what is logged while the process runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogFilter(Option<reload::Handle<EnvFilter, Registry>>);

/// Why a filter did not change.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilterError {
    /// The text is no filter.
    #[error("not a log filter")]
    Malformed(#[source] tracing_subscriber::filter::ParseError),
    /// Another program set up the log, a test for example.
    #[error("the log is not this process's own")]
    NotOurs,
}

impl LogFilter {
    /// Takes a text such as `info,store=debug`.
    pub(crate) fn set(&self, text: &str) -> Result<(), FilterError> {
        let filter = parse_filter(text).map_err(FilterError::Malformed)?;
        let handle = self.0.as_ref().ok_or(FilterError::NotOurs)?;
        handle.reload(filter).map_err(|_gone| FilterError::NotOurs)
    }
}

/// Reads a filter; every part must be right.
pub(crate) fn parse_filter(text: &str) -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
    EnvFilter::try_new(text)
}

/// The running telemetry; [`Telemetry::flush`] on every way out.
#[derive(Debug)]
pub(crate) struct Telemetry {
    filter: LogFilter,
    traces: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Starts logs and, with an endpoint, traces. Must not run inside a runtime: the exporter brings its own thread.
    pub(crate) fn start(about: &About, settings: &ProcessSettings) -> anyhow::Result<Self> {
        let (filter, handle) = reload::Layer::new(parse_filter(&settings.log_filter)?);
        let lines = tracing_subscriber::fmt::layer().with_ansi(std::io::stdout().is_terminal());
        let lines = match settings.log_format {
            LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
            LogFormat::Text => lines.boxed(),
        };
        let traces =
            if settings.otlp_endpoint.is_empty() { None } else { Some(open_traces(about, settings)?) };
        let spans = traces.as_ref().map(|provider| {
            tracing_opentelemetry::layer()
                .with_tracer(provider.tracer(about.name))
                .with_filter(LevelFilter::INFO)
        });
        tracing_subscriber::registry()
            .with(lines.with_filter(filter))
            .with(spans)
            .try_init()
            .context("setting up the log")?;
        Ok(Self { filter: LogFilter(Some(handle)), traces })
    }

    /// The handle that changes the filter.
    pub(crate) fn filter(&self) -> LogFilter {
        self.filter.clone()
    }

    /// Sends what is still held back.
    pub(crate) fn flush(self) {
        let Some(traces) = self.traces else { return };
        if let Err(error) = traces.shutdown() {
            tracing::warn!(error.chain = %error, "the last traces were not sent");
        }
    }
}

fn open_traces(about: &About, settings: &ProcessSettings) -> anyhow::Result<SdkTracerProvider> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_endpoint(format!("{}/v1/traces", settings.otlp_endpoint.trim_end_matches('/')))
        .build()
        .context("opening the trace exporter")?;
    let resource = Resource::builder_empty()
        .with_service_name(about.name)
        .with_attribute(opentelemetry::KeyValue::new("service.version", about.version))
        .build();
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.trace_ratio)));
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource)
        .with_sampler(sampler)
        .build())
}
