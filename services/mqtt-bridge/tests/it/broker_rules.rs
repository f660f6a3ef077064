use serde_json::json;
use testkit::{PATIENCE, readiness, wait_until};
use tokio::process::Command;

use crate::world::{DEAD_LETTERS, DEVICE_PASSWORD, READINGS, World, reading, settings};

async fn publish(world: &World, password: &str, topic: &str) -> std::process::Output {
    let (_, payload) = reading(&json!({ "temperature": 1 }));
    Command::new("mosquitto_pub")
        .args(["-V", "5", "-h", "127.0.0.1", "-p", &world.broker.port.to_string(), "-q", "1"])
        .args(["-u", "ACME.PUMP-1", "-P", password, "-t", topic, "-m", &payload])
        .output()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_wrong_password_and_a_foreign_topic_are_refused_by_the_broker() {
    let world = World::start().await;
    let wrong = publish(&world, "guessed", "yt/v1/ACME/PUMP-1/telemetry").await;
    assert!(!wrong.status.success(), "{wrong:?}");
    for topic in ["yt/v1/ACME/GHOST/telemetry", "yt/v1/OTHER/PUMP-1/telemetry"] {
        let foreign = publish(&world, DEVICE_PASSWORD, topic).await;
        assert!(String::from_utf8_lossy(&foreign.stderr).contains("Not authorized"), "{foreign:?}");
    }
    let own = publish(&world, DEVICE_PASSWORD, "yt/v1/ACME/PUMP-1/telemetry").await;
    assert!(own.status.success(), "{own:?}");

    world.db.wait_for_count(READINGS, 1).await;
    assert_eq!(world.db.count(DEAD_LETTERS).await, 0);
    world.bridge.stop().await.unwrap();
}

#[tokio::test]
async fn a_device_that_names_itself_like_the_bridge_does_not_end_its_session() {
    let world = World::start().await;
    for name in ["youtility-bridge-0", "youtility-bridge-0-tx"] {
        let (_, payload) = reading(&json!({ "temperature": 1 }));
        world.broker.publish("PUMP-1", &payload, &["-i", name]).await;
    }
    world.db.wait_for_count(READINGS, 2).await;
    let log = std::fs::read_to_string(world.broker.broker.log()).unwrap();
    assert!(!log.contains("already connected"), "{log}");
    world.bridge.stop().await.unwrap();
}

#[tokio::test]
async fn a_bridge_with_a_wrong_password_is_never_ready_and_says_why() {
    let world = World::start().await;
    let mut settings = settings(&world.db, world.broker.port);
    settings.broker.password = domain::Secret::new("guessed");
    settings.broker.client_id = "another".to_owned();
    let bridge = service::spawn(mqtt_bridge::about(), settings, mqtt_bridge::start).await.unwrap();
    let admin = bridge.admin;
    let body = wait_until("a reason", PATIENCE, async || match readiness(admin).await {
        Err(words) if words.contains("refused") => Ok(words),
        other => Err(format!("{other:?}")),
    })
    .await;
    assert!(!body.contains("guessed"), "{body}");
    bridge.stop().await.unwrap();
    world.bridge.stop().await.unwrap();
}
