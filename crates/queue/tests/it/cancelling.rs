//! Tasks that nobody wants any more.

use std::sync::Arc;

use queue::{Cancel, DeadLetterFilter, HistoryFilter, Kind, NewTask};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::support::{Queue, Running, Seen, one_by_one, settings, wait_until};

const ENDS: &str = "select kind || ':' || outcome || ':' || attempts from task_history order by kind, id";

/// A kind whose handler ends only when it is stopped.
fn endless() -> Kind {
    Kind::new("a", "default", |_| std::future::pending::<Result<(), queue::Failure>>())
}

async fn cancel(queue: &Queue, id: Uuid) -> Cancel {
    queue::cancel(&queue.admin, id, "person:ada").await.unwrap()
}

#[tokio::test]
async fn a_task_that_has_not_begun_is_gone_at_once_and_remembered() {
    let queue = Queue::create().await;
    let ready = queue.enqueue_one(NewTask::new("a", &1).unique_key("k")).await;
    let delayed =
        queue.enqueue_one(NewTask::new("b", &2).run_at("2999-01-01T00:00:00Z".parse().unwrap())).await;
    assert_eq!(
        (cancel(&queue, ready).await, cancel(&queue, delayed).await),
        (Cancel::Removed, Cancel::Removed)
    );
    assert_eq!(queue.number("select count(*) from task").await, 0);
    assert_eq!(queue.texts(ENDS).await, ["a:CANCELLED:0", "b:CANCELLED:0"]);
    let noted = "select actor || ' ' || action || ' ' || (detail ->> 'was') from task_action order by at";
    assert_eq!(queue.texts(noted).await, ["person:ada CANCELLED READY", "person:ada CANCELLED DELAYED"]);
    queue.enqueue_one(NewTask::new("a", &3).unique_key("k")).await;
}

#[tokio::test]
async fn cancelling_what_is_not_there_leaves_no_trace() {
    let queue = Queue::create().await;
    let id = queue.enqueue_one(NewTask::new("a", &())).await;
    assert_eq!(cancel(&queue, Uuid::nil()).await, Cancel::Unknown);
    assert_eq!(cancel(&queue, id).await, Cancel::Removed);
    assert_eq!(cancel(&queue, id).await, Cancel::Unknown);
    assert_eq!(queue.number("select count(*) from task_action").await, 1);
    let history = queue::history(&queue.admin, &HistoryFilter::default(), None, 10).await.unwrap();
    assert_eq!(history.rows.len(), 1);
}

#[tokio::test]
async fn a_running_task_is_stopped_by_its_worker_and_not_tried_again() {
    let queue = Queue::create().await;
    let running = Running::start(queue.engine(settings()).kind(endless()));
    let id = queue.enqueue_one(NewTask::new("a", &())).await;
    queue.until("select count(*) from task where state = 'RUNNING'", 1).await;
    assert_eq!(cancel(&queue, id).await, Cancel::Requested);
    queue.until("select count(*) from task", 0).await;
    assert_eq!(queue.texts(ENDS).await, ["a:CANCELLED:1"]);
    assert_eq!(queue.texts("select outcome from task_attempts").await, ["CANCELLED"]);
    let letters = queue::dead_letters(&queue.admin, &DeadLetterFilter::default(), None, 10).await.unwrap();
    assert!(letters.rows.is_empty());
    running.stop().await;
}

#[tokio::test]
async fn a_notification_that_the_row_knows_nothing_of_stops_nothing() {
    let mut queue = Queue::create().await;
    let stranger = queue.connect_as("youtility_health").await;
    let end = Arc::new(Semaphore::new(0));
    let signal = end.clone();
    let kind = Kind::new("a", "default", move |job| {
        let signal = signal.clone();
        async move {
            if job.args::<String>()? == "unwanted" {
                std::future::pending::<()>().await;
            }
            signal.acquire().await?.forget();
            Ok(())
        }
    });
    let running = Running::start(queue.engine(settings()).kind(kind));
    let wanted = queue.enqueue_one(NewTask::new("a", &"wanted")).await;
    let unwanted = queue.enqueue_one(NewTask::new("a", &"unwanted")).await;
    queue.until("select count(*) from task where state = 'RUNNING'", 2).await;
    let listening = "select count(*) from pg_stat_activity
                      where datname = current_database() and query like 'listen %' and state = 'idle'";
    queue.until(listening, 1).await;
    stranger.execute("select pg_notify('queue_cancel', $1::uuid::text)", &[&wanted]).await.unwrap();
    // Heard behind the other.
    assert_eq!(cancel(&queue, unwanted).await, Cancel::Requested);
    queue.until("select count(*) from task", 1).await;
    end.add_permits(1);
    queue.until("select count(*) from task", 0).await;
    let ends = "select (args #>> '{}') || ':' || outcome || ':' || attempts from task_history order by 1";
    assert_eq!(queue.texts(ends).await, ["unwanted:CANCELLED:1", "wanted:SUCCEEDED:1"]);
    running.stop().await;
}

