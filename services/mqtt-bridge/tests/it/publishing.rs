//! Messages of tasks on their way to devices.

use app::publish::{PAYLOAD_BYTES_MAX, PUBLISH_KIND, PUBLISH_QUEUE, Publication};
use local::mosquitto::{Access, Login, PasswordHash};
use queue::NewTask;
use serde_json::Value;
use testkit::{PATIENCE, wait_until};
use uuid::Uuid;

use crate::world::{BRIDGE_PASSWORD, World};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const LIVE: &str = "select count(*) from task";
const BURIED: &str = "select count(*) from task_dead_letter";

fn message(topic: &str) -> Publication {
    let (topic, payload) = (topic.to_owned(), "{\"speed\":3}".to_owned());
    Publication { topic, payload, retain: false, expires_at: None }
}

fn to_pump() -> Publication {
    message("yt/v1/ACME/PUMP-1/cmd/run")
}

/// Enqueues as any process may, past the use case's checks.
async fn enqueue(world: &World, message: &Publication) -> Uuid {
    let task = NewTask::new(PUBLISH_KIND, message)
        .queue(PUBLISH_QUEUE)
        .tenant(*world.client.as_uuid())
        .traceparent(TRACE);
    queue::enqueue(&world.admin, &[task]).await.unwrap()[0].new_id().unwrap()
}

async fn outcome(world: &World, task: Uuid) -> String {
    let result: Value =
        wait_until("the result", PATIENCE, async || queue::result(&world.admin, task).await.unwrap()).await;
    result["outcome"].as_str().unwrap().to_owned()
}

async fn error_of(world: &World, task: Uuid) -> String {
    let sql = "select error from task_dead_letter where id = $1";
    wait_until("the dead letter", PATIENCE, async || {
        world.admin.query_opt(sql, &[&task]).await.unwrap().map(|row| row.get(0))
    })
    .await
}

#[tokio::test]
async fn the_bridge_serves_the_one_kind_of_its_queue_which_the_migrated_database_knows() {
    let migrated = testkit::Database::create().await.count("select count(*) from task_kind").await;
    let world = World::start().await;
    assert_eq!(world.db.count("select count(*) from task_kind").await, migrated);
    let told = "select count(*) from task_kind
                 where registered_at > (select started_at - interval '1 second' from task_worker)
                   and (name, queue) = ('mqtt.publish', 'mqtt')";
    assert_eq!(world.db.count(told).await, 1);
    let serves = "select count(*) from task_worker where queues = '{mqtt}'";
    assert_eq!(world.db.count(serves).await, 1);
    world.bridge.stop().await.unwrap();
}

#[tokio::test]
async fn a_device_hears_its_command_with_what_ties_it_to_its_cause() {
    let world = World::start().await;
    world.broker.keep_commands("PUMP-1").await;
    let task = enqueue(&world, &to_pump()).await;

    let heard = world.broker.commands("PUMP-1", 1, 10).await;
    assert!(heard[0].starts_with("yt/v1/ACME/PUMP-1/cmd/run {\"speed\":3} "), "{heard:?}");
    for property in
        [format!("message-id:{task}"), format!("correlation-id:{task}"), format!("traceparent:{TRACE}")]
    {
        assert!(heard[0].contains(&property), "{heard:?}");
    }
    assert_eq!(outcome(&world, task).await, "heard");
    world.db.wait_for_count(LIVE, 0).await;
    world.bridge.stop().await.unwrap();
}

#[tokio::test]
async fn a_message_that_nobody_subscribed_to_is_done_and_one_that_is_kept_reaches_who_comes_later() {
    let world = World::start().await;
    let task = enqueue(&world, &Publication { retain: true, ..to_pump() }).await;
    assert_eq!(outcome(&world, task).await, "unheard");
    assert_eq!(world.broker.commands("PUMP-1", 1, 10).await.len(), 1);
    assert_eq!(world.db.count("select count(*) from task_attempts where outcome <> 'SUCCEEDED'").await, 0);
    world.bridge.stop().await.unwrap();
}

#[tokio::test]
async fn a_task_cannot_publish_to_another_clients_devices_nor_speak_for_a_device() {
    let world = World::start().await;
    world.db.client("OTHER").await;
    for topic in ["yt/v1/OTHER/PUMP-1/cmd/run", "yt/v1/ACME/PUMP-1/telemetry", "$SYS/broker"] {
        let error = error_of(&world, enqueue(&world, &message(topic)).await).await;
        assert_eq!(error, "1 fields of the message break rules", "{topic}");
    }
    assert_eq!(world.db.count("select count(*) from telemetry_dead_letter").await, 0);
    world.bridge.stop().await.unwrap();
}

