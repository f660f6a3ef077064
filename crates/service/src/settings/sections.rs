//! The sections processes share.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use domain::Secret;
use serde::{Deserialize, Serialize};

use super::Mistakes;
use crate::identity::{IdentityVerifier, Trust};
use crate::telemetry;

/// Longest time a setting may name: a day.
const MILLISECONDS_MAX: u64 = 86_400_000;

/// Where the process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// Weak secrets are refused.
    Production,
    /// Weak secrets are accepted.
    Development,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// For a terminal.
    Text,
}

impl fmt::Display for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Production => "production",
            Self::Development => "development",
        })
    }
}

/// `[process]`: what every process has.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessSettings {
    /// `production` refuses weak secrets.
    pub environment: Environment,
    /// What is logged, such as `info,store=debug`.
    pub log_filter: String,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Where traces go (OTLP over HTTP, such as `http://collector:4318`); empty sends none.
    pub otlp_endpoint: String,
    /// Share of traces that begin here and are kept, 0 to 1; a caller's decision is followed.
    pub trace_ratio: f64,
    /// Listener of `/livez`, `/readyz`, `/metrics` and `PUT /log`.
    pub admin_bind: SocketAddr,
    /// Between the signal and the closed listener: time for load balancers to look elsewhere.
    pub drain_delay_ms: u64,
    /// Longest time for requests and tasks to end after that.
    pub stop_timeout_ms: u64,
}

impl ProcessSettings {
    /// Adds what is wrong in the section.
    pub fn check(&self, mistakes: &mut Mistakes) {
        if let Err(reason) = telemetry::parse_filter(&self.log_filter) {
            mistakes.add("process.log_filter", format!("is not a log filter: {reason}"));
        }
        if !self.otlp_endpoint.is_empty() && !self.otlp_endpoint.starts_with("http") {
            mistakes.add("process.otlp_endpoint", "begin it with http:// or https://, or leave it empty");
        }
        mistakes.range("process.trace_ratio", self.trace_ratio, 0.0..=1.0);
        mistakes.range("process.drain_delay_ms", self.drain_delay_ms, 0..=MILLISECONDS_MAX);
        mistakes.range("process.stop_timeout_ms", self.stop_timeout_ms, 1..=MILLISECONDS_MAX);
    }

    /// [`Self::drain_delay_ms`] as a duration.
    pub fn drain_delay(&self) -> Duration {
        Duration::from_millis(self.drain_delay_ms)
    }

    /// [`Self::stop_timeout_ms`] as a duration.
    pub fn stop_timeout(&self) -> Duration {
        Duration::from_millis(self.stop_timeout_ms)
    }
}

/// `[http]`: the listener for requests.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpSettings {
    /// Address and port; port 0 takes a free one.
    pub bind: SocketAddr,
    /// Threads that handle requests.
    pub workers: usize,
    /// Connections open at once, over all workers.
    pub connections_max: usize,
    /// Largest body.
    pub body_bytes_max: usize,
    /// Longest time until an answer begins, the body's arrival included.
    pub request_timeout_ms: u64,
    /// Longest time for the request's head to arrive.
    pub header_timeout_ms: u64,
    /// How long an idle connection stays open.
    pub keep_alive_ms: u64,
}

impl HttpSettings {
    /// Adds what is wrong in the section.
    pub fn check(&self, mistakes: &mut Mistakes) {
        mistakes.range("http.workers", self.workers, 1..=256);
        mistakes.range("http.connections_max", self.connections_max, self.workers..=1_000_000);
        mistakes.range("http.body_bytes_max", self.body_bytes_max, 1..=1 << 30);
        mistakes.range("http.request_timeout_ms", self.request_timeout_ms, 1..=MILLISECONDS_MAX);
        mistakes.range("http.header_timeout_ms", self.header_timeout_ms, 1..=MILLISECONDS_MAX);
        mistakes.range("http.keep_alive_ms", self.keep_alive_ms, 1..=MILLISECONDS_MAX);
    }
}

/// `[http_client]`: calls to other processes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpClientSettings {
    /// Longest time until a connection stands.
    pub connect_timeout_ms: u64,
    /// Longest time for a whole call, its body included.
    pub timeout_ms: u64,
    /// Idle connections kept per host.
    pub idle_connections_max: usize,
}

impl HttpClientSettings {
    /// Adds what is wrong in the section.
    pub fn check(&self, mistakes: &mut Mistakes) {
        mistakes.range("http_client.connect_timeout_ms", self.connect_timeout_ms, 1..=MILLISECONDS_MAX);
        mistakes.range("http_client.timeout_ms", self.timeout_ms, 1..=MILLISECONDS_MAX);
        mistakes.range("http_client.idle_connections_max", self.idle_connections_max, 0..=100_000);
    }
}

/// `[trust]`: whom a service believes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustSettings {
    /// The key that checks signed identities, as PEM.
    pub identity_public_key: String,
    /// The secret that opens `/internal/*` and vouches for the client's address.
    pub internal_key: Secret,
}

impl TrustSettings {
    /// Adds what is wrong in the section.
    pub fn check(&self, mistakes: &mut Mistakes) {
        if IdentityVerifier::from_pem(&self.identity_public_key).is_err() {
            mistakes.add("trust.identity_public_key", "is not an Ed25519 public key in PEM");
        }
        mistakes.secret("trust.internal_key", &self.internal_key);
    }

    /// What request extractors check with; register it as `web::Data<Trust>`.
    pub fn open(&self) -> anyhow::Result<Trust> {
        Trust::new(&self.identity_public_key, self.internal_key.clone())
    }
}
