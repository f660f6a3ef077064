//! Seeing and steering.

use queue::{EngineSettings, Kind, NewTask};

use crate::support::{Queue, Running, settings};

fn kind() -> Kind {
    Kind::new("a", "default", |_| async { Ok(()) })
}

#[tokio::test]
async fn a_paused_queue_waits_and_goes_on_when_resumed() {
    let queue = Queue::create().await;
    queue::pause(&queue.admin, "default").await.unwrap();
    queue.enqueue(&[NewTask::new("a", &()), NewTask::new("a", &()).queue("email")]).await;
    let running = Running::start(queue.engine(settings()).kind(kind()));
    queue.until_done(1).await;
    let stats = queue::stats(&queue.admin).await.unwrap();
    let default = stats.queues.iter().find(|queue| queue.name == "default").unwrap();
    assert_eq!((default.paused, default.ready, default.running), (true, 1, 0));
    assert!(default.oldest_age_seconds > 0.0);
    queue::resume(&queue.admin, "default").await.unwrap();
    queue.until_done(2).await;
    running.stop().await;
    assert!(queue::pause(&queue.admin, "nowhere").await.is_err());
}

#[tokio::test]
async fn workers_report_and_kinds_are_registered() {
    let queue = Queue::create().await;
    let running = Running::start(queue.engine(settings()).kind(kind().attempts_max(4)));
    queue.until("select count(*) from task_worker where heartbeat_at > started_at", 1).await;
    let stats = queue::stats(&queue.admin).await.unwrap();
    assert_eq!((stats.workers_alive, stats.dead_letters()), (1, 0));
    assert!(stats.heartbeat_at.is_some());
    let worker = queue.texts("select id::text from task_worker").await;
    assert_eq!(worker, [running.id.to_string()]);
    assert_eq!(
        queue.texts("select name || ':' || queue || ':' || attempts_max from task_kind").await,
        ["a:default:4"]
    );
    running.stop().await;
}

#[tokio::test]
async fn partitions_are_made_ahead_of_their_days() {
    let queue = Queue::create().await;
    let tomorrow_on = queue::ensure_partitions(&queue.admin, 7).await.unwrap();
    assert_eq!(tomorrow_on, 8, "three of seven days were there, for two tables");
    assert_eq!(queue::ensure_partitions(&queue.admin, 7).await.unwrap(), 0);
    let running = Running::start(queue.engine(settings()).kind(kind()));
    queue.enqueue_one(NewTask::new("a", &())).await;
    queue.until_done(1).await;
    assert_eq!(queue.number("select count(*) from task_history_default").await, 0, "today has its partition");
    running.stop().await;
}

#[test]
fn settings_refuse_what_they_do_not_know_and_what_cannot_work() {
    let unknown = serde_json::from_str::<EngineSettings>(r#"{"poll_intervall_ms": 1}"#);
    assert!(unknown.unwrap_err().to_string().contains("poll_intervall_ms"));
    let partial: EngineSettings = serde_json::from_str(r#"{"batch": 3}"#).unwrap();
    assert_eq!(partial, EngineSettings { batch: 3, ..EngineSettings::default() });
    assert!(EngineSettings::default().mistakes().is_empty());
    let short = EngineSettings { lease_ms: 10, heartbeat_ms: 10, ..EngineSettings::default() };
    assert_eq!(short.mistakes(), [("lease_ms", "use at least five heartbeats")]);
}
