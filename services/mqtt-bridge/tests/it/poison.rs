use serde_json::{Value, json};

use crate::world::{DEAD_LETTERS, READINGS, World, reading};

#[tokio::test]
async fn what_cannot_be_read_is_kept_byte_for_byte_and_the_next_message_still_flows() {
    let world = World::start().await;
    world.broker.keep_answers("PUMP-1").await;
    world.broker.publish("PUMP-1", "{\"id\": not json", &[]).await;
    let (bad, empty) = reading(&json!({}));
    world.broker.publish("PUMP-1", &empty, &[]).await;
    let (good, payload) = reading(&json!({ "temperature": 20 }));
    world.broker.publish("PUMP-1", &payload, &[]).await;

    let answers = world.broker.answers("PUMP-1", 3, 10).await;
    assert_eq!(answers.len(), 3, "{answers:?}");
    assert_eq!((&answers[0]["stored"], answers[0].get("id")), (&Value::Bool(false), None));
    assert_eq!(answers[1], json!({ "id": bad, "stored": false, "reason": "the message carries no values" }));
    assert_eq!(answers[2], json!({ "id": good, "stored": true }));
    let letter = world
        .admin
        .query_one("select topic, payload from telemetry_dead_letter order by id limit 1", &[])
        .await
        .unwrap();
    assert_eq!(letter.get::<_, &str>(0), "yt/v1/ACME/PUMP-1/telemetry");
    assert_eq!(letter.get::<_, &[u8]>(1), b"{\"id\": not json");
    assert_eq!(world.db.count(DEAD_LETTERS).await, 2);
    world.bridge.stop().await.unwrap();
}

#[tokio::test]
async fn a_device_the_database_does_not_know_is_refused_and_never_created() {
    let world = World::start().await;
    world.broker.keep_answers("GHOST").await;
    let (id, payload) = reading(&json!({ "temperature": 20 }));
    world.broker.publish("GHOST", &payload, &[]).await;

    let answers = world.broker.answers("GHOST", 1, 10).await;
    assert_eq!(answers[0]["id"], json!(id));
    assert_eq!(answers[0]["stored"], Value::Bool(false));
    assert_eq!(world.db.count(DEAD_LETTERS).await, 1);
    assert_eq!(world.db.count(READINGS).await, 0);
    assert_eq!(world.db.count("select count(*) from device").await, 1);
    world.bridge.stop().await.unwrap();
}

#[tokio::test]
async fn one_message_the_database_refuses_does_not_hold_back_its_batch() {
    let world = World::start().await;
    world
        .admin
        .batch_execute("alter table telemetry_reading add constraint no_thirteen check (value <> 13)")
        .await
        .unwrap();
    world.broker.keep_answers("PUMP-1").await;
    for value in [11, 12, 13, 14, 15] {
        world.broker.publish("PUMP-1", &reading(&json!({ "temperature": value })).1, &[]).await;
    }
    let answers = world.broker.answers("PUMP-1", 5, 10).await;
    let stored: Vec<bool> = answers.iter().map(|answer| answer["stored"].as_bool().unwrap()).collect();
    assert_eq!(stored, [true, true, false, true, true]);
    assert!(!answers[2]["reason"].as_str().unwrap().contains("no_thirteen"), "{answers:?}");
    assert_eq!(world.db.count(READINGS).await, 4);
    assert_eq!(
        world.db.count("select count(*) from telemetry_dead_letter where sqlstate = '23514'").await,
        1
    );
    world.bridge.stop().await.unwrap();
}

#[tokio::test]
async fn a_message_whose_refusal_would_carry_a_nul_holds_nobody_up() {
    let world = World::start().await;
    world.broker.keep_answers("PUMP-1").await;
    let payloads = [
        reading(&json!({ "temperature": 20 })).1,
        r#"{"a\u0000b":1}"#.to_owned(),
        r#"{"id":"\u0000"}"#.to_owned(),
        reading(&json!({ "temperature": 21 })).1,
    ];
    for payload in &payloads {
        world.broker.publish("PUMP-1", payload, &[]).await;
    }
    let answers = world.broker.answers("PUMP-1", 4, 10).await;
    let stored: Vec<bool> = answers.iter().map(|answer| answer["stored"].as_bool().unwrap()).collect();
    assert_eq!(stored, [true, false, false, true]);
    assert_eq!(world.db.count(READINGS).await, 2);
    let sql = "select payload, reason from telemetry_dead_letter order by id limit 1";
    let letter = world.admin.query_one(sql, &[]).await.unwrap();
    assert_eq!(letter.get::<_, &[u8]>(0), payloads[1].as_bytes());
    assert!(letter.get::<_, &str>(1).contains("a\u{fffd}b"), "{}", letter.get::<_, &str>(1));
    world.bridge.stop().await.unwrap();
}

#[tokio::test]
async fn a_dead_letter_the_database_refuses_is_kept_without_its_texts_and_the_others_whole() {
    let world = World::start().await;
    world
        .admin
        .batch_execute(
            "alter table telemetry_dead_letter add constraint no_empty check (reason not like '%EOF%')",
        )
        .await
        .unwrap();
    world.broker.keep_answers("PUMP-1").await;
    world.proxy.cut();
    for payload in ["{", "[]", &reading(&json!({ "temperature": 21 })).1] {
        world.broker.publish("PUMP-1", payload, &[]).await;
    }
    world.proxy.heal();
    assert_eq!(world.broker.answers("PUMP-1", 3, 10).await.len(), 3);
    world.db.wait_for_count(READINGS, 1).await;
    assert_eq!(world.db.count("select count(*) from telemetry_dead_letter where topic = 'unknown'").await, 1);
    assert_eq!(world.db.count(DEAD_LETTERS).await, 2);
    world.bridge.stop().await.unwrap();
}