#[tokio::test]
async fn a_second_request_repeats_the_word_and_writes_nothing() {
    let queue = Queue::create().await;
    let id = claimed_by_nobody(&queue).await;
    assert_eq!(cancel(&queue, id).await, Cancel::Requested);
    let since = queue.texts("select cancelled_at::text from task").await;
    assert_eq!(cancel(&queue, id).await, Cancel::Requested);
    assert_eq!(queue.texts("select cancelled_at::text from task").await, since);
    assert_eq!(queue.number("select count(*) from task_action").await, 1);
}

/// A task that runs as far as the table knows.
async fn claimed_by_nobody(queue: &Queue) -> Uuid {
    let id = queue.enqueue_one(NewTask::new("a", &())).await;
    queue.admin.execute(CLAIM_BY_HAND, &[]).await.unwrap();
    id
}

const CLAIM_BY_HAND: &str = "update task
    set state = 'RUNNING', attempt = attempt + 1, worker_id = gen_random_uuid(), lease_until = now() + interval '1 hour'";

#[tokio::test]
async fn a_cancel_that_waits_for_a_claim_is_a_request() {
    let mut queue = Queue::create().await;
    let id = queue.enqueue_one(NewTask::new("a", &())).await;
    let canceller = queue.connect_as("youtility_web").await;
    let mut claimer = queue.connect_as("youtility_worker").await;
    let claim = claimer.transaction().await.unwrap();
    claim.execute(CLAIM_BY_HAND, &[]).await.unwrap();
    let decide = async {
        queue.until_blocked().await;
        claim.commit().await.unwrap();
    };
    let (answer, ()) = tokio::join!(queue::cancel(&canceller, id, "person:ada"), decide);
    assert_eq!(answer.unwrap(), Cancel::Requested);
    assert_eq!(queue.number("select count(*) from task where cancelled_at is not null").await, 1);
    assert_eq!(queue.number("select count(*) from task_history").await, 0);
}

#[tokio::test]
async fn a_claim_passes_by_a_task_that_is_being_cancelled() {
    let mut queue = Queue::create().await;
    let begun = Seen::new();
    let id = queue.enqueue_one(NewTask::new("a", &1)).await;
    let mut canceller = queue.connect_as("youtility_web").await;
    let transaction = canceller.transaction().await.unwrap();
    assert_eq!(queue::cancel(&transaction, id, "person:ada").await.unwrap(), Cancel::Removed);
    let seen = begun.clone();
    let kind = Kind::new("a", "default", move |job| {
        let seen = seen.clone();
        async move {
            seen.push(job.id);
            Ok(())
        }
    });
    let running = Running::start(queue.engine(one_by_one()).kind(kind));
    let other = queue.enqueue_one(NewTask::new("a", &2)).await;
    queue.until_done(1).await;
    transaction.commit().await.unwrap();
    let last = queue.enqueue_one(NewTask::new("a", &3)).await;
    queue.until_done(2).await;
    assert_eq!(begun.all(), [other, last]);
    running.stop().await;
}

