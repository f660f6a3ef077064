//! A running health service and what it asks.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

use api::health::HealthReport;
use health::Settings;
use reqwest::StatusCode;
use service::{HttpClientSettings, Running};
use testkit::{Database, PATIENCE};

/// Nothing is known of this address, and nothing listens there.
pub(crate) const NOWHERE: &str = "127.0.0.1:1";

/// A running health service.
pub(crate) struct Health {
    pub(crate) running: Running,
    http: reqwest::Client,
    base: String,
}

/// The settings of a health service that asks a database and nobody else.
pub(crate) fn env(db: &Database) -> Vec<(String, String)> {
    let env = [db.env("health"), testkit::process_env()].concat();
    let fixed = [
        ("PROBE__INTERVAL_MS", "50"),
        ("PROBE__TIME_LIMIT_MS", "5000"),
        ("PROBE__STALE_AFTER_MS", "30000"),
        ("HTTP_CLIENT__TIMEOUT_MS", "5000"),
        ("TASK_QUEUE__INTERVAL_MS", "50"),
        ("BROKER__HOST", ""),
        ("SERVICES__GATEWAY__URL", ""),
        ("SERVICES__AUTH__URL", ""),
        ("SERVICES__WEB__URL", ""),
        ("SERVICES__WORKER__URL", ""),
        ("SERVICES__MQTT_BRIDGE__URL", ""),
    ];
    testkit::env_with(env, &fixed)
}

/// The same with some settings changed.
pub(crate) fn env_with(db: &Database, changes: &[(&str, &str)]) -> Vec<(String, String)> {
    testkit::env_with(env(db), changes)
}

/// The client of these tests.
pub(crate) fn http_client() -> reqwest::Client {
    let settings =
        HttpClientSettings { connect_timeout_ms: 1_000, timeout_ms: 10_000, idle_connections_max: 1 };
    service::http_client(&settings).unwrap()
}

impl Health {
    pub(crate) async fn start(env: Vec<(String, String)>) -> Self {
        let settings: Settings = service::load_settings(&health::about(), &[], env).unwrap();
        let running = service::spawn(health::about(), settings, health::start).await.unwrap();
        let base = format!("http://{}", running.address.unwrap());
        Self { running, http: http_client(), base }
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, String) {
        let answer = self.http.get(format!("{}{path}", self.base)).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    pub(crate) async fn report(&self) -> (StatusCode, HealthReport) {
        let (status, text) = self.get("/health/").await;
        (status, serde_json::from_str(&text).unwrap())
    }

    /// Waits for a report that satisfies a condition.
    pub(crate) async fn report_where(
        &self,
        what: &str,
        wanted: impl Fn(&HealthReport) -> bool,
    ) -> (StatusCode, HealthReport) {
        testkit::wait_until(what, PATIENCE, async || {
            let (status, report) = self.report().await;
            if wanted(&report) {
                return Ok((status, report));
            }
            let messages = report.checks.iter().map(|(name, check)| format!("{name}: {}", check.message));
            Err(messages.collect::<Vec<_>>().join(", "))
        })
        .await
    }
}

/// Where something listens that takes connections and never says a word: what a stopped process looks like.
pub(crate) fn silent_listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Something that answers what is said to it, once per connection, until the tests end.
pub(crate) fn answering(answer: impl Fn(&[u8]) -> Vec<u8> + Send + 'static) -> SocketAddr {
    let (listener, address) = silent_listener();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut said = [0; 1024];
            let length = stream.read(&mut said).unwrap_or(0);
            // The asker may have given up: that is its affair.
            drop(stream.write_all(&answer(&said[..length])));
        }
    });
    address
}

/// An HTTP answer.
pub(crate) fn http(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}
