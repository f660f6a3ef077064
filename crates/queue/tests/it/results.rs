//! What a task leaves behind for whoever enqueued it: its state, its progress, its result.

use std::sync::Arc;
use std::time::Duration;

use queue::{EngineSettings, Failure, Kind, NewTask, Progress, State};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::support::{Queue, Running, settings, wait_until};

const HOUR: Duration = Duration::from_hours(1);

async fn word(queue: &Queue, id: Uuid) -> &'static str {
    queue::status(&queue.admin, id).await.unwrap().unwrap().word()
}

async fn until_word(queue: &Queue, id: Uuid, wanted: &str) {
    wait_until(wanted, async || {
        let word = word(queue, id).await;
        if word == wanted { Ok(()) } else { Err(word.to_owned()) }
    })
    .await;
}

async fn result(queue: &Queue, id: Uuid) -> Option<Value> {
    queue::result(&queue.admin, id).await.unwrap()
}

#[tokio::test]
async fn a_result_is_kept_for_its_time_where_the_kind_keeps_results() {
    let queue = Queue::create().await;
    let kept = Kind::typed("a", "default", |_, n: i64| async move { Ok(json!({ "twice": n * 2 })) })
        .keep_result(HOUR);
    let dropped = Kind::typed("b", "default", |_, n: i64| async move { Ok(n) });
    let running = Running::start(queue.engine(settings()).kind(kept).kind(dropped));
    let (kept, dropped) =
        (queue.enqueue_one(NewTask::new("a", &21)).await, queue.enqueue_one(NewTask::new("b", &21)).await);
    assert_eq!(result(&queue, Uuid::from_u128(1)).await, None);
    queue.until_done(2).await;
    assert_eq!(result(&queue, kept).await, Some(json!({ "twice": 42 })));
    assert_eq!(result(&queue, dropped).await, None);
    queue.admin.execute("update task_history set result_until = now()", &[]).await.unwrap();
    assert_eq!(result(&queue, kept).await, None, "its time is over");
    running.stop().await;
}

#[tokio::test]
async fn a_result_that_cannot_be_kept_ends_the_task_at_once_and_says_why() {
    let queue = Queue::create().await;
    let kind =
        Kind::new("a", "default", |_| async { Ok("x".repeat(queue::RESULT_BYTES_MAX)) }).keep_result(HOUR);
    let running = Running::start(queue.engine(settings()).kind(kind));
    let id = queue.enqueue_one(NewTask::new("a", &())).await;
    until_word(&queue, id, "FAILURE").await;
    let status = queue::status(&queue.admin, id).await.unwrap().unwrap();
    assert_eq!((status.state, status.attempts, status.has_ended()), (State::Buried, 1, true));
    assert!(status.error.unwrap().starts_with("the result has "));
    running.stop().await;
}

#[tokio::test]
async fn the_largest_result_of_small_numbers_is_kept() {
    let queue = Queue::create().await;
    let many = || vec![1_u8; queue::RESULT_BYTES_MAX / 2 - 1];
    let kind = Kind::new("a", "default", move |_| async move { Ok(many()) }).keep_result(HOUR);
    let running = Running::start(queue.engine(settings()).kind(kind));
    let id = queue.enqueue_one(NewTask::new("a", &())).await;
    queue.until_done(1).await;
    assert_eq!(result(&queue, id).await.unwrap().as_array().unwrap().len(), many().len());
    running.stop().await;
}

#[tokio::test]
async fn arguments_of_another_type_than_the_handler_reads_are_refused_for_good() {
    let queue = Queue::create().await;
    let kind = Kind::typed("a", "default", |_, _: i64| async { Ok(()) });
    let running = Running::start(queue.engine(settings()).kind(kind));
    let id = queue.enqueue_one(NewTask::new("a", &"not a number")).await;
    until_word(&queue, id, "FAILURE").await;
    let status = queue::status(&queue.admin, id).await.unwrap().unwrap();
    assert!(status.error.unwrap().contains("invalid type"), "the reason is told");
    running.stop().await;
}

#[tokio::test]
async fn a_status_follows_the_task_through_its_life() {
    let queue = Queue::create().await;
    let gate = Arc::new(Semaphore::new(0));
    let gate_in = gate.clone();
    let kind = Kind::new("a", "default", move |job| {
        let gate = gate_in.clone();
        async move {
            gate.acquire().await?.forget();
            if job.attempt == 1 { Err(Failure::retry("not yet")) } else { Ok(()) }
        }
    });
    let id = queue.enqueue_one(NewTask::new("a", &())).await;
    assert_eq!(word(&queue, id).await, "PENDING");
    let running = Running::start(queue.engine(settings()).kind(kind.backoff(HOUR, HOUR)));
    until_word(&queue, id, "STARTED").await;
    gate.add_permits(1);
    until_word(&queue, id, "RETRY").await;
    let status = queue::status(&queue.admin, id).await.unwrap().unwrap();
    assert_eq!((status.state, status.attempts, status.has_ended()), (State::Delayed, 1, false));
    assert_eq!(status.error.as_deref(), Some("not yet"));
    gate.add_permits(1);
    queue.admin.execute("update task set run_at = now()", &[]).await.unwrap();
    queue.enqueue_one(NewTask::new("a", &()).delay(HOUR)).await;
    until_word(&queue, id, "SUCCESS").await;
    assert_eq!(queue::status(&queue.admin, id).await.unwrap().unwrap().attempts, 2);
    assert_eq!(queue::status(&queue.admin, Uuid::from_u128(1)).await.unwrap(), None);
    running.stop().await;
}

#[tokio::test]
async fn progress_is_seen_while_the_task_runs() {
    let queue = Queue::create().await;
    let gate = Arc::new(Semaphore::new(0));
    let gate_in = gate.clone();
    let kind = Kind::new("a", "default", move |job| {
        let gate = gate_in.clone();
        async move {
            for step in 0..=3 {
                job.progress(step, 9, &format!("step {step}\0"));
            }
            gate.acquire().await?.forget();
            job.progress(9, 9, "");
            gate.acquire().await?.forget();
            Ok(())
        }
    });
    let quick = EngineSettings { progress_interval_ms: 5, ..settings() };
    let running = Running::start(queue.engine(quick).kind(kind));
    let id = queue.enqueue_one(NewTask::new("a", &())).await;
    let until = async |wanted: Progress| {
        wait_until("the progress", async || {
            let progress = queue::status(&queue.admin, id).await.unwrap().unwrap().progress;
            if progress.as_ref() == Some(&wanted) { Ok(()) } else { Err(format!("{progress:?}")) }
        })
        .await;
    };
    until(Progress { done: 3, total: 9, note: "step 3".to_owned() }).await;
    gate.add_permits(1);
    until(Progress { done: 9, total: 9, note: String::new() }).await;
    gate.add_permits(1);
    queue.until_done(1).await;
    running.stop().await;
}
