//! A broker, a database, a bridge between them, and a device.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use domain::{ClientId, DeviceId, SiteId};
use local::mosquitto::{Broker, Login, PasswordHash, Running};
use mqtt_bridge::Settings;
use serde_json::{Value, json};
use testkit::{ChaosProxy, Database, wait_until_ready};
use tokio::process::Command;
use tokio_postgres::Client;
use uuid::Uuid;

pub(crate) const DEVICE_PASSWORD: &str = "of the pump";
pub(crate) const BRIDGE_PASSWORD: &str = "of the bridge";

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// A broker of a test's own, in a folder of its own.
pub(crate) struct TestBroker {
    pub(crate) broker: Broker,
    pub(crate) port: u16,
    running: Option<Running>,
    folder: PathBuf,
}

impl TestBroker {
    pub(crate) async fn start() -> Self {
        let name =
            format!("youtility-bridge-{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        let port = local::port::free(0).unwrap();
        let broker = Broker::new(&folder, port).unwrap();
        let hash = |password: &str| PasswordHash::of(password).unwrap();
        let logins = [
            Login::device("ACME", "PUMP-1", hash(DEVICE_PASSWORD)),
            Login::device("ACME", "GHOST", hash(DEVICE_PASSWORD)),
            Login::bridge(hash(BRIDGE_PASSWORD)),
        ];
        broker.write_logins(&logins).unwrap();
        let running = Some(broker.start().await.unwrap());
        Self { broker, port, running, folder }
    }

    pub(crate) async fn stop(&mut self) {
        self.running.take().unwrap().stop().await.unwrap();
    }

    /// Gives the running broker another set of logins.
    pub(crate) fn set_logins(&self, logins: &[Login]) {
        self.running.as_ref().unwrap().set_logins(logins).unwrap();
    }

    pub(crate) async fn restart(&mut self) {
        self.running = Some(self.broker.start().await.unwrap());
    }

    /// Publishes as a device; `extra` are further arguments of `mosquitto_pub`.
    pub(crate) async fn publish(&self, device: &str, payload: &str, extra: &[&str]) {
        let output = Command::new("mosquitto_pub")
            .args(["-V", "5", "-h", "127.0.0.1", "-p", &self.port.to_string(), "-q", "1"])
            .args(["-u", &format!("ACME.{device}"), "-P", DEVICE_PASSWORD])
            .args(["-t", &format!("yt/v1/ACME/{device}/telemetry"), "-m", payload])
            .args(extra)
            .output()
            .await
            .unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    }

    /// Keeps answers for a device at the broker from this moment on.
    pub(crate) async fn keep_answers(&self, device: &str) {
        assert!(self.subscriber(device, "ack").arg("-E").status().await.unwrap().success());
    }

    /// Keeps commands for a device at the broker from this moment on.
    pub(crate) async fn keep_commands(&self, device: &str) {
        assert!(self.subscriber(device, "cmd/#").arg("-E").status().await.unwrap().success());
    }

    /// Reads commands the broker has kept, up to `count`, waiting at most `seconds`: topic, payload, user properties.
    pub(crate) async fn commands(&self, device: &str, count: usize, seconds: u64) -> Vec<String> {
        let output = self
            .subscriber(device, "cmd/#")
            .args(["-C", &count.to_string(), "-W", &seconds.to_string(), "-F", "%t %p %P"])
            .output()
            .await
            .unwrap();
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    /// Reads answers the broker has kept, up to `count`, waiting at most `seconds`.
    pub(crate) async fn answers(&self, device: &str, count: usize, seconds: u64) -> Vec<Value> {
        let output = self
            .subscriber(device, "ack")
            .args(["-C", &count.to_string(), "-W", &seconds.to_string()])
            .output()
            .await
            .unwrap();
        String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Publishes what has no answer, then takes off what is answered; as a device does until it has every answer.
    pub(crate) async fn repeat(&self, device: &str, unanswered: &mut BTreeMap<String, String>) {
        for payload in unanswered.values() {
            self.publish(device, payload, &[]).await;
        }
        // Repeats are answered too, so there may be more answers than messages.
        for answer in self.answers(device, 10_000, 2).await {
            assert_eq!(answer["stored"], true);
            unanswered.remove(answer["id"].as_str().unwrap());
        }
    }

    fn subscriber(&self, device: &str, channel: &str) -> Command {
        let mut command = Command::new("mosquitto_sub");
        command
            .args(["-V", "5", "-h", "127.0.0.1", "-p", &self.port.to_string(), "-q", "1"])
            .args(["-u", &format!("ACME.{device}"), "-P", DEVICE_PASSWORD])
            .args([
                "-i",
                &format!("device-{device}-{}", channel.trim_end_matches("/#")),
                "-c",
                "-x",
                "3600",
                "-t",
                &format!("yt/v1/ACME/{device}/{channel}"),
            ]);
        command
    }
}

impl Drop for TestBroker {
    fn drop(&mut self) {
        drop(self.running.take());
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

/// Everything around one bridge.
pub(crate) struct World {
    pub(crate) db: Database,
    pub(crate) admin: Client,
    pub(crate) broker: TestBroker,
    pub(crate) bridge: service::Running,
    pub(crate) client: ClientId,
    pub(crate) site: SiteId,
    pub(crate) device: DeviceId,
    /// Stands between the bridge and the database.
    pub(crate) proxy: ChaosProxy,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts everything; `change` may change the bridge's settings.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::start_between(async |_, settings| change(settings)).await
    }

    /// The same; `change` may also put something between broker and bridge.
    pub(crate) async fn start_between(change: impl AsyncFnOnce(&TestBroker, &mut Settings)) -> Self {
        let db = Database::create().await;
        let client = db.client("ACME").await;
        let site = db.site(client, "HQ").await;
        let device = db.device(client, site, "PUMP-1").await;
        let broker = TestBroker::start().await;
        let proxy = ChaosProxy::start(db.address()).await;
        let mut settings = settings(&db, broker.port);
        settings.database.port = proxy.address().port();
        change(&broker, &mut settings).await;
        let bridge = service::spawn(mqtt_bridge::about(), settings, mqtt_bridge::start).await.unwrap();
        wait_until_ready(bridge.admin).await;
        let admin = db.admin().await;
        Self { db, admin, broker, bridge, client, site, device, proxy }
    }
}

pub(crate) const READINGS: &str = "select count(*) from telemetry_reading";
pub(crate) const DEAD_LETTERS: &str = "select count(*) from telemetry_dead_letter";

/// Settings of a bridge in development between a database and a broker.
pub(crate) fn settings(db: &Database, broker_port: u16) -> Settings {
    service::load_settings(&mqtt_bridge::about(), &[], environment(db, broker_port)).unwrap()
}

/// The same as environment variables.
pub(crate) fn environment(db: &Database, broker_port: u16) -> Vec<(String, String)> {
    let port = broker_port.to_string();
    let env = [db.env("bridge"), testkit::process_env()].concat();
    let more = [
        ("BROKER__PORT", port.as_str()),
        ("BROKER__TLS", "disable"),
        ("BROKER__PASSWORD", BRIDGE_PASSWORD),
        ("BROKER__RECONNECT_DELAY_MIN_MS", "50"),
        ("BROKER__RECONNECT_DELAY_MAX_MS", "200"),
        ("BATCH__RETRY_DELAY_MAX_MS", "200"),
        ("QUEUE__POLL_INTERVAL_MS", "100"),
        ("QUEUE__RETRY_MAX_MS", "200"),
        ("TASKS__PUBLISH_PATIENCE_MS", "100"),
        ("TASKS__PUBLISH_AWAY_PAUSE_MS", "100"),
        ("TASKS__PUBLISH_ANSWER_TIMEOUT_MS", "2000"),
        ("TASKS__PUBLISH_BACKOFF_MIN_MS", "50"),
        ("TASKS__PUBLISH_BACKOFF_MAX_MS", "200"),
    ];
    testkit::env_with(env, &more)
}

/// A payload with a fresh id, measured at this moment.
pub(crate) fn reading(values: &Value) -> (Uuid, String) {
    let id = *domain::MessageId::generate().as_uuid();
    let at = service::Clock::system().now();
    (id, json!({ "id": id, "at": at.to_string(), "values": values }).to_string())
}
