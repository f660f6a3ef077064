//! The question to the MQTT broker: to a real one, and to things that are none.

use api::health::{HealthCheck, HealthStatus};
use local::mosquitto::{Broker, Login, PasswordHash};
use testkit::Database;

use crate::stage::{Health, answering, env_with};

const PASSWORD: &str = "of the health service";

#[tokio::test(flavor = "multi_thread")]
async fn a_real_broker_is_healthy_until_it_stops_and_again_when_it_is_back() {
    let folder = std::env::temp_dir().join(format!("youtility-health-{}", std::process::id()));
    let broker = Broker::new(&folder, local::port::free(0).unwrap()).unwrap();
    broker.write_logins(&[Login::health(PasswordHash::of(PASSWORD).unwrap())]).unwrap();
    let running = broker.start().await.unwrap();
    let db = Database::create().await;
    let port = broker.address().port().to_string();
    let asked = |password: &'static str| {
        [
            ("BROKER__HOST", "127.0.0.1".to_owned()),
            ("BROKER__PORT", port.clone()),
            ("BROKER__TLS", "disable".to_owned()),
            ("BROKER__PASSWORD", password.to_owned()),
        ]
    };
    let start = async |password| {
        let changes = asked(password);
        let changes: Vec<(&str, &str)> = changes.iter().map(|(key, value)| (*key, value.as_str())).collect();
        Health::start(env_with(&db, &changes)).await
    };
    let health = start(PASSWORD).await;
    let says = async |health: &Health, message: &str| {
        health.report_where(message, |report| report.checks["broker"].message == message).await
    };
    says(&health, "accepts connections").await;
    let stranger = start("guessed").await;
    says(&stranger, "refuses the connection: MQTT reason 0x87").await;
    running.stop().await.unwrap();
    let (_, report) = says(&health, "cannot be reached: connection refused").await;
    assert!(report.causes.contains(&"broker".to_owned()));
    let running = broker.start().await.unwrap();
    says(&health, "accepts connections").await;
    running.stop().await.unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
}

async fn broker_check(connack: &'static [u8], username: &str, tls: &str) -> HealthCheck {
    let db = Database::create().await;
    let port = answering(|_connect| connack.to_vec()).port().to_string();
    let changes = [
        ("BROKER__HOST", "127.0.0.1"),
        ("BROKER__TLS", tls),
        ("BROKER__PORT", port.as_str()),
        ("BROKER__USERNAME", username),
        ("BROKER__PASSWORD", "anything"),
    ];
    let health = Health::start(env_with(&db, &changes)).await;
    let (_, report) =
        health.report_where("the broker", |report| report.checks["broker"].timestamp.is_some()).await;
    report.checks["broker"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_is_judged_by_its_connack() {
    let accepts: &[u8] = &[0x20, 0x03, 0x00, 0x00, 0x00];
    let refuses: &[u8] = &[0x20, 0x03, 0x00, 0x87, 0x00];
    assert_eq!(broker_check(accepts, "health", "disable").await.status, HealthStatus::Healthy);
    let stranger = broker_check(refuses, "health", "disable").await;
    assert_eq!(stranger.message, "refuses the connection: MQTT reason 0x87");
    assert_eq!(
        broker_check(refuses, "", "disable").await.message,
        "answers",
        "a refusal of a stranger is an answer"
    );
    assert_eq!(
        broker_check(b"HTTP/1.1 400 Bad Request\r\n", "", "disable").await.message,
        "does not speak as it should"
    );
    let plain = broker_check(accepts, "health", "verify").await;
    assert_eq!(plain.status, HealthStatus::Unhealthy, "a broker that should speak TLS does not");
}
