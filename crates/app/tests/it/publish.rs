//! Messages to devices.

use app::Error;
use app::publish::{self, COMMAND_EXPIRES_AFTER, PAYLOAD_BYTES_MAX, PUBLISH_KIND, Publication};
use domain::Capability;

use crate::world::{World, noon};

fn message(topic: &str) -> Publication {
    Publication { topic: topic.to_owned(), payload: "{}".to_owned(), retain: false, expires_at: None }
}

#[tokio::test]
async fn a_message_is_a_task_of_its_client_that_carries_its_cause() {
    let world = World::create().await;
    let actor = world.actor(world.asha);
    let message = message("yt/v1/ACME/PUMP-1/cmd/run");
    publish::publish(&world.web, &actor, &message, noon()).await.unwrap();
    let sql = "select kind, queue, tenant, correlation, args from task";
    let task = world.db.admin().await.query_one(sql, &[]).await.unwrap();
    assert_eq!((task.get(0), task.get(1)), (PUBLISH_KIND, publish::PUBLISH_QUEUE));
    assert_eq!(task.get::<_, uuid::Uuid>(2), *world.client.as_uuid());
    assert_eq!(task.get::<_, uuid::Uuid>(3), *actor.correlation_id.as_uuid());
    let published: Publication = serde_json::from_value(task.get(4)).unwrap();
    assert_eq!(published, Publication { expires_at: Some(noon() + COMMAND_EXPIRES_AFTER), ..message });
    let told =
        "audit_event where action = 'message_published' and detail->>'topic' = 'yt/v1/ACME/PUMP-1/cmd/run'
                 and person_id is not null and not detail ? 'payload'";
    assert_eq!(world.count(told).await, 1);
}

#[tokio::test]
async fn a_command_keeps_the_expiry_it_has_and_what_happened_needs_none() {
    let world = World::create().await;
    let actor = world.actor(world.asha);
    let expires_at = Some(noon() + jiff::SignedDuration::from_hours(9));
    let sent = [
        Publication { expires_at, ..message("yt/v1/ACME/PUMP-1/cmd/run") },
        Publication { retain: true, ..message("yt/v1/ACME/.feed/ticket") },
    ];
    for message in &sent {
        publish::publish(&world.web, &actor, message, noon()).await.unwrap();
    }
    let rows = world.db.admin().await.query("select args from task order by id", &[]).await.unwrap();
    let kept: Vec<Publication> = rows.iter().map(|row| serde_json::from_value(row.get(0)).unwrap()).collect();
    assert_eq!(kept, sent);
}

#[tokio::test]
async fn who_may_not_administer_the_client_may_not_publish() {
    let world = World::create().await;
    let others: Vec<Capability> =
        Capability::ALL.iter().copied().filter(|one| *one != Capability::Admin).collect();
    let actor = world.actor_with(world.asha, &others);
    let refused = publish::publish(&world.web, &actor, &message("yt/v1/ACME/PUMP-1/cmd/run"), noon()).await;
    assert!(matches!(refused, Err(Error::Forbidden(Capability::Admin))), "{refused:?}");
    assert_eq!((world.count("task").await, world.count("audit_event").await), (0, 0));
}

#[tokio::test]
async fn foreign_topics_and_payloads_that_are_too_large_are_refused_with_the_field() {
    let world = World::create().await;
    world.db.client("OTHER").await;
    let large = Publication { payload: "x".repeat(PAYLOAD_BYTES_MAX + 1), ..message("yt/v1/ACME/.feed/a") };
    for (message, pointer) in [
        (message("yt/v1/OTHER/PUMP-1/cmd/run"), "/topic"),
        (message("yt/v1/ACME/PUMP-1/telemetry"), "/topic"),
        (large, "/payload"),
        (Publication { retain: true, ..message("yt/v1/ACME/PUMP-1/cmd/run") }, "/retain"),
    ] {
        match publish::publish(&world.web, &world.actor(world.asha), &message, noon()).await {
            Err(Error::InvalidMessage(fields)) => assert_eq!(fields[0].pointer, pointer),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((world.count("task").await, world.count("audit_event").await), (0, 0));
}
