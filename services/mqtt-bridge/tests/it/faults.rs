use std::collections::BTreeMap;

use serde_json::json;
use testkit::wait_until;

use crate::world::{LIMIT, READINGS, TestBroker, World, is_ready, reading, settings, wait_until_ready};

#[tokio::test]
async fn messages_that_arrive_while_postgresql_is_away_are_stored_and_answered_after_it_returns() {
    let world = World::start().await;
    world.broker.keep_answers("PUMP-1").await;
    world.proxy.cut();
    for value in 0..5 {
        world.broker.publish("PUMP-1", &reading(&json!({ "temperature": value })).1, &[]).await;
    }
    wait_until("the bridge to say that it is not ready", LIMIT, || async {
        (!is_ready(world.bridge.admin).await).then_some(())
    })
    .await;
    assert!(world.broker.answers("PUMP-1", 1, 1).await.is_empty(), "answered before it was stored");
    assert_eq!(world.count(READINGS).await, 0);

    world.proxy.heal();
    assert_eq!(world.broker.answers("PUMP-1", 5, 15).await.len(), 5);
    assert_eq!(world.count(READINGS).await, 5);
    wait_until_ready(world.bridge.admin).await;
    world.bridge.stop().await.unwrap();
}

#[tokio::test]
async fn a_broker_that_stops_and_starts_loses_nothing() {
    let mut world = World::start().await;
    world.broker.keep_answers("PUMP-1").await;
    let mut unanswered = BTreeMap::new();
    world.proxy.cut();
    for value in 0..5 {
        let (id, payload) = reading(&json!({ "temperature": value }));
        world.broker.publish("PUMP-1", &payload, &[]).await;
        unanswered.insert(id.to_string(), payload);
    }
    world.broker.stop().await;
    world.broker.restart().await;
    for value in 5..10 {
        let (id, payload) = reading(&json!({ "temperature": value }));
        world.broker.publish("PUMP-1", &payload, &[]).await;
        unanswered.insert(id.to_string(), payload);
    }
    world.proxy.heal();
    // A device repeats what was not answered: the broker forgets shared subscriptions over a restart, and what it gets
    // before the bridge is back reaches nobody.
    for _round in 0..5 {
        for answer in world.broker.answers("PUMP-1", unanswered.len(), 3).await {
            assert_eq!(answer["stored"], true);
            unanswered.remove(answer["id"].as_str().unwrap());
        }
        for payload in unanswered.values() {
            world.broker.publish("PUMP-1", payload, &[]).await;
        }
    }
    assert!(unanswered.is_empty(), "{unanswered:?}");
    assert_eq!(world.count(READINGS).await, 10);
    wait_until_ready(world.bridge.admin).await;
    world.bridge.stop().await.unwrap();
}

#[tokio::test]
async fn messages_under_way_when_the_broker_stops_are_delivered_again_after_it_starts() {
    let mut world = World::start().await;
    world.proxy.cut();
    for value in 0..5 {
        world.broker.publish("PUMP-1", &reading(&json!({ "temperature": value })).1, &[]).await;
    }
    world.bridge.stop().await.unwrap();
    world.broker.stop().await;
    world.broker.restart().await;

    let settings = settings(&world.db, world.broker.port);
    let bridge = service::spawn(mqtt_bridge::about(), settings, mqtt_bridge::start).await.unwrap();
    wait_until("5 readings", LIMIT, || async {
        let row = world.admin.query_one(READINGS, &[]).await.unwrap();
        (row.get::<_, i64>(0) == 5).then_some(())
    })
    .await;
    bridge.stop().await.unwrap();
}

#[tokio::test]
async fn messages_sent_while_the_bridge_is_away_are_stored_when_it_returns() {
    let world = World::start().await;
    world.bridge.stop().await.unwrap();
    for value in 0..5 {
        world.broker.publish("PUMP-1", &reading(&json!({ "temperature": value })).1, &[]).await;
    }
    let settings = settings(&world.db, world.broker.port);
    let bridge = service::spawn(mqtt_bridge::about(), settings, mqtt_bridge::start).await.unwrap();
    wait_until("5 readings", LIMIT, || async {
        let row = world.admin.query_one(READINGS, &[]).await.unwrap();
        (row.get::<_, i64>(0) == 5).then_some(())
    })
    .await;
    bridge.stop().await.unwrap();
}

#[tokio::test]
async fn more_than_memory_may_hold_ends_the_connection_but_loses_nothing() {
    let world = World::start_with(|settings| {
        settings.broker.receive_maximum = 10;
        settings.broker.queue_messages_max = 10;
        settings.batch.messages_max = 5;
    })
    .await;
    world.proxy.cut();
    for value in 0..60 {
        world.broker.publish("PUMP-1", &reading(&json!({ "temperature": value })).1, &[]).await;
    }
    world.proxy.heal();
    world.wait_for_count(READINGS, 60).await;
    world.bridge.stop().await.unwrap();
}

#[tokio::test]
async fn a_bridge_without_broker_starts_unready_and_recovers() {
    let db = testkit::Database::create().await;
    let mut broker = TestBroker::start().await;
    broker.stop().await;
    let settings = settings(&db, broker.port);
    let bridge = service::spawn(mqtt_bridge::about(), settings, mqtt_bridge::start).await.unwrap();
    assert!(!is_ready(bridge.admin).await);
    broker.restart().await;
    wait_until_ready(bridge.admin).await;
    bridge.stop().await.unwrap();
}
