//! Calls to other processes.

use std::time::Duration;

use actix_web::HttpRequest;
use anyhow::Context as _;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder};

use crate::server::Deadline;
use crate::{HttpClientSettings, correlation_id, trace};

/// How long an idle connection is kept: less than the servers' `http.keep_alive_ms`, so that they never close first.
const IDLE: Duration = Duration::from_mins(1);

/// Makes the HTTP client: limits on everything, no redirects, no retries, no proxy from the environment.
///
/// One per process: it holds the pool, and clones share it.
pub fn http_client(settings: &HttpClientSettings) -> anyhow::Result<Client> {
    install_crypto();
    Client::builder()
        .http1_only()
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .tcp_nodelay(true)
        .connect_timeout(Duration::from_millis(settings.connect_timeout_ms))
        .timeout(Duration::from_millis(settings.timeout_ms))
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(settings.idle_connections_max)
        .build()
        .context("building the HTTP client")
}

/// Adds what ties a call to the request that causes it: correlation id, trace, and the time that is left.
pub fn propagate(builder: RequestBuilder, request: &HttpRequest) -> RequestBuilder {
    let mut builder = builder.header(api::headers::CORRELATION_ID, correlation_id(request).to_string());
    if let Some(deadline) = Deadline::of(request) {
        builder = builder.header(api::headers::DEADLINE_MS, deadline.remaining_ms().to_string());
    }
    match trace::traceparent() {
        Some(traceparent) => builder.header(trace::TRACEPARENT, traceparent),
        None => builder,
    }
}

/// Installs aws-lc as the process's one TLS provider.
pub(crate) fn install_crypto() {
    let installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    if installed.is_err() {
        tracing::trace!("the TLS provider is installed already");
    }
}
