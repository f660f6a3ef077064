//! What enqueuing promises.

use std::time::Duration;

use queue::{Enqueued, Error, Kind, NewTask};

use crate::support::Queue;

const LIVE: &str = "select count(*) from task";

#[tokio::test]
async fn a_task_of_a_rolled_back_transaction_never_was() {
    let mut queue = Queue::create().await;
    let transaction = queue.admin.transaction().await.unwrap();
    let answer = queue::enqueue(&transaction, &[NewTask::new("a", &())]).await.unwrap();
    assert!(matches!(answer[..], [Enqueued::New(_)]));
    transaction.rollback().await.unwrap();
    assert_eq!(queue.number(LIVE).await, 0);
}

#[tokio::test]
async fn a_task_of_a_committed_transaction_is_there_with_all_it_was_given() {
    let queue = Queue::create().await;
    let mut client = queue.pool.get().await.unwrap();
    let transaction = client.transaction().await.unwrap();
    let (tenant, correlation) = (uuid::Uuid::from_u128(1), uuid::Uuid::from_u128(2));
    let task = NewTask::new("a", &serde_json::json!({"x": 1}))
        .queue("email")
        .priority(-3)
        .attempts_max(4)
        .tenant(tenant)
        .correlation(correlation)
        .traceparent("00-1-2-01")
        .created_by("a person");
    let id = queue::enqueue(&*transaction, &[task]).await.unwrap()[0].new_id().unwrap();
    transaction.commit().await.unwrap();
    let row = queue
        .admin
        .query_one(
            "select state, queue, kind, priority, attempts_max, tenant, correlation, traceparent, args::text, created_by
               from task where id = $1",
            &[&id],
        )
        .await
        .unwrap();
    assert_eq!(row.get::<_, &str>(0), "READY");
    assert_eq!((row.get::<_, &str>(1), row.get::<_, &str>(2)), ("email", "a"));
    assert_eq!((row.get::<_, i16>(3), row.get::<_, i32>(4)), (-3, 4));
    assert_eq!((row.get::<_, uuid::Uuid>(5), row.get::<_, uuid::Uuid>(6)), (tenant, correlation));
    assert_eq!((row.get::<_, &str>(7), row.get::<_, &str>(8)), ("00-1-2-01", r#"{"x": 1}"#));
    let audit = "select actor || ' ' || action from task_audit";
    assert_eq!(queue.texts(audit).await, ["a person ENQUEUED"]);
    assert_eq!(row.get::<_, &str>(9), "a person");
}

#[tokio::test]
async fn tasks_that_differ_in_everything_go_in_one_call() {
    let queue = Queue::create().await;
    let hour = Duration::from_hours(1);
    let answer = queue
        .enqueue(&[
            NewTask::new("a", &1),
            NewTask::new("b", &2).queue("email").priority(7).delay(hour),
            NewTask::new("a", &3).tenant(uuid::Uuid::from_u128(9)).run_at(jiff::Timestamp::UNIX_EPOCH),
        ])
        .await;
    assert!(answer.iter().all(|one| one.new_id().is_some()), "{answer:?}");
    let rows = queue
        .texts(
            "select concat_ws(' ', args, kind, queue, priority, state, tenant is not null,
                              extract(epoch from run_at - created_at)::integer)
               from task order by args",
        )
        .await;
    assert_eq!(rows[..2], ["1 a default 0 READY f 0", "2 b email 7 DELAYED f 3600"]);
    assert!(rows[2].starts_with("3 a default 0 READY t -"), "{}", rows[2]);
}

#[tokio::test]
async fn an_unknown_name_refuses_the_whole_call() {
    let queue = Queue::create().await;
    for keyed in [false, true] {
        let task = |kind: &str| {
            if keyed { NewTask::new(kind, &()).unique_key("k") } else { NewTask::new(kind, &()) }
        };
        let refused = queue::enqueue(&queue.admin, &[task("a"), task("b").queue("emial")]).await.unwrap_err();
        assert!(matches!(refused, Error::UnknownQueue { queue } if queue == "emial"));
        let refused = queue::enqueue(&queue.admin, &[task("a"), task("c")]).await.unwrap_err();
        assert!(matches!(refused, Error::UnknownKind { kind } if kind == "c"));
        assert_eq!(queue.number(LIVE).await, 0);
    }
}

#[tokio::test]
async fn kinds_are_declared_before_the_first_engine_starts_and_again_when_they_change() {
    let queue = Queue::create().await;
    let kind = || Kind::new("c", "reports", |_| async { Ok(()) }).description("makes a report");
    queue::declare(&queue.admin, &[kind()]).await.unwrap();
    queue::declare(&queue.admin, &[kind().attempts_max(3).keep_result(Duration::from_mins(1))])
        .await
        .unwrap();
    let row =
        "select concat_ws(' ', queue, attempts_max, result_ms, description) from task_kind where name = 'c'";
    assert_eq!(queue.texts(row).await, ["reports 3 60000 makes a report"]);
    queue.enqueue_one(NewTask::new("c", &())).await;

    let refused = queue::declare(&queue.admin, &[kind(), kind()]).await.unwrap_err();
    assert!(matches!(refused, Error::Duplicate { name } if name == "c"));
    let nowhere = Kind::new("d", "nowhere", |_| async { Ok(()) });
    let refused = queue::declare(&queue.admin, &[kind(), nowhere]).await.unwrap_err();
    assert!(matches!(refused, Error::UnknownQueue { queue } if queue == "nowhere"));
    assert!(matches!(
        queue::declare(&queue.admin, &[kind().attempts_max(0)]).await.unwrap_err(),
        Error::Unusable { .. }
    ));
}

#[tokio::test]
async fn what_no_table_would_take_is_refused_before() {
    let queue = Queue::create().await;
    let not_json = std::collections::HashMap::from([((1, 2), 3)]);
    let refused = queue::enqueue(&queue.admin, &[NewTask::new("a", &not_json)]).await.unwrap_err();
    assert!(matches!(refused, Error::Args { kind, .. } if kind == "a"));
    let task = || NewTask::new("a", &());
    for wrong in [
        task().attempts_max(0),
        task().unique_key(""),
        task().idempotency_key("k".repeat(queue::KEY_CHARS_MAX + 1)),
        task().unique_for("k", Duration::ZERO),
        task().created_by(""),
        task().traceparent("0".repeat(201)),
    ] {
        let refused = queue::enqueue(&queue.admin, &[task(), wrong.clone()]).await.unwrap_err();
        assert!(matches!(refused, Error::Unusable { .. }), "{wrong:?}: {refused}");
    }
    assert_eq!(queue.number(LIVE).await, 0);
}

#[tokio::test]
async fn thousands_go_in_one_call_and_too_many_do_not() {
    let queue = Queue::create().await;
    let tasks: Vec<NewTask> = (0..5_000).map(|number| NewTask::new("a", &number)).collect();
    assert_eq!(queue.enqueue(&tasks).await.len(), 5_000);
    assert_eq!(queue.number(LIVE).await, 5_000);
    let too_many = vec![NewTask::new("a", &()); queue::TASKS_PER_CALL_MAX + 1];
    assert!(matches!(queue::enqueue(&queue.admin, &too_many).await, Err(Error::TooMany { .. })));
    assert!(queue::enqueue(&queue.admin, &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_service_may_enqueue_whatever_it_likes() {
    let mut queue = Queue::create().await;
    let web = queue.connect_as("youtility_web").await;
    let task = || NewTask::new("a", &());
    let tasks = [
        task(),
        task().unique_key("k"),
        task().idempotency_key("k"),
        task().unique_for("k", Duration::from_secs(1)),
    ];
    let answer = queue::enqueue(&web, &tasks).await.unwrap();
    assert!(answer.iter().all(|one| one.new_id().is_some()), "{answer:?}");
    let again = queue::enqueue(&web, &tasks[1..3]).await.unwrap();
    assert_eq!(again, [Enqueued::Held(answer[1].id()), Enqueued::Held(answer[2].id())]);
    let workflow =
        queue::Workflow::new().task("first", task()).task("second", task()).after("second", &["first"]);
    assert_eq!(queue::enqueue_workflow(&web, &workflow).await.unwrap().len(), 2);
}

#[tokio::test]
async fn the_health_service_may_measure_and_not_read() {
    let mut queue = Queue::create().await;
    let health = queue.connect_as("youtility_health").await;
    assert_eq!(queue::stats(&health).await.unwrap().queues.len(), 6);
    assert!(health.query("select args from task", &[]).await.is_err());
    assert!(health.query("select args from task_dead_letter", &[]).await.is_err());
}
