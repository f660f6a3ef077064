//! What keys promise, while their task lives and after it, and when two want the same.

use std::sync::Arc;
use std::time::Duration;

use queue::{Enqueued, Failure, Kind, NewTask};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::support::{Queue, Running, one_by_one, settings};

const DAY: Duration = Duration::from_hours(24);

fn task() -> NewTask {
    NewTask::new("a", &())
}

fn idle() -> Kind {
    Kind::new("a", "default", |_| async { Ok(()) })
}

#[tokio::test]
async fn a_unique_key_is_held_by_the_live_task_of_its_kind() {
    let queue = Queue::create().await;
    let keyed = |kind: &str| NewTask::new(kind, &()).unique_key("k");
    let answer = queue.enqueue(&[keyed("a"), keyed("a"), keyed("b")]).await;
    let [Enqueued::New(first), Enqueued::Held(Some(holder)), Enqueued::New(_)] = answer[..] else {
        panic!("{answer:?}")
    };
    assert_eq!(holder, first);
    assert_eq!(queue.enqueue(&[keyed("a")]).await, [Enqueued::Held(Some(first))]);

    let running = Running::start(queue.engine(settings()).kind(idle()));
    queue.until_done(1).await;
    queue.enqueue_one(keyed("a")).await;
    running.stop().await;
}

#[tokio::test]
async fn a_key_until_the_start_is_free_while_its_task_runs() {
    let queue = Queue::create().await;
    let gate = Arc::new(Semaphore::new(0));
    let gate_in = gate.clone();
    let kind = Kind::new("a", "default", move |_| {
        let gate = gate_in.clone();
        async move {
            gate.acquire().await?.forget();
            Ok(())
        }
    });
    let running = Running::start(queue.engine(one_by_one()).kind(kind));
    let keyed = || task().unique_until_start("k");
    queue.enqueue_one(keyed()).await;
    queue.until("select count(*) from task where state = 'RUNNING'", 1).await;
    let second = queue.enqueue_one(keyed()).await;
    assert_eq!(queue.enqueue(&[keyed()]).await, [Enqueued::Held(Some(second))], "this one has not started");
    gate.add_permits(2);
    queue.until_done(2).await;
    running.stop().await;
}

#[tokio::test]
async fn a_task_that_gave_up_its_key_at_its_start_runs_again_beside_the_one_that_has_it() {
    let queue = Queue::create().await;
    let kind = Kind::new("a", "default", |job| async move {
        if job.attempt == 1 { Err(Failure::retry("not yet")) } else { Ok(()) }
    });
    let kind = kind.backoff(Duration::from_millis(1), Duration::from_millis(1));
    let gone_on = "select count(*) from task_attempt where outcome = 'FAILED'";
    queue.enqueue_one(task().unique_until_start("k")).await;
    let running = Running::start(queue.engine(one_by_one()).kind(kind));
    queue.until(gone_on, 1).await;
    queue.enqueue_one(task().unique_until_start("k")).await;
    queue.until_done(2).await;
    running.stop().await;
}

#[tokio::test]
async fn a_key_for_a_period_outlives_its_task_and_ends_with_the_period() {
    let queue = Queue::create().await;
    let running = Running::start(queue.engine(settings()).kind(idle()));
    let keyed = || task().unique_for("k", DAY);
    let first = queue.enqueue_one(keyed()).await;
    queue.until_done(1).await;
    assert_eq!(queue.enqueue(&[keyed(), keyed()]).await, [Enqueued::Held(Some(first)); 2]);
    queue.admin.execute("update task_key set expires_at = now()", &[]).await.unwrap();
    let answer = queue.enqueue(&[keyed(), keyed()]).await;
    let [Enqueued::New(next), Enqueued::Held(Some(holder))] = answer[..] else { panic!("{answer:?}") };
    assert_eq!(holder, next);
    assert_eq!(
        queue.number("select count(*) from task_key where expires_at > now() + interval '23 hours'").await,
        1
    );
    running.stop().await;
}

#[tokio::test]
async fn a_repeated_request_is_answered_with_the_first_task_whatever_became_of_it() {
    let queue = Queue::create().await;
    let kind = Kind::new("a", "default", |_| async { Err::<(), _>(Failure::permanent("no")) });
    let running = Running::start(queue.engine(settings()).kind(kind));
    let first = queue.enqueue_one(task().idempotency_key("request")).await;
    queue.until("select count(*) from task_dead_letter", 1).await;
    let again = queue.enqueue(&[task().idempotency_key("request"), task().idempotency_key("another")]).await;
    assert_eq!(again[0], Enqueued::Held(Some(first)));
    assert!(matches!(again[1], Enqueued::New(_)));
    running.stop().await;
}

#[tokio::test]
async fn keys_of_different_sorts_and_kinds_do_not_meet() {
    let queue = Queue::create().await;
    let of = |kind: &str| NewTask::new(kind, &());
    let answer = queue
        .enqueue(&[
            of("a").unique_key("k"),
            of("a").idempotency_key("k"),
            of("a").unique_for("k", DAY),
            of("b").idempotency_key("k"),
        ])
        .await;
    assert!(answer.iter().all(|one| one.new_id().is_some()), "{answer:?}");
}

