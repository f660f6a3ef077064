//! Effects that are committed together with the end of their task.

use std::time::Duration;

use queue::{EngineSettings, Failure, Kind, NewTask, Workflow};
use serde_json::json;

use crate::support::{Queue, Running, Seen, settings};

const EFFECTS: &str = "select count(*) from effect";

async fn with_effects() -> Queue {
    let queue = Queue::create().await;
    let sql = "create table effect (task_id uuid not null, attempt integer not null);
               grant select, insert on effect to youtility_worker";
    queue.admin.batch_execute(sql).await.unwrap();
    queue
}

/// How a handler goes on after it has completed its task in its transaction.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    Commit,
    RollBackAndFail,
    RollBackAndSaySo,
    CommitAndFail,
    Panic,
}

fn completing(queue: &Queue, then: impl Fn(i32) -> Then + Send + Sync + 'static) -> Kind {
    let pool = queue.pool.clone();
    let kind = Kind::new("a", "default", move |job| {
        let (pool, then) = (pool.clone(), then(job.attempt));
        async move {
            let mut client = pool.get().await?;
            let transaction = client.transaction().await?;
            transaction.execute("insert into effect values ($1, $2)", &[&job.id, &job.attempt]).await?;
            job.complete_in(&*transaction).await?;
            assert!(then != Then::Panic, "after the completion, before the commit");
            if matches!(then, Then::Commit | Then::CommitAndFail) {
                transaction.commit().await?;
            } else {
                transaction.rollback().await?;
            }
            let fails = matches!(then, Then::RollBackAndFail | Then::CommitAndFail);
            if fails { Err(Failure::retry("after the end")) } else { Ok(()) }
        }
    });
    kind.backoff(Duration::from_millis(1), Duration::from_millis(1))
}

#[tokio::test]
async fn effect_and_completion_are_one_and_the_engine_adds_nothing() {
    let queue = with_effects().await;
    let running = Running::start(queue.engine(settings()).kind(completing(&queue, |_| Then::Commit)));
    let tasks: Vec<NewTask> = (0..50).map(|number| NewTask::new("a", &number)).collect();
    queue.enqueue(&tasks).await;
    queue.until_done(50).await;
    running.stop().await;
    assert_eq!(queue.number("select count(distinct task_id) from effect").await, 50);
    assert_eq!(queue.number(EFFECTS).await, 50);
    assert_eq!(queue.number("select count(*) from task").await, 0);
    let told = "select count(*) from task_attempts
                 where outcome = 'SUCCEEDED' and attempt = 1 and started_at <= finished_at and error is null";
    assert_eq!(queue.number(told).await, 50);
}

#[tokio::test]
async fn a_transaction_rolled_back_after_the_completion_leaves_the_task_to_be_done_again() {
    let queue = with_effects().await;
    let then = |attempt| match attempt {
        1 => Then::RollBackAndFail,
        2 => Then::Panic,
        _ => Then::Commit,
    };
    let running = Running::start(queue.engine(settings()).kind(completing(&queue, then)));
    queue.enqueue_one(NewTask::new("a", &())).await;
    queue.until_done(1).await;
    running.stop().await;
    assert_eq!(queue.number("select attempt::bigint from effect").await, 3);
    let outcomes = "select outcome from task_attempts order by attempt";
    assert_eq!(queue.texts(outcomes).await, ["FAILED", "PANICKED", "SUCCEEDED"]);
}

#[tokio::test]
async fn a_completion_that_was_never_committed_is_made_up_when_the_lease_ends() {
    let queue = with_effects().await;
    let then = |attempt| if attempt == 1 { Then::RollBackAndSaySo } else { Then::Commit };
    let short = EngineSettings { lease_ms: 300, heartbeat_ms: 50, sweep_interval_ms: 50, ..settings() };
    let running = Running::start(queue.engine(short).kind(completing(&queue, then)));
    queue.enqueue_one(NewTask::new("a", &())).await;
    queue.until_done(1).await;
    running.stop().await;
    assert_eq!(queue.number("select attempt::bigint from effect").await, 2);
}

