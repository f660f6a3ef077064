//! The settings of the bridge.

use std::time::Duration;

use app::publish::{PAYLOAD_BYTES_MAX, PUBLISH_QUEUE};
use domain::Secret;
use queue::EngineSettings;
use serde::{Deserialize, Serialize};
use service::tls::BrokerTls;
use service::{Mistakes, ProcessSettings};
use store::DatabaseSettings;

/// Everything the bridge can be told.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What every process has.
    pub process: ProcessSettings,
    /// PostgreSQL.
    pub database: DatabaseSettings,
    /// The broker.
    pub broker: BrokerSettings,
    /// How messages are written.
    pub batch: BatchSettings,
    /// The engine that runs tasks.
    pub queue: EngineSettings,
    /// Limits of the tasks.
    pub tasks: TaskSettings,
}

/// Where the broker is and how to hold a session with it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerSettings {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Protection of the connection.
    pub tls: BrokerTls,
    /// Authorities to trust; empty means those of the operating system.
    pub ca_file: String,
    /// Our account.
    pub username: String,
    /// Its password.
    pub password: Secret,
    /// What the name of our session begins with; the rest is made from the password.
    pub client_id: String,
    /// How long the broker keeps the session without us.
    pub session_expiry_seconds: u32,
    /// How often the connection is probed.
    pub keep_alive_seconds: u16,
    /// How long connecting may take.
    pub connect_timeout_seconds: u64,
    /// Unacknowledged messages the broker may send.
    pub receive_maximum: u16,
    /// The largest packet we read.
    pub packet_bytes_max: u32,
    /// Messages held in memory at most.
    pub queue_messages_max: usize,
    /// Bytes of payload held in memory at most.
    pub queue_bytes_max: usize,
    /// The first wait before connecting again.
    pub reconnect_delay_min_ms: u64,
    /// The longest wait before connecting again.
    pub reconnect_delay_max_ms: u64,
    /// Answers under way at most.
    pub answers_in_flight_max: u16,
    /// How long answers may go without any acknowledgement.
    pub answer_timeout_ms: u64,
    /// How long the broker keeps an answer.
    pub answer_expiry_seconds: u32,
}

impl BrokerSettings {
    /// How often the connection is probed.
    pub(crate) fn keep_alive(&self) -> Duration {
        Duration::from_secs(self.keep_alive_seconds.into())
    }

    fn check(&self, mistakes: &mut Mistakes) {
        mistakes.given_secret("broker.password", &self.password);
        if self.client_id.is_empty() {
            mistakes.add("broker.client_id", "name the session");
        }
        mistakes.range("broker.keep_alive_seconds", self.keep_alive_seconds, 5..=3600);
        mistakes.range("broker.connect_timeout_seconds", self.connect_timeout_seconds, 1..=60);
        mistakes.range("broker.receive_maximum", self.receive_maximum, 1..=u16::MAX);
        mistakes.range("broker.packet_bytes_max", self.packet_bytes_max, 1024..=268_435_455);
        mistakes.range(
            "broker.queue_messages_max",
            self.queue_messages_max,
            self.receive_maximum.into()..=1_000_000,
        );
        mistakes.range("broker.queue_bytes_max", self.queue_bytes_max, 1024..=1 << 32);
        mistakes.range(
            "broker.reconnect_delay_max_ms",
            self.reconnect_delay_max_ms,
            self.reconnect_delay_min_ms..=600_000,
        );
        mistakes.range("broker.answers_in_flight_max", self.answers_in_flight_max, 1..=u16::MAX);
        mistakes.range("broker.answer_timeout_ms", self.answer_timeout_ms, 1..=600_000);
    }
}

/// How messages are gathered and written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchSettings {
    /// Messages in one batch at most.
    pub messages_max: usize,
    /// Bytes of payload in one batch, about.
    pub bytes_max: usize,
    /// The first wait after the database failed.
    pub retry_delay_min_ms: u64,
    /// The longest wait after the database failed.
    pub retry_delay_max_ms: u64,
    /// Unreadable messages kept for each topic and hour.
    pub dead_letters_per_hour_max: u32,
}

impl BatchSettings {
    fn check(&self, mistakes: &mut Mistakes) {
        mistakes.range("batch.messages_max", self.messages_max, 1..=100_000);
        mistakes.range("batch.bytes_max", self.bytes_max, 1..=1 << 30);
        mistakes.range(
            "batch.retry_delay_max_ms",
            self.retry_delay_max_ms,
            self.retry_delay_min_ms..=600_000,
        );
    }
}