#[tokio::test]
async fn whoever_is_first_every_task_ends_once() {
    const TASKS: usize = 200;
    let queue = Queue::create().await;
    let running = Running::start(queue.engine(settings()).kind(endless()));
    let tasks: Vec<NewTask> = (0..TASKS).map(|number| NewTask::new("a", &number)).collect();
    let ids: Vec<Uuid> =
        queue.enqueue(&tasks).await.into_iter().map(|enqueued| enqueued.new_id().unwrap()).collect();
    let (mut removed, mut requested) = (0, 0);
    for id in ids {
        match cancel(&queue, id).await {
            Cancel::Removed => removed += 1,
            Cancel::Requested => requested += 1,
            // Its worker ended it for an earlier request: there was none.
            Cancel::Unknown => panic!("{id} was lost"),
        }
    }
    assert_eq!(removed + requested, TASKS);
    queue.until("select count(*) from task", 0).await;
    let ended = "select count(*) from task_history where outcome = 'CANCELLED'";
    assert_eq!(queue.number(ended).await, i64::try_from(TASKS).unwrap());
    assert_eq!(
        queue.number("select count(distinct id) from task_history").await,
        i64::try_from(TASKS).unwrap()
    );
    let noted = "select count(distinct task_id) from task_action where action = 'CANCELLED'";
    assert_eq!(queue.number(noted).await, i64::try_from(TASKS).unwrap());
    running.stop().await;
}

/// What waits for a success goes with it; what goes on regardless does.
const FAMILY: &str = "
    update task set followed = true where args = '\"parent\"';
    insert into task (id, queue, kind, state, pending, args, parents)
    select gen_random_uuid(), 'default', 'b', 'WAITING', 1, to_jsonb(name), array_agg(task.id)
      from task cross join unnest(array['needs', 'regardless']) as name
     group by name;
    insert into task_dependency (task_id, waits_for, proceed)
    select id, parents[1], args = '\"regardless\"' from task where state = 'WAITING'";

#[tokio::test]
async fn tasks_that_wait_for_a_cancelled_one_are_told() {
    let queue = Queue::create().await;
    let done = Arc::new(Semaphore::new(0));
    let parent = queue.enqueue_one(NewTask::new("a", &"parent")).await;
    queue.admin.batch_execute(FAMILY).await.unwrap();
    assert_eq!(cancel(&queue, parent).await, Cancel::Removed);
    let told =
        "select (args #>> '{}') || ':' || state || ':' || (cancelled_at is not null) from task order by 1";
    assert_eq!(queue.texts(told).await, ["needs:READY:true", "regardless:READY:false"]);
    assert_eq!(queue.number("select count(*) from task_dependency").await, 0);
    let signal = done.clone();
    let kind = Kind::new("b", "default", move |job| {
        signal.add_permits(1);
        async move {
            if job.args::<String>()? == "needs" { Err(queue::Failure::permanent("it ran")) } else { Ok(()) }
        }
    });
    let running = Running::start(queue.engine(settings()).kind(kind));
    queue.until("select count(*) from task", 0).await;
    let ends = "select (args #>> '{}') || ':' || outcome from task_history order by 1";
    assert_eq!(queue.texts(ends).await, ["needs:CANCELLED", "parent:CANCELLED", "regardless:SUCCEEDED"]);
    assert_eq!(done.available_permits(), 1, "one handler was called");
    running.stop().await;
}

#[tokio::test]
async fn a_waiting_task_is_removed_with_what_it_waits_for() {
    let queue = Queue::create().await;
    let parent = queue.enqueue_one(NewTask::new("a", &"parent")).await;
    queue.admin.batch_execute(FAMILY).await.unwrap();
    let children = queue.admin.query("select id from task where state = 'WAITING'", &[]).await.unwrap();
    for child in &children {
        assert_eq!(cancel(&queue, child.get(0)).await, Cancel::Removed);
    }
    assert_eq!(queue.number("select count(*) from task_dependency").await, 0);
    assert_eq!(cancel(&queue, parent).await, Cancel::Removed);
    assert_eq!(queue.number("select count(*) from task_history where outcome = 'CANCELLED'").await, 3);
}

#[tokio::test]
async fn a_delayed_task_can_be_hurried() {
    let queue = Queue::create().await;
    let running =
        Running::start(queue.engine(settings()).kind(Kind::new("a", "default", |_| async { Ok(()) })));
    let id = queue.enqueue_one(NewTask::new("a", &()).run_at("2999-01-01T00:00:00Z".parse().unwrap())).await;
    assert!(queue::retry_now(&queue.admin, id, "person:ada").await.unwrap());
    wait_until("the hurried task", async || {
        let ends = queue.texts(ENDS).await;
        if ends == ["a:SUCCEEDED:1"] { Ok(()) } else { Err(ends.join(" ")) }
    })
    .await;
    assert!(!queue::retry_now(&queue.admin, id, "person:ada").await.unwrap());
    assert_eq!(queue.texts("select action from task_action").await, ["RETRIED"]);
    running.stop().await;
}
