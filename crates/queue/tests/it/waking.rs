//! How an idle engine hears of work.

use std::time::{Duration, Instant};

use queue::{Engine, EngineSettings, Kind, NewTask};

use crate::support::{Queue, Running, settings};

const LISTENING: &str = "select count(*) from pg_stat_activity
                          where datname = current_database() and query like 'listen queue_ready%'";

fn kind() -> Kind {
    Kind::new("a", "default", |_| async { Ok(()) })
}

/// Waits until the engine listens and has nothing left to look at.
async fn idle(queue: &Queue) {
    queue.until(LISTENING, 1).await;
    queue.enqueue_one(NewTask::new("a", &())).await;
    queue.until_done(1).await;
}

#[tokio::test]
async fn a_notification_wakes_long_before_the_poll_interval() {
    let queue = Queue::create().await;
    let running = Running::start(queue.engine(settings()).kind(kind()));
    idle(&queue).await;
    let begun = Instant::now();
    queue.enqueue_one(NewTask::new("a", &())).await;
    queue.until_done(2).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "the poll interval is a minute");
    running.stop().await;
}

#[tokio::test]
async fn a_lost_listening_connection_is_opened_again() {
    let queue = Queue::create().await;
    let running = Running::start(queue.engine(settings()).kind(kind()));
    idle(&queue).await;
    let listener = "select pid::int8 from pg_stat_activity
                     where datname = current_database() and query like 'listen queue_ready%'";
    let lost = queue.number(listener).await;
    queue.admin.query("select pg_terminate_backend($1::int8::int4)", &[&lost]).await.unwrap();
    // Enqueued while nobody listens: the new connection looks at once.
    queue.enqueue_one(NewTask::new("a", &())).await;
    queue.until_done(2).await;
    queue.until(&format!("{LISTENING} and pid <> {lost}"), 1).await;
    queue.enqueue_one(NewTask::new("a", &())).await;
    queue.until_done(3).await;
    running.stop().await;
}

#[tokio::test]
async fn without_notifications_polling_finds_the_work() {
    let queue = Queue::create().await;
    let limits = EngineSettings { poll_interval_ms: 50, ..settings() };
    let running = Running::start(Engine::builder(queue.pool.clone(), limits).kind(kind()));
    queue.until("select count(*) from task_worker", 1).await;
    queue.enqueue_one(NewTask::new("a", &())).await;
    queue.until_done(1).await;
    assert_eq!(queue.number(LISTENING).await, 0);
    running.stop().await;
}
