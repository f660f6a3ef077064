use std::collections::BTreeMap;

use serde_json::json;
use testkit::{PATIENCE, readiness, wait_until, wait_until_ready};

use crate::world::{READINGS, TestBroker, World, reading, settings};

#[tokio::test]
async fn messages_that_arrive_while_postgresql_is_away_are_stored_and_answered_after_it_returns() {
    let world = World::start().await;
    world.broker.keep_answers("PUMP-1").await;
    world.proxy.cut();
    for value in 0..5 {
        world.broker.publish("PUMP-1", &reading(&json!({ "temperature": value })).1, &[]).await;
    }
    wait_until("the bridge to say that it is not ready", PATIENCE, async || {
        readiness(world.bridge.admin).await.err()
    })
    .await;
    assert!(world.broker.answers("PUMP-1", 1, 1).await.is_empty(), "answered before it was stored");
    assert_eq!(world.db.count(READINGS).await, 0);

    world.proxy.heal();
    assert_eq!(world.broker.answers("PUMP-1", 5, 15).await.len(), 5);
    assert_eq!(world.db.count(READINGS).await, 5);
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
        if !unanswered.is_empty() {
            world.broker.repeat("PUMP-1", &mut unanswered).await;
        }
    }
    assert!(unanswered.is_empty(), "{unanswered:?}");
    assert_eq!(world.db.count(READINGS).await, 10);
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
    world.db.wait_for_count(READINGS, 5).await;
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
    world.db.wait_for_count(READINGS, 5).await;
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
    world.broker.publish("PUMP-1", &reading(&json!({ "temperature": 0 })).1, &["-q", "0"]).await;
    for value in 1..60 {
        world.broker.publish("PUMP-1", &reading(&json!({ "temperature": value })).1, &[]).await;
    }
    world.proxy.heal();
    world.db.wait_for_count(READINGS, 60).await;
    world.bridge.stop().await.unwrap();
}

#[tokio::test]
async fn a_bridge_without_broker_starts_unready_and_recovers() {
    let db = testkit::Database::create().await;
    let mut broker = TestBroker::start().await;
    broker.stop().await;
    let settings = settings(&db, broker.port);
    let bridge = service::spawn(mqtt_bridge::about(), settings, mqtt_bridge::start).await.unwrap();
    assert!(readiness(bridge.admin).await.is_err());
    broker.restart().await;
    wait_until_ready(bridge.admin).await;
    bridge.stop().await.unwrap();
}

#[tokio::test]
async fn a_connection_that_fell_silent_is_noticed_and_made_anew() {
    let db = testkit::Database::create().await;
    let client = db.client("ACME").await;
    let site = db.site(client, "HQ").await;
    db.device(client, site, "PUMP-1").await;
    let broker = TestBroker::start().await;
    let path = testkit::ChaosProxy::start(broker.broker.address()).await;
    let mut settings = settings(&db, path.address().port());
    settings.broker.keep_alive_seconds = 5;
    let bridge = service::spawn(mqtt_bridge::about(), settings, mqtt_bridge::start).await.unwrap();
    wait_until_ready(bridge.admin).await;

    path.freeze();
    broker.publish("PUMP-1", &reading(&json!({ "temperature": 1 })).1, &[]).await;
    wait_until("the silence to be noticed", PATIENCE, async || readiness(bridge.admin).await.err()).await;
    path.heal();
    db.wait_for_count(READINGS, 1).await;
    bridge.stop().await.unwrap();
}
