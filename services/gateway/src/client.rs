//! Connections to upstreams.
//!
//! Proxied requests take the client underneath reqwest, which copies no headers and parses no addresses
//! (`docs/adr/0010-gateway-client.md`).

use std::time::Duration;

use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use service::HttpClientSettings;

use crate::body::OutgoingBody;

/// How long an idle connection is kept: less than the services' `http.keep_alive_ms`, so that they never close first.
const IDLE: Duration = Duration::from_mins(1);

/// Sends requests and keeps connections; each thread has its own.
pub(crate) type UpstreamClient = Client<HttpConnector, OutgoingBody>;

/// What an upstream answers.
pub(crate) type Answer = http::Response<Incoming>;

/// Makes a client.
pub(crate) fn upstream_client(settings: &HttpClientSettings) -> UpstreamClient {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(Duration::from_millis(settings.connect_timeout_ms)));
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(settings.idle_connections_max)
        .build(connector)
}