/// Limits of the tasks that publish messages.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskSettings {
    /// Connections of the engine itself.
    pub engine_pool_size: usize,
    /// Messages under way to the broker at most.
    pub publish_in_flight_max: u16,
    /// How long a task waits for a connection to the broker.
    pub publish_patience_ms: u64,
    /// How long the broker may take to answer.
    pub publish_answer_timeout_ms: u64,
    /// The pause of a task that found no connection to the broker.
    pub publish_away_pause_ms: u64,
    /// How often one message is tried.
    pub publish_attempts_max: i32,
    /// The first pause before a message is tried again; doubles.
    pub publish_backoff_min_ms: u64,
    /// The longest pause before a message is tried again.
    pub publish_backoff_max_ms: u64,
}

impl TaskSettings {
    /// How long one task may take: its waits, and what it reads from the database.
    pub(crate) fn publish_timeout(&self) -> Duration {
        Duration::from_millis(self.publish_patience_ms + self.publish_answer_timeout_ms)
            + Duration::from_secs(30)
    }

    fn check(&self, mistakes: &mut Mistakes) {
        mistakes.range("tasks.engine_pool_size", self.engine_pool_size, 2..=100);
        mistakes.range("tasks.publish_in_flight_max", self.publish_in_flight_max, 1..=10_000);
        mistakes.range("tasks.publish_patience_ms", self.publish_patience_ms, 1..=600_000);
        mistakes.range("tasks.publish_answer_timeout_ms", self.publish_answer_timeout_ms, 1..=600_000);
        mistakes.range("tasks.publish_away_pause_ms", self.publish_away_pause_ms, 1..=3_600_000);
        mistakes.range("tasks.publish_attempts_max", self.publish_attempts_max, 1..=1000);
        mistakes.range(
            "tasks.publish_backoff_max_ms",
            self.publish_backoff_max_ms,
            self.publish_backoff_min_ms..=86_400_000,
        );
    }
}

impl Settings {
    /// What concerns more than one section.
    fn check_engine(&self, mistakes: &mut Mistakes) {
        for (key, advice) in self.queue.mistakes() {
            mistakes.add(format!("queue.{key}"), advice);
        }
        let in_flight_max = usize::from(self.tasks.publish_in_flight_max);
        if !self.queue.queues.keys().eq([PUBLISH_QUEUE]) {
            mistakes.add("queue.queues", "name the queue `mqtt` and no other: the worker serves the rest");
        }
        if self.queue.queues.values().any(|running| *running > in_flight_max) {
            mistakes.add("tasks.publish_in_flight_max", "use at least as many as queue.queues.mqtt");
        }
        if self.queue.drain_timeout_ms >= self.process.stop_timeout_ms {
            mistakes.add("queue.drain_timeout_ms", "stay below process.stop_timeout_ms");
        }
        if usize::try_from(self.broker.packet_bytes_max).is_ok_and(|bytes| bytes < 2 * PAYLOAD_BYTES_MAX) {
            mistakes.add("broker.packet_bytes_max", "use at least 131072: a message may be half as large");
        }
    }
}

impl service::Settings for Settings {
    fn process(&self) -> &ProcessSettings {
        &self.process
    }

    fn check(&self, mistakes: &mut Mistakes) {
        mistakes.secret("database.password", &self.database.password);
        self.database.check(|key, advice| mistakes.add(format!("database.{key}"), advice));
        self.broker.check(mistakes);
        self.batch.check(mistakes);
        self.tasks.check(mistakes);
        self.check_engine(mistakes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "q8Zt4nXw1Lr7Vb2Ky9Hs3Md6Pf0Gj5Tc8Ra4We1Uo7Ix2NzQvEyB";

    fn load(broker_password: &str) -> Result<Settings, Mistakes> {
        let pairs = [("DATABASE__PASSWORD", OURS), ("BROKER__PASSWORD", broker_password)];
        let pairs = pairs.map(|(key, value)| (format!("YOUTILITY_{key}"), value.to_owned()));
        service::load_settings(&crate::about(), &[], pairs)
    }

    #[test]
    fn how_long_the_brokers_password_is_is_for_its_giver_to_say() {
        assert!(load("k3vQ9tZr").is_ok());
        for missing in ["", "changeme"] {
            let mistakes = load(missing).unwrap_err().to_string();
            assert!(mistakes.starts_with("broker.password"), "{mistakes}");
        }
    }
}