#[tokio::test]
async fn an_error_after_the_commit_changes_nothing() {
    let queue = with_effects().await;
    let running = Running::start(queue.engine(settings()).kind(completing(&queue, |_| Then::CommitAndFail)));
    queue.enqueue_one(NewTask::new("a", &())).await;
    queue.until_done(1).await;
    running.stop().await;
    assert_eq!(queue.number(EFFECTS).await, 1);
    assert_eq!(queue.number("select count(*) from task").await, 0);
    assert_eq!(queue.number("select count(*) from task_history").await, 1);
    assert_eq!(queue.number("select count(*) from task_dead_letter").await, 0);
}

#[tokio::test]
async fn whoever_has_lost_the_lease_cannot_complete() {
    let queue = with_effects().await;
    let (pool, refusals) = (queue.pool.clone(), Seen::new());
    let noted = refusals.clone();
    let kind = Kind::new("a", "default", move |job| {
        let (pool, noted) = (pool.clone(), noted.clone());
        async move {
            let mut client = pool.get().await?;
            if job.attempt == 1 {
                client
                    .execute("update task set attempt = attempt + 1, worker_id = gen_random_uuid()", &[])
                    .await?;
            }
            let transaction = client.transaction().await?;
            transaction.execute("insert into effect values ($1, $2)", &[&job.id, &job.attempt]).await?;
            if let Err(failure) = job.complete_in(&*transaction).await {
                noted.push(failure.to_string());
                return Err(failure);
            }
            Ok(transaction.commit().await?)
        }
    });
    let running = Running::start(queue.engine(settings()).kind(kind));
    queue.enqueue_one(NewTask::new("a", &())).await;
    queue.until("select count(*) from task where attempt = 2", 1).await;
    crate::support::wait_until("the refusal", async || {
        if refusals.count() == 1 { Ok(()) } else { Err("none".to_owned()) }
    })
    .await;
    assert_eq!(refusals.all(), ["the lease of the task was lost before its completion"]);
    assert_eq!(queue.number(EFFECTS).await, 0);
    running.stop().await;
}

#[tokio::test]
async fn those_that_wait_are_told_and_find_the_result() {
    let queue = with_effects().await;
    let (pool, seen) = (queue.pool.clone(), Seen::new());
    let first = Kind::new("a", "default", move |job| {
        let pool = pool.clone();
        async move {
            let mut client = pool.get().await?;
            let transaction = client.transaction().await?;
            job.complete_with(&*transaction, &json!({ "rows": 7 })).await?;
            Ok(transaction.commit().await?)
        }
    });
    let (pool, noted) = (queue.pool.clone(), seen.clone());
    let second = Kind::new("b", "default", move |job| {
        let (pool, noted) = (pool.clone(), noted.clone());
        async move {
            noted.push(queue::result(&**pool.get().await?, job.parents[0]).await?);
            Ok(())
        }
    });
    let kept = first.keep_result(Duration::from_mins(1));
    let running = Running::start(queue.engine(settings()).kind(kept).kind(second));
    let workflow = Workflow::new()
        .task("first", NewTask::new("a", &()))
        .task("second", NewTask::new("b", &()))
        .after("second", &["first"]);
    queue::enqueue_workflow(&queue.admin, &workflow).await.unwrap();
    queue.until_done(2).await;
    assert_eq!(seen.all(), [Some(json!({ "rows": 7 }))]);
    running.stop().await;
}

#[tokio::test]
async fn a_queue_with_a_limit_goes_on_after_tasks_that_complete_themselves() {
    let queue = with_effects().await;
    queue.admin.execute("update task_queue set running_max = 1 where name = 'default'", &[]).await.unwrap();
    let running = Running::start(queue.engine(settings()).kind(completing(&queue, |_| Then::Commit)));
    let tasks: Vec<NewTask> = (0..10).map(|number| NewTask::new("a", &number)).collect();
    queue.enqueue(&tasks).await;
    queue.until_done(10).await;
    running.stop().await;
    assert_eq!(queue.number(EFFECTS).await, 10);
}

#[tokio::test]
async fn without_history_the_task_is_gone_and_the_effect_is_there() {
    let queue = with_effects().await;
    let forgetful = EngineSettings { history: false, ..settings() };
    let running = Running::start(queue.engine(forgetful).kind(completing(&queue, |_| Then::Commit)));
    queue.enqueue_one(NewTask::new("a", &())).await;
    queue.until(EFFECTS, 1).await;
    running.stop().await;
    assert_eq!(queue.number("select count(*) from task").await, 0);
    assert_eq!(queue.number("select count(*) from task_history").await, 0);
}
