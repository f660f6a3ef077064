//! How an engine stops.

use std::sync::Arc;

use queue::{EngineSettings, Kind, NewTask};
use tokio::sync::Notify;

use crate::support::{Queue, Running, one_by_one, settings};

const HELD: &str = "select count(*) from task where state = 'RUNNING'";

#[tokio::test]
async fn a_drain_hands_waiting_tasks_back_at_once_and_lets_running_ones_finish() {
    let queue = Queue::create().await;
    let gate = Arc::new(Notify::new());
    let inside = gate.clone();
    let kind = Kind::new("a", "default", move |_| {
        let gate = inside.clone();
        async move {
            gate.notified().await;
            Ok(())
        }
    });
    let limits = EngineSettings { buffer: 10, drain_timeout_ms: 60_000, ..one_by_one() };
    let running = Running::start(queue.engine(limits).kind(kind));
    let tasks: Vec<NewTask> = (0..5).map(|number| NewTask::new("a", &number)).collect();
    queue.enqueue(&tasks).await;
    queue.until(HELD, 2).await;

    running.begin_stop();
    queue.until("select count(*) from task where state = 'READY' and attempt = 0", 4).await;
    queue.until("select count(*) from task_worker where state = 'DRAINING'", 1).await;
    assert_eq!(queue.number(HELD).await, 1, "the running one goes on");
    gate.notify_one();
    running.stop().await;
    assert_eq!(queue.number("select count(*) from task_history").await, 1);
    assert_eq!(queue.number("select count(*) from task_worker").await, 0, "the worker signed off");
}

#[tokio::test]
async fn a_drain_that_takes_too_long_hands_running_tasks_back_uncounted() {
    let queue = Queue::create().await;
    let kind = Kind::new("a", "default", |_| std::future::pending::<Result<(), queue::Failure>>());
    let limits = EngineSettings { drain_timeout_ms: 100, ..settings() };
    let running = Running::start(queue.engine(limits).kind(kind));
    queue.enqueue(&[NewTask::new("a", &1), NewTask::new("a", &2)]).await;
    queue.until(HELD, 2).await;
    running.stop().await;
    let back = "select count(*) from task where state = 'READY' and attempt = 0 and crashes = 0";
    assert_eq!(queue.number(back).await, 2);
    assert_eq!(queue.texts("select outcome from task_attempts").await, ["INTERRUPTED", "INTERRUPTED"]);
}

#[tokio::test]
async fn an_engine_stops_before_it_has_reached_postgresql() {
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(local::port::free(0).unwrap()).user("nobody");
    let running = Running::start(queue::Engine::builder(crate::support::pool(&config), settings()));
    running.stop().await;
}

#[tokio::test]
async fn an_engine_waits_for_the_migration_that_makes_its_queue() {
    let queue = Queue::create().await;
    let limits = EngineSettings { queues: [("later".to_owned(), 1)].into(), ..settings() };
    let engine = queue.engine(limits).kind(Kind::new("a", "later", |_| async { Ok(()) })).build().unwrap();
    let begun = engine.watch_begun();
    let stop = tokio_util::sync::CancellationToken::new();
    let mut work = tokio::task::JoinSet::new();
    work.spawn(engine.run(stop.clone()));
    assert_eq!(queue.number("select count(*) from task_worker").await, 0);
    assert!(!begun());
    queue.admin.batch_execute("insert into task_queue (name) values ('later')").await.unwrap();
    queue.enqueue_one(NewTask::new("a", &()).queue("later")).await;
    queue.until_done(1).await;
    assert!(begun());
    stop.cancel();
    work.join_next().await.unwrap().unwrap().unwrap();
}