#[tokio::test]
async fn the_last_key_given_to_a_task_counts() {
    let queue = Queue::create().await;
    queue.enqueue_one(task().unique_key("k").idempotency_key("k")).await;
    assert_eq!(queue.number("select count(*) from task where unique_key is not null").await, 0);
    assert_eq!(queue.texts("select key from task_key").await, ["request:k"]);
}

#[tokio::test]
async fn arguments_are_the_key_where_the_kind_says_so_and_the_task_brings_none() {
    let queue = Queue::create().await;
    queue::declare(&queue.admin, &[idle().unique_by_args()]).await.unwrap();
    let answer = queue
        .enqueue(&[
            NewTask::new("a", &1),
            NewTask::new("a", &1),
            NewTask::new("a", &2),
            NewTask::new("a", &1).unique_key("another"),
            NewTask::new("a", &1).idempotency_key("another"),
        ])
        .await;
    let new: Vec<bool> = answer.iter().map(|one| one.new_id().is_some()).collect();
    assert_eq!(new, [true, false, true, true, true]);
    assert_eq!(answer[1], Enqueued::Held(answer[0].id()));
}

#[tokio::test]
async fn of_two_transactions_with_one_key_the_second_waits_and_is_told_the_first() {
    for keyed in [task().unique_key("k"), task().unique_for("k", DAY), task().idempotency_key("k")] {
        let (answer, first) = second_of_two(keyed.clone(), Commits::Yes).await;
        assert_eq!(answer, Enqueued::Held(Some(first)), "{keyed:?}");
    }
}

#[tokio::test]
async fn a_key_of_a_transaction_that_is_rolled_back_goes_to_the_one_that_waited() {
    for keyed in [task().unique_key("k"), task().unique_for("k", DAY), task().idempotency_key("k")] {
        let (answer, first) = second_of_two(keyed.clone(), Commits::No).await;
        assert!(matches!(answer, Enqueued::New(id) if id != first), "{keyed:?}: {answer:?}");
    }
}

#[tokio::test]
async fn an_expired_key_that_two_transactions_want_goes_to_the_first() {
    let queue = Queue::create().await;
    queue.enqueue_one(task().unique_for("k", DAY)).await;
    queue.admin.execute("update task_key set expires_at = now() - interval '1 second'", &[]).await.unwrap();
    let (answer, first) = second_of_two_in(&queue, task().unique_for("k", DAY), Commits::Yes).await;
    assert_eq!(answer, Enqueued::Held(Some(first)));
}

enum Commits {
    Yes,
    No,
}

async fn second_of_two(keyed: NewTask, first_commits: Commits) -> (Enqueued, uuid::Uuid) {
    second_of_two_in(&Queue::create().await, keyed, first_commits).await
}

/// Lets two transactions enqueue the same; the second begins while the first has not ended.
async fn second_of_two_in(queue: &Queue, keyed: NewTask, first_commits: Commits) -> (Enqueued, uuid::Uuid) {
    let (mut one, other) = (queue.pool.get().await.unwrap(), queue.pool.get().await.unwrap());
    let transaction = one.transaction().await.unwrap();
    let first =
        queue::enqueue(&*transaction, std::slice::from_ref(&keyed)).await.unwrap()[0].new_id().unwrap();
    let mut second = JoinSet::new();
    second.spawn(async move { queue::enqueue(&**other, &[keyed]).await.unwrap().remove(0) });
    queue.until_blocked().await;
    match first_commits {
        Commits::Yes => transaction.commit().await.unwrap(),
        Commits::No => transaction.rollback().await.unwrap(),
    }
    (second.join_next().await.unwrap().unwrap(), first)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_bring_the_same_keys_in_different_orders_do_not_lock_each_other_out() {
    let queue = Queue::create().await;
    for round in 0..5 {
        let mut calls = JoinSet::new();
        for call in 0..4 {
            let client = queue.pool.get().await.unwrap();
            let tasks: Vec<NewTask> = (0..200)
                .map(|number| (number * [1, 3, 7, 9][call]) % 200)
                .map(|key| match key % 2 {
                    0 => task().unique_key(format!("{round}-{key}")),
                    _ => task().idempotency_key(format!("{round}-{key}")),
                })
                .collect();
            calls.spawn(async move { queue::enqueue(&**client, &tasks).await.unwrap() });
        }
        let answers: Vec<Enqueued> = calls.join_all().await.into_iter().flatten().collect();
        assert_eq!(answers.iter().filter(|answer| answer.new_id().is_some()).count(), 200);
        assert!(answers.iter().all(|answer| answer.id().is_some()), "every holder can be told");
    }
    assert_eq!(queue.number("select count(*) from task").await, 1_000);
}

#[tokio::test]
async fn keys_whose_time_is_over_are_dropped_some_at_a_time() {
    let queue = Queue::create().await;
    let tasks: Vec<NewTask> = (0..5).map(|number| task().idempotency_key(number.to_string())).collect();
    queue.enqueue(&tasks).await;
    queue
        .admin
        .execute("update task_key set expires_at = now() where key <> 'request:0'", &[])
        .await
        .unwrap();
    assert_eq!(queue::expire_keys(&queue.admin, 3).await.unwrap(), 3);
    assert_eq!(queue::expire_keys(&queue.admin, 3).await.unwrap(), 1);
    assert_eq!(queue.texts("select key from task_key").await, ["request:0"]);
}
