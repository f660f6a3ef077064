//! What enqueuing promises.

use queue::{Error, Kind, NewTask};

use crate::support::{Queue, Running, settings};

const LIVE: &str = "select count(*) from task";

#[tokio::test]
async fn a_task_of_a_rolled_back_transaction_never_was() {
    let mut queue = Queue::create().await;
    let transaction = queue.admin.transaction().await.unwrap();
    let ids = queue::enqueue(&transaction, &[NewTask::new("a", &())]).await.unwrap();
    assert!(ids[0].is_some());
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
        .traceparent("00-1-2-01");
    let id = queue::enqueue(&*transaction, &[task]).await.unwrap()[0].unwrap();
    transaction.commit().await.unwrap();
    let row = queue
        .admin
        .query_one(
            "select state, queue, kind, priority, attempts_max, tenant, correlation, traceparent, args::text
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
}

#[tokio::test]
async fn a_unique_key_is_held_by_the_live_task_of_its_kind() {
    let queue = Queue::create().await;
    let task = |kind: &str| NewTask::new(kind, &()).unique_key("k");
    let ids = queue.enqueue(&[task("a"), task("a"), task("b")]).await;
    assert_eq!(ids.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(queue.enqueue(&[task("a")]).await, [None]);

    let running =
        Running::start(queue.engine(settings()).kind(Kind::new("a", "default", |_| async { Ok(()) })));
    queue.until_done(1).await;
    assert!(queue.enqueue(&[task("a")]).await[0].is_some(), "the key is free once the task is finished");
    running.stop().await;
}

#[tokio::test]
async fn arguments_are_the_key_where_the_kind_says_so() {
    let queue = Queue::create().await;
    let kind = Kind::new("a", "email", |_| async { Ok(()) }).unique_by_args();
    let only_reports = queue::EngineSettings { queues: [("reports".to_owned(), 1)].into(), ..settings() };
    let running = Running::start(queue.engine(only_reports).kind(kind));
    queue.until("select count(*) from task_kind", 1).await;
    let ids = queue.enqueue(&[NewTask::new("a", &1), NewTask::new("a", &1), NewTask::new("a", &2)]).await;
    assert_eq!(ids.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true]);
    running.stop().await;
}

#[tokio::test]
async fn an_unknown_queue_refuses_the_whole_call() {
    let queue = Queue::create().await;
    let tasks = [NewTask::new("a", &()), NewTask::new("a", &()).queue("emial")];
    let refused = queue::enqueue(&queue.admin, &tasks).await.unwrap_err();
    assert!(matches!(refused, Error::UnknownQueue { queue } if queue == "emial"));
    assert_eq!(queue.number(LIVE).await, 0);
}

#[tokio::test]
async fn arguments_that_are_not_json_are_refused() {
    let queue = Queue::create().await;
    let not_json = std::collections::HashMap::from([((1, 2), 3)]);
    let refused = queue::enqueue(&queue.admin, &[NewTask::new("a", &not_json)]).await.unwrap_err();
    assert!(matches!(refused, Error::Args { kind, .. } if kind == "a"));
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
async fn a_service_may_enqueue_and_not_read() {
    let mut queue = Queue::create().await;
    let web = queue.connect_as("youtility_web").await;
    assert!(queue::enqueue(&web, &[NewTask::new("a", &()).unique_key("k")]).await.unwrap()[0].is_some());
    assert!(web.query("select args from task", &[]).await.is_err());
    assert!(web.execute("delete from task", &[]).await.is_err());
}

#[tokio::test]
async fn the_health_service_may_measure_and_not_read() {
    let mut queue = Queue::create().await;
    let health = queue.connect_as("youtility_health").await;
    assert_eq!(queue::stats(&health).await.unwrap().queues.len(), 6);
    assert!(health.query("select args from task", &[]).await.is_err());
    assert!(health.query("select args from task_dead_letter", &[]).await.is_err());
}
