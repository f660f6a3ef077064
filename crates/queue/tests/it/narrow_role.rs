//! An engine under a role that has no more than its statements need: the one inside the bridge.

use std::time::Duration;

use queue::{Cancel, Failure, Job, Kind, Limits, NewTask, Workflow};

use crate::support::{Queue, Running, settings, wait_until};

/// What the role is given beside what enqueuing needs.
const GRANTS: &str = include_str!("../../../../migrations/V0007__task_kinds.sql");

/// Does what its arguments say.
async fn handle(job: Job) -> Result<&'static str, Failure> {
    match job.args::<String>()?.as_str() {
        "refuse" => Err(Failure::permanent("no")),
        "again" if job.attempt == 1 => Err(Failure::retry("not yet")),
        "never" => {
            job.progress(1, 2, "half");
            std::future::pending().await
        }
        _ => Ok("done"),
    }
}

async fn narrow() -> (Queue, Kind) {
    let mut queue = Queue::create().await;
    queue.admin.batch_execute(GRANTS).await.unwrap();
    queue.become_role("youtility_bridge");
    let kind = Kind::new("a", "default", handle)
        .keep_result(Duration::from_hours(1))
        .backoff(Duration::from_millis(1), Duration::from_millis(5));
    (queue, kind)
}

#[tokio::test]
async fn tasks_succeed_fail_wait_and_are_cancelled() {
    let (queue, kind) = narrow().await;
    let running = Running::start(queue.engine(settings()).kind(kind));
    let flow = Workflow::new()
        .task("refuse", NewTask::new("a", &"refuse"))
        .task("after", NewTask::new("a", &"after"))
        .after("after", &["refuse"]);
    queue::enqueue_workflow(&queue.admin, &flow).await.unwrap();
    let once = NewTask::new("a", &"once").unique_until_start("k").delay(Duration::from_millis(50));
    let never = queue.enqueue(&[NewTask::new("a", &"never"), once, NewTask::new("a", &"again")]).await[0];
    let never = never.new_id().unwrap();
    queue.until("select count(*) from task where progress is not null", 1).await;
    queue.until("select count(*) from task", 1).await;
    assert_eq!(queue::cancel(&queue.admin, never, "person:ada").await.unwrap(), Cancel::Requested);
    queue.until("select count(*) from task", 0).await;
    let ends = "select (args #>> '{}') || ':' || outcome from task_history order by 1";
    let wanted = ["after:CANCELLED", "again:SUCCEEDED", "never:CANCELLED", "once:SUCCEEDED", "refuse:BURIED"];
    assert_eq!(queue.texts(ends).await, wanted);
    assert_eq!(queue.number("select count(*) from task_dead_letter").await, 1);
    let bridge = queue.pool.get().await.unwrap();
    assert_eq!(queue::stats(&**bridge).await.unwrap().dead_letters().number, 1);
    running.stop().await;
    assert_eq!(queue.number("select count(*) from task_worker").await, 0, "it signed off");
}

#[tokio::test]
async fn limits_hold_and_what_others_lost_is_taken_back() {
    let (queue, kind) = narrow().await;
    let limits = Limits {
        running_max: Some(2),
        rate_max: Some(1_000),
        tenant_rate_max: Some(1_000),
        ..Limits::default()
    };
    queue::limit(&queue.admin, "default", &limits, "person:ada").await.unwrap();
    let lost = "insert into task (id, queue, kind, args, state, worker_id, lease_until, attempt, crashes)
                select gen_random_uuid(), 'default', 'a', '\"lost\"', 'RUNNING', gen_random_uuid(), now() - interval '1 hour',
                       crashes + 1, crashes
                  from unnest(array[0, 100]) as crashes";
    queue.admin.batch_execute(lost).await.unwrap();
    let running = Running::start(queue.engine(settings()).kind(kind));
    queue.until("select count(*) from task_history where outcome = 'SUCCEEDED'", 1).await;
    queue.until("select count(*) from task_dead_letter where reason = 'CRASHED'", 1).await;
    queue.enqueue_one(NewTask::new("a", &"never").tenant(uuid::Uuid::from_u128(7))).await;
    queue.until("select count(*) from task where state = 'RUNNING'", 1).await;
    assert_eq!(
        queue.number("select count(*) from task_tenant where tokens < 1000").await,
        3,
        "two tenants' and the queue's"
    );
    running.stop().await;
    wait_until("the task that was cut", async || {
        let cut = queue.texts("select outcome from task_attempt where outcome = 'INTERRUPTED'").await;
        if cut.len() == 1 { Ok(()) } else { Err(cut.join(" ")) }
    })
    .await;
    assert_eq!(queue.number("select count(*) from task where state = 'READY'").await, 1);
}
