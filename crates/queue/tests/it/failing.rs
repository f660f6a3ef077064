//! How failures are treated.

use std::time::Duration;

use queue::{DeadLetterFilter, Failure, Kind, NewTask};

use crate::support::{Queue, Running, Seen, settings};

const OUTCOMES: &str = "select outcome from task_attempts order by finished_at";
const BURIED: &str = "select count(*) from task_dead_letter";

fn quick(kind: Kind) -> Kind {
    kind.backoff(Duration::from_millis(1), Duration::from_millis(20))
}

#[derive(Debug, thiserror::Error)]
#[error("the letter was not taken")]
struct Outer(#[source] std::num::ParseIntError);

fn nested() -> Outer {
    Outer("x".parse::<i32>().unwrap_err())
}

#[tokio::test]
async fn a_failed_task_is_tried_again_until_it_succeeds() {
    let queue = Queue::create().await;
    let kind = quick(Kind::new("a", "default", |job| async move {
        if job.attempt < 3 { Err(Failure::retry("not yet")) } else { Ok(()) }
    }));
    let running = Running::start(queue.engine(settings()).kind(kind));
    queue.enqueue_one(NewTask::new("a", &())).await;
    queue.until_done(1).await;
    assert_eq!(queue.texts(OUTCOMES).await, ["FAILED", "FAILED", "SUCCEEDED"]);
    assert_eq!(queue.number("select attempts::int8 from task_history").await, 3);
    running.stop().await;
}

#[tokio::test]
async fn a_permanent_failure_is_buried_at_once_with_its_causes() {
    let queue = Queue::create().await;
    let kind = Kind::new("a", "default", |_| async { Err::<(), _>(Failure::permanent(nested())) });
    let running = Running::start(queue.engine(settings()).kind(kind));
    let id = queue.enqueue_one(NewTask::new("a", &"x").queue("default")).await;
    queue.until(BURIED, 1).await;
    let letters =
        queue::dead_letters(&queue.admin, &DeadLetterFilter::default(), None, 10).await.unwrap().rows;
    assert_eq!((letters[0].id, letters[0].reason.as_str(), letters[0].attempts), (id, "PERMANENT", 1));
    let error = letters[0].error.as_deref().unwrap();
    assert_eq!(error, "the letter was not taken: invalid digit found in string");
    assert_eq!(queue.texts("select outcome from task_history").await, ["BURIED"]);
    running.stop().await;
}

#[tokio::test]
async fn a_task_out_of_attempts_is_buried() {
    let queue = Queue::create().await;
    let kind =
        quick(Kind::new("a", "default", |_| async { Err::<(), _>(Failure::from(nested())) })).attempts_max(5);
    let running = Running::start(queue.engine(settings()).kind(kind));
    queue.enqueue_one(NewTask::new("a", &()).attempts_max(2)).await;
    queue.until(BURIED, 1).await;
    assert_eq!(queue.texts("select reason || attempts from task_dead_letter").await, ["EXHAUSTED2"]);
    running.stop().await;
}

#[tokio::test]
async fn an_attempt_past_its_time_is_ended_and_tells_what_it_spawned() {
    let queue = Queue::create().await;
    let seen = Seen::new();
    let noted = seen.clone();
    let kind = quick(Kind::new("a", "default", move |job| {
        noted.push(job.cancel.clone());
        std::future::pending::<Result<(), Failure>>()
    }))
    .timeout(Duration::from_millis(50))
    .attempts_max(1);
    let running = Running::start(queue.engine(settings()).kind(kind));
    queue.enqueue_one(NewTask::new("a", &())).await;
    queue.until(BURIED, 1).await;
    assert_eq!(queue.texts(OUTCOMES).await, ["TIMED_OUT"]);
    assert_eq!(queue.texts("select error from task_attempts").await, ["not finished after 50 ms"]);
    assert!(seen.all()[0].is_cancelled());
    running.stop().await;
}

#[tokio::test]
async fn a_panic_is_a_failure_of_its_task_alone() {
    let queue = Queue::create().await;
    let kind = quick(Kind::new("a", "default", |job| {
        assert!(job.attempt > 1, "before the first await\0");
        async move {
            assert!(job.attempt > 2, "after it");
            Ok(())
        }
    }));
    let running = Running::start(queue.engine(settings()).kind(kind));
    queue.enqueue_one(NewTask::new("a", &())).await;
    queue.until_done(1).await;
    assert_eq!(queue.texts(OUTCOMES).await, ["PANICKED", "PANICKED", "SUCCEEDED"]);
    let errors =
        queue.texts("select error from task_attempts where error is not null order by finished_at").await;
    assert_eq!(errors, ["before the first await", "after it"]);
    running.stop().await;
}

#[tokio::test]
async fn a_snooze_does_not_use_up_attempts() {
    let queue = Queue::create().await;
    let seen = Seen::new();
    let noted = seen.clone();
    let kind = Kind::new("a", "default", move |job| {
        noted.push(job.attempt);
        let come_back = noted.count() < 4;
        async move { if come_back { Err(Failure::snooze(Duration::from_millis(5))) } else { Ok(()) } }
    })
    .attempts_max(1);
    let running = Running::start(queue.engine(settings()).kind(kind));
    queue.enqueue_one(NewTask::new("a", &())).await;
    queue.until_done(1).await;
    assert_eq!(seen.all(), [1, 1, 1, 1]);
    assert_eq!(queue.number("select attempts::int8 from task_history").await, 1);
    assert_eq!(queue.texts(OUTCOMES).await, ["SNOOZED", "SNOOZED", "SNOOZED", "SUCCEEDED"]);
    running.stop().await;
}

#[tokio::test]
async fn arguments_the_handler_cannot_read_are_a_permanent_failure() {
    let queue = Queue::create().await;
    let kind = Kind::new("a", "default", |job| async move { job.args::<u8>().map(drop) });
    let running = Running::start(queue.engine(settings()).kind(kind));
    queue.enqueue_one(NewTask::new("a", &"not a number")).await;
    queue.until(BURIED, 1).await;
    assert_eq!(queue.texts("select reason from task_dead_letter").await, ["PERMANENT"]);
    running.stop().await;
}

#[tokio::test]
async fn a_dead_letter_is_retried_under_its_id_or_discarded() {
    let queue = Queue::create().await;
    let kind = Kind::new("a", "default", |job| async move {
        if job.args::<i32>()? == 1 { Err(Failure::permanent("no")) } else { Ok(()) }
    });
    let running = Running::start(queue.engine(settings()).kind(kind));
    let id = queue.enqueue_one(NewTask::new("a", &1).unique_key("k")).await;
    queue.until(BURIED, 1).await;
    running.stop().await;

    queue.enqueue_one(NewTask::new("a", &2).unique_key("k")).await;
    let held = queue::retry_dead_letter(&queue.admin, id, "test").await;
    assert!(matches!(held, Err(queue::Error::KeyHeld)));
    assert_eq!(queue.number(BURIED).await, 1, "the letter stays");

    queue.admin.execute("delete from task", &[]).await.unwrap();
    assert!(queue::retry_dead_letter(&queue.admin, id, "test").await.unwrap());
    assert_eq!(queue.texts("select id || state || attempt from task").await, [format!("{id}READY0")]);
    assert!(!queue::retry_dead_letter(&queue.admin, id, "test").await.unwrap());

    let again = Running::start(
        queue
            .engine(settings())
            .kind(Kind::new("a", "default", |_| async { Err::<(), _>(Failure::permanent("still no")) })),
    );
    queue.until(BURIED, 1).await;
    assert!(queue::discard_dead_letter(&queue.admin, id, "test").await.unwrap());
    assert!(!queue::discard_dead_letter(&queue.admin, id, "test").await.unwrap());
    again.stop().await;
}

#[tokio::test]
async fn an_error_of_postgresql_is_kept_without_the_row_it_speaks_of() {
    let queue = Queue::create().await;
    queue.admin.batch_execute("create table letter (text text primary key)").await.unwrap();
    queue.admin.batch_execute("grant insert on letter to youtility_worker").await.unwrap();
    let pool = queue.pool.clone();
    let kind = Kind::new("a", "default", move |_| {
        let pool = pool.clone();
        async move {
            let client = pool.get().await?;
            client.execute("insert into letter values ('of the heart'), ('of the heart')", &[]).await?;
            Ok(())
        }
    })
    .attempts_max(1);
    let running = Running::start(queue.engine(settings()).kind(kind));
    queue.enqueue_one(NewTask::new("a", &())).await;
    queue.until(BURIED, 1).await;
    let error = queue.texts("select error from task_attempts").await.remove(0);
    assert!(error.contains("23505") && error.contains("letter_pkey"), "{error}");
    assert!(!error.contains("of the heart"), "{error}");
    running.stop().await;
}

#[tokio::test]
async fn an_error_of_the_queue_shows_no_row_either() {
    let queue = Queue::create().await;
    let sql =
        "insert into task (id, kind, queue, attempt) values (gen_random_uuid(), 'of the heart', 'email', -1)";
    let refused = queue::Error::from(queue.admin.execute(sql, &[]).await.unwrap_err());
    let mut text = refused.to_string();
    let mut cause = std::error::Error::source(&refused);
    while let Some(error) = cause {
        text.push_str(&error.to_string());
        cause = error.source();
    }
    assert!(text.contains("23514") && text.contains("task_attempt_check"), "{text}");
    assert!(!text.contains("of the heart"), "{text}");
}

#[tokio::test]
async fn a_dead_letter_nobody_looked_at_expires() {
    let queue = Queue::create().await;
    let kind = Kind::new("a", "default", |_| async { Err::<(), _>(Failure::permanent("no")) });
    let running = Running::start(queue.engine(settings()).kind(kind));
    queue.enqueue(&[NewTask::new("a", &1), NewTask::new("a", &2)]).await;
    queue.until(BURIED, 2).await;
    running.stop().await;
    let age = "update task_dead_letter set buried_at = now() - interval '31 days' where args = '1'";
    queue.admin.execute(age, &[]).await.unwrap();
    let worker = queue.pool.get().await.unwrap();
    assert_eq!(queue::expire_dead_letters(&**worker, 32).await.unwrap(), 0);
    assert_eq!(queue::expire_dead_letters(&**worker, 30).await.unwrap(), 1);
    assert_eq!(queue.texts("select args::text from task_dead_letter").await, ["2"]);
}
