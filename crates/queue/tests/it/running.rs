//! Which task runs when, and that it runs once.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::{SignedDuration, Timestamp};
use queue::{EngineSettings, Kind, NewTask};
use tokio::sync::Semaphore;

use crate::support::{Queue, Running, Seen, one_by_one, settings};

#[tokio::test]
async fn smaller_priorities_run_first_and_equal_ones_in_order() {
    let queue = Queue::create().await;
    let priorities = [5, 0, 5, -1, 0];
    let tasks: Vec<NewTask> =
        priorities.iter().zip(0..).map(|(priority, n)| NewTask::new("a", &n).priority(*priority)).collect();
    queue.enqueue(&tasks).await;
    let seen = Seen::new();
    let noted = seen.clone();
    let kind = Kind::new("a", "default", move |job| {
        let noted = noted.clone();
        async move {
            noted.push(job.args::<i32>()?);
            Ok(())
        }
    });
    let running = Running::start(queue.engine(one_by_one()).kind(kind));
    queue.until_done(5).await;
    assert_eq!(seen.all(), [3, 1, 4, 0, 2]);
    running.stop().await;
}

#[tokio::test]
async fn a_delayed_task_runs_when_it_is_due_and_not_before() {
    let queue = Queue::create().await;
    let seen = Seen::new();
    let noted = seen.clone();
    let kind = Kind::new("a", "default", move |job| {
        let noted = noted.clone();
        async move {
            noted.push(job.args::<String>()?);
            Ok(())
        }
    });
    let running = Running::start(queue.engine(one_by_one()).kind(kind));
    let now: Timestamp = queue.admin.query_one("select now()", &[]).await.unwrap().get(0);
    let after = |milliseconds| now + SignedDuration::from_millis(milliseconds);
    queue
        .enqueue(&[
            NewTask::new("a", &"later").run_at(after(700)),
            NewTask::new("a", &"sooner").run_at(after(350)),
            NewTask::new("a", &"at once"),
        ])
        .await;
    queue.until_done(3).await;
    assert_eq!(seen.all(), ["at once", "sooner", "later"]);
    let early = "select count(*) from task_attempts join task_history on id = task_id where task_attempts.started_at < run_at";
    assert_eq!(queue.number(early).await, 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_engines_run_no_task_twice() {
    let queue = Queue::create().await;
    let seen = Seen::new();
    let engines: Vec<Running> = (0..8)
        .map(|_| {
            let noted = seen.clone();
            let kind = Kind::new("a", "default", move |job| {
                let noted = noted.clone();
                async move {
                    noted.push(job.id);
                    Ok(())
                }
            });
            let limits = EngineSettings { batch: 7, buffer: 5, ..settings() };
            Running::start(queue.engine(limits).kind(kind))
        })
        .collect();
    queue.until("select count(*) from task_worker", 8).await;
    for part in 0..4 {
        let tasks: Vec<NewTask> = (0..100).map(|number| NewTask::new("a", &(part * 100 + number))).collect();
        queue.enqueue(&tasks).await;
    }
    queue.until_done(400).await;
    let ids = seen.all();
    assert_eq!(ids.len(), 400);
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 400);
    assert_eq!(queue.number("select count(*) from task").await, 0, "finished tasks leave the table");
    assert_eq!(queue.number("select count(*) from task_attempts").await, 400);
    for engine in engines {
        engine.stop().await;
    }
}

#[tokio::test]
async fn a_process_runs_no_more_of_a_queue_than_it_may() {
    let queue = Queue::create().await;
    let (most, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let now = Arc::new(AtomicUsize::new(0));
    let (most_seen, gate_in, now_in) = (most.clone(), gate.clone(), now.clone());
    let kind = Kind::new("a", "email", move |_| {
        let (most, gate, now) = (most_seen.clone(), gate_in.clone(), now_in.clone());
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            gate.acquire().await?.forget();
            now.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        }
    });
    let limits = EngineSettings { queues: [("email".to_owned(), 3)].into(), ..settings() };
    let running = Running::start(queue.engine(limits).kind(kind));
    let tasks: Vec<NewTask> = (0..20).map(|number| NewTask::new("a", &number).queue("email")).collect();
    queue.enqueue(&tasks).await;
    queue.until("select count(*) from task where state = 'RUNNING'", 6).await;
    gate.add_permits(20);
    queue.until_done(20).await;
    assert_eq!(most.load(Ordering::SeqCst), 3);
    running.stop().await;
}

#[tokio::test]
async fn a_queue_runs_no_more_over_all_than_its_row_says() {
    let queue = Queue::create().await;
    queue.admin.execute("update task_queue set running_max = 1 where name = 'default'", &[]).await.unwrap();
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (now_in, most_in) = (now.clone(), most.clone());
    let kind = Kind::new("a", "default", move |_| {
        let (now, most) = (now_in.clone(), most_in.clone());
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            now.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        }
    });
    let running = Running::start(queue.engine(settings()).kind(kind));
    let tasks: Vec<NewTask> = (0..10).map(|number| NewTask::new("a", &number)).collect();
    queue.enqueue(&tasks).await;
    queue.until_done(10).await;
    assert_eq!(most.load(Ordering::SeqCst), 1);
    running.stop().await;
}

#[tokio::test]
async fn a_kind_nobody_knows_waits_and_is_counted() {
    let queue = Queue::create().await;
    // Enqueued by a release that nobody runs any more.
    let orphan = "insert into task (id, queue, kind) values (gen_random_uuid(), 'default', 'unheard-of')";
    queue.admin.execute(orphan, &[]).await.unwrap();
    queue.enqueue_one(NewTask::new("a", &())).await;
    let running =
        Running::start(queue.engine(settings()).kind(Kind::new("a", "default", |_| async { Ok(()) })));
    queue.until_done(1).await;
    let stats = queue::stats(&queue.admin).await.unwrap();
    assert_eq!(stats.unknown_kinds.len(), 1);
    assert_eq!((stats.unknown_kinds[0].kind.as_str(), stats.unknown_kinds[0].tasks), ("unheard-of", 1));
    assert_eq!(queue.texts("select state || attempt from task").await, ["READY0"]);
    let oldest = stats.queues.iter().map(|queue| queue.oldest_age_seconds).fold(0.0, f64::max);
    assert!(oldest.abs() < f64::EPSILON, "it waits for nobody here: {oldest} s");
    running.stop().await;
}

#[tokio::test]
async fn the_handler_gets_what_was_enqueued() {
    let queue = Queue::create().await;
    let seen = Seen::new();
    let noted = seen.clone();
    let kind = Kind::new("a", "default", move |job| {
        let noted = noted.clone();
        async move {
            noted.push(job);
            Ok(())
        }
    });
    let running = Running::start(queue.engine(settings()).kind(kind));
    let (tenant, correlation) = (uuid::Uuid::from_u128(1), uuid::Uuid::from_u128(2));
    let task = NewTask::new("a", &[1, 2]).tenant(tenant).correlation(correlation).traceparent("00-1-2-01");
    let id = queue.enqueue_one(task).await;
    queue.until_done(1).await;
    let job = seen.all().remove(0);
    assert_eq!((job.id, job.kind.as_str(), job.attempt), (id, "a", 1));
    assert_eq!((job.tenant, job.correlation), (Some(tenant), Some(correlation)));
    assert_eq!(job.traceparent.as_deref(), Some("00-1-2-01"));
    assert_eq!(job.args::<Vec<i32>>().unwrap(), [1, 2]);
    running.stop().await;
}