#[tokio::test]
async fn the_largest_payload_is_published_and_a_larger_one_given_up_without_harm_to_the_connection() {
    let world = World::start().await;
    world.broker.keep_commands("PUMP-1").await;
    let sized = |bytes| Publication { payload: "x".repeat(bytes), ..to_pump() };
    error_of(&world, enqueue(&world, &sized(PAYLOAD_BYTES_MAX + 1)).await).await;
    let largest = enqueue(&world, &sized(PAYLOAD_BYTES_MAX)).await;
    assert_eq!(outcome(&world, largest).await, "heard");
    assert!(world.broker.commands("PUMP-1", 1, 10).await[0].len() > PAYLOAD_BYTES_MAX);
    world.bridge.stop().await.unwrap();
}

#[tokio::test]
async fn messages_wait_for_a_broker_that_is_away_without_using_up_their_attempts() {
    let mut world = World::start().await;
    world.broker.keep_commands("PUMP-1").await;
    world.broker.stop().await;
    for _ in 0..3 {
        enqueue(&world, &to_pump()).await;
    }
    let snoozed = "select least(count(*), 30) from task_attempt where outcome = 'SNOOZED'";
    world.db.wait_for_count(snoozed, 30).await;
    assert_eq!(world.db.count(BURIED).await, 0);
    world.broker.restart().await;
    world.db.wait_for_count(LIVE, 0).await;
    assert_eq!(world.broker.commands("PUMP-1", 3, 10).await.len(), 3);
    assert_eq!(world.db.count("select count(*) from task_attempt where outcome <> 'SNOOZED'").await, 0);
    world.bridge.stop().await.unwrap();
}

#[tokio::test]
async fn a_message_whose_acknowledgement_never_came_is_published_again_under_the_same_id() {
    let mut path = None;
    let broker_path = &mut path;
    let world = World::start_between(async |broker, settings| {
        let proxy = testkit::ChaosProxy::start(broker.broker.address()).await;
        settings.broker.port = proxy.address().port();
        *broker_path = Some(proxy);
    })
    .await;
    let path = path.unwrap();
    world.broker.keep_commands("PUMP-1").await;
    path.freeze();
    let task = enqueue(&world, &to_pump()).await;
    let failed = "select least(count(*), 1) from task_attempt where outcome = 'FAILED'";
    world.db.wait_for_count(failed, 1).await;
    path.heal();
    assert_eq!(outcome(&world, task).await, "heard");
    for heard in world.broker.commands("PUMP-1", 2, 1).await {
        assert!(heard.contains(&format!("message-id:{task}")), "{heard}");
    }
    world.bridge.stop().await.unwrap();
}

#[tokio::test]
async fn a_message_that_is_of_no_use_any_more_is_not_published() {
    let world = World::start().await;
    world.broker.keep_commands("PUMP-1").await;
    let at = |text: &str| Some(text.parse().unwrap());
    let late = enqueue(&world, &Publication { expires_at: at("2020-01-01T00:00:00Z"), ..to_pump() }).await;
    let in_time = enqueue(&world, &Publication { expires_at: at("2999-01-01T00:00:00Z"), ..to_pump() }).await;
    assert_eq!(outcome(&world, late).await, "expired");
    assert_eq!(outcome(&world, in_time).await, "heard");
    let heard = world.broker.commands("PUMP-1", 2, 1).await;
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert!(heard[0].contains(&format!("message-id:{in_time}")), "{heard:?}");
    world.bridge.stop().await.unwrap();
}

#[tokio::test]
async fn a_message_the_broker_refuses_for_good_is_given_up_at_once() {
    let world = World::start().await;
    let telemetry = Access::Read("yt/v1/+/+/telemetry".to_owned());
    let password = PasswordHash::of(BRIDGE_PASSWORD).unwrap();
    let muted = Login { username: "bridge".to_owned(), password, access: vec![telemetry] };
    world.broker.set_logins(&[muted]);
    let error = wait_until("the broker to have read its files", PATIENCE, async || {
        let task = enqueue(&world, &to_pump()).await;
        world.db.wait_for_count(LIVE, 0).await;
        let sql = "select error from task_dead_letter where id = $1";
        world.admin.query_opt(sql, &[&task]).await.unwrap().map(|row| row.get::<_, String>(0))
    })
    .await;
    assert_eq!(error, "the broker refused the message: NotAuthorized");
    world.bridge.stop().await.unwrap();
}
