//! The settings of this service.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use domain::Secret;
use serde::{Deserialize, Serialize};
use service::tls::BrokerTls;
use service::{HttpClientSettings, HttpSettings, Mistakes, ProcessSettings};

use crate::targets::{BROKER, DATABASE, FUNCTIONS, TASK_QUEUE};

/// Everything that can be set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What every process has.
    pub process: ProcessSettings,
    /// The public listener.
    pub http: HttpSettings,
    /// The client that asks the services.
    pub http_client: HttpClientSettings,
    /// How often and how patiently is asked.
    pub probe: ProbeSettings,
    /// PostgreSQL, asked as a role that reads the queue's state and nothing else.
    pub database: DatabaseSettings,
    /// What is too much for the task queue.
    pub task_queue: TaskQueueSettings,
    /// The MQTT broker.
    pub broker: BrokerSettings,
    /// The services, by name.
    pub services: BTreeMap<String, ServiceSettings>,
}

/// How often and how patiently every target is asked.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeSettings {
    /// Milliseconds between two questions to one target.
    pub interval_ms: u64,
    /// Milliseconds after which a target that did not answer has failed.
    pub time_limit_ms: u64,
    /// Milliseconds after which an answer counts for nothing.
    pub stale_after_ms: u64,
}

impl ProbeSettings {
    /// Between two questions to one target.
    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms)
    }

    /// After which a target that did not answer has failed.
    pub fn time_limit(&self) -> Duration {
        Duration::from_millis(self.time_limit_ms)
    }

    /// After which an answer counts for nothing.
    pub fn stale_after(&self) -> Duration {
        Duration::from_millis(self.stale_after_ms)
    }
}

/// Where PostgreSQL is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSettings {
    /// Host name or address, or several separated by commas; the one that accepts writes is asked.
    pub host: String,
    /// Port of every host.
    pub port: u16,
    /// Database.
    pub name: String,
    /// Role.
    pub user: String,
    /// The role's password.
    pub password: Secret,
    /// How the connection is secured.
    pub tls: Tls,
    /// Certificate authorities in PEM; empty means those of the operating system.
    pub ca_file: PathBuf,
}

/// How the connection to PostgreSQL is secured, in libpq's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// Plain text.
    Disable,
    /// Plain text: a probe sends nothing but a proof of its password, and reads nothing but states.
    Prefer,
    /// TLS only; the server proves its name.
    Require,
    /// TLS only; the server proves that an authority knows it, under whatever name.
    VerifyCa,
    /// TLS only; the server proves its name.
    VerifyFull,
}

/// When the task queue is in trouble.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskQueueSettings {
    /// Milliseconds between two questions.
    pub interval_ms: u64,
    /// How far tasks are counted.
    pub counted_max: i64,
    /// Seconds the oldest ready task may wait before the queue is degraded.
    pub degraded_age_seconds: f64,
    /// Seconds the oldest ready task may wait while no worker is alive before the queue is unhealthy.
    pub unattended_age_seconds: f64,
}

impl TaskQueueSettings {
    /// Between two questions.
    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms)
    }
}

/// Where the MQTT broker is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerSettings {
    /// Host name or address; empty means there is no broker to ask.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How the connection is secured.
    pub tls: BrokerTls,
    /// Certificate authorities in PEM; empty means those of the operating system.
    pub ca_file: PathBuf,
    /// User name; empty asks without, and then a refusal counts as an answer.
    pub username: String,
    /// Password of that user.
    pub password: Secret,
}

/// Where one service is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceSettings {
    /// Base of its admin listener; empty means it is not asked.
    pub url: String,
    /// Checks whose failure explains this service's failure.
    pub depends_on: Vec<String>,
}

impl service::Settings for Settings {
    fn process(&self) -> &ProcessSettings {
        &self.process
    }

    fn check(&self, mistakes: &mut Mistakes) {
        self.http.check(mistakes);
        self.http_client.check(mistakes);
        mistakes.secret("database.password", &self.database.password);
        if !self.broker.host.is_empty() && !self.broker.username.is_empty() {
            mistakes.given_secret("broker.password", &self.broker.password);
        }
        self.check_pace(mistakes);
        self.check_services(mistakes);
    }
}

impl Settings {
    fn check_pace(&self, mistakes: &mut Mistakes) {
        let ProbeSettings { interval_ms, time_limit_ms, stale_after_ms } = self.probe;
        let slowest_ms = interval_ms.max(self.task_queue.interval_ms).saturating_add(time_limit_ms);
        mistakes.range("probe.interval_ms", interval_ms, 1..=600_000);
        mistakes.range("probe.time_limit_ms", time_limit_ms, 1..=60_000);
        mistakes.range("task_queue.interval_ms", self.task_queue.interval_ms, 1..=600_000);
        mistakes.range("task_queue.counted_max", self.task_queue.counted_max, 1..=queue::COUNTED_MAX);
        if stale_after_ms <= slowest_ms {
            mistakes.add(
                "probe.stale_after_ms",
                "use more than the longest interval_ms and time_limit_ms together",
            );
        }
        let TaskQueueSettings { degraded_age_seconds, unattended_age_seconds, .. } = self.task_queue;
        let ages = [
            ("task_queue.degraded_age_seconds", degraded_age_seconds),
            ("task_queue.unattended_age_seconds", unattended_age_seconds),
        ];
        for (key, _) in ages.into_iter().filter(|(_, age)| !age.is_finite() || *age < 0.0) {
            mistakes.add(key, "use 0 or more seconds");
        }
    }

    fn check_services(&self, mistakes: &mut Mistakes) {
        let fixed = [DATABASE, FUNCTIONS, TASK_QUEUE, BROKER];
        for (name, service) in &self.services {
            let key = format!("services.{name}");
            if fixed.contains(&name.as_str()) {
                mistakes.add(key.clone(), "this name belongs to another check");
            }
            let readable = reqwest::Url::parse(&service.url).is_ok_and(|url| url.has_host());
            if !service.url.is_empty() && !readable {
                mistakes.add(format!("{key}.url"), "use a URL such as http://127.0.0.1:9080");
            }
            for dependency in &service.depends_on {
                let known = fixed.contains(&dependency.as_str()) || self.services.contains_key(dependency);
                if !known {
                    mistakes.add(
                        format!("{key}.depends_on"),
                        format!("`{dependency}` is not the name of a check"),
                    );
                }
            }
        }
    }
}
