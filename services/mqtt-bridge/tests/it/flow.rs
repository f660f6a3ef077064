use serde_json::json;
use testkit::wait_until_ready;
use uuid::Uuid;

use crate::world::{READINGS, World, reading, settings};

#[tokio::test]
async fn a_reading_is_stored_and_answered() {
    let world = World::start().await;
    world.broker.keep_answers("PUMP-1").await;
    let (id, payload) = reading(&json!({ "temperature": 21.5, "rpm": 1200 }));
    world.broker.publish("PUMP-1", &payload, &[]).await;

    let answers = world.broker.answers("PUMP-1", 1, 10).await;
    assert_eq!(answers, [json!({ "id": id, "stored": true })]);
    let rows = world
        .admin
        .query("select metric, value from telemetry_reading where message_id = $1 order by metric", &[&id])
        .await
        .unwrap();
    let stored: Vec<(String, f64)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(stored, [("rpm".to_owned(), 1200.0), ("temperature".to_owned(), 21.5)]);
    world.bridge.stop().await.unwrap();
}

#[tokio::test]
async fn the_same_message_again_adds_nothing_and_is_answered_again() {
    let world = World::start().await;
    world.broker.keep_answers("PUMP-1").await;
    let (id, payload) = reading(&json!({ "temperature": 21.5 }));
    for _ in 0..3 {
        world.broker.publish("PUMP-1", &payload, &[]).await;
    }
    let answers = world.broker.answers("PUMP-1", 3, 10).await;
    assert_eq!(answers, vec![json!({ "id": id, "stored": true }); 3]);
    assert_eq!(world.db.count(READINGS).await, 1);
    world.bridge.stop().await.unwrap();
}

#[tokio::test]
async fn a_broken_rule_raises_one_ticket_with_its_mail_under_the_messages_correlation_id() {
    let world = World::start().await;
    let group = world.db.group(world.client, "PLUMBERS").await;
    world.db.person(world.client, "asha").email("asha@example.com").group(group).await;
    world.db.alarm_rule(world.client, world.device).above(70.0).group(group).await;
    let correlation = *domain::CorrelationId::generate().as_uuid();
    let property = ["-D", "publish", "user-property", "correlation-id", &correlation.to_string()];
    for _ in 0..2 {
        let (_, payload) = reading(&json!({ "temperature": 90.0 }));
        world.broker.publish("PUMP-1", &payload, &property).await;
    }
    world.db.wait_for_count(READINGS, 2).await;

    let ticket =
        world.admin.query_one("select correlation_id, site_id, group_id from ticket", &[]).await.unwrap();
    assert_eq!(ticket.get::<_, Uuid>(0), correlation);
    assert_eq!(ticket.get::<_, Uuid>(1), *world.site.as_uuid());
    assert_eq!(ticket.get::<_, Option<Uuid>>(2), Some(*group.as_uuid()));
    let task = world.admin.query_one("select kind, queue, tenant, correlation from task", &[]).await.unwrap();
    assert_eq!((task.get(0), task.get(1)), ("ticket.mail", "email"));
    assert_eq!(task.get::<_, Option<Uuid>>(2), Some(*world.client.as_uuid()));
    assert_eq!(task.get::<_, Option<Uuid>>(3), Some(correlation));
    world.bridge.stop().await.unwrap();
}

#[tokio::test]
async fn a_burst_is_stored_whole() {
    let world = World::start_with(|settings| settings.batch.messages_max = 7).await;
    let file = std::env::temp_dir().join(format!("youtility-burst-{}", std::process::id()));
    let lines: Vec<String> = (0..200).map(|value| reading(&json!({ "temperature": value })).1).collect();
    std::fs::write(&file, lines.join("\n")).unwrap();

    let input = std::fs::File::open(&file).unwrap();
    let output = tokio::process::Command::new("mosquitto_pub")
        .args(["-V", "5", "-h", "127.0.0.1", "-p", &world.broker.port.to_string(), "-q", "1", "-l"])
        .args(["-u", "ACME.PUMP-1", "-P", crate::world::DEVICE_PASSWORD, "-t", "yt/v1/ACME/PUMP-1/telemetry"])
        .stdin(input)
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    world.db.wait_for_count(READINGS, 200).await;
    let latest = world.admin.query_one("select value from device_latest", &[]).await.unwrap();
    assert!((latest.get::<_, f64>(0) - 199.0).abs() < f64::EPSILON);
    std::fs::remove_file(&file).unwrap();
    world.bridge.stop().await.unwrap();
}

#[tokio::test]
async fn two_bridges_share_the_work_and_store_each_message_once() {
    let world = World::start().await;
    let mut second = settings(&world.db, world.broker.port);
    second.broker.client_id = "youtility-bridge-1".to_owned();
    let second = service::spawn(mqtt_bridge::about(), second, mqtt_bridge::start).await.unwrap();
    wait_until_ready(second.admin).await;
    world.broker.keep_answers("PUMP-1").await;
    for value in 0..10 {
        world.broker.publish("PUMP-1", &reading(&json!({ "temperature": value })).1, &[]).await;
    }
    assert_eq!(world.broker.answers("PUMP-1", 10, 10).await.len(), 10);
    assert_eq!(world.db.count(READINGS).await, 10);
    second.stop().await.unwrap();
    world.bridge.stop().await.unwrap();
}
