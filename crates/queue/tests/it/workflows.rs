//! Tasks that wait for others.

use std::time::Duration;

use queue::{Error, Failure, Kind, NewTask, Workflow};
use uuid::Uuid;

use crate::support::{Queue, Running, Seen, settings};

/// Notes its arguments and the parents it waited for; fails for good when its arguments begin with `bad`.
fn noting(seen: &std::sync::Arc<Seen<String>>) -> Kind {
    let noted = seen.clone();
    Kind::typed("a", "default", move |_, name: String| {
        let noted = noted.clone();
        async move {
            noted.push(name.clone());
            if name.starts_with("bad") { Err(Failure::permanent("no")) } else { Ok(()) }
        }
    })
}

fn task(name: &str) -> NewTask {
    NewTask::new("a", &name)
}

fn tasks(names: &[&str]) -> Workflow {
    names.iter().fold(Workflow::new(), |workflow, name| workflow.task(*name, task(name)))
}

async fn outcomes(queue: &Queue) -> Vec<String> {
    queue.texts("select (args #>> '{}') || ' ' || outcome from task_history order by 1").await
}

/// Runs a workflow until nothing of it is left; answers the order in which its tasks ran, and how each ended.
async fn run(workflow: Workflow) -> (Vec<String>, Vec<String>) {
    let queue = Queue::create().await;
    let seen = Seen::new();
    let running = Running::start(queue.engine(settings()).kind(noting(&seen)));
    queue::enqueue_workflow(&queue.admin, &workflow).await.unwrap();
    queue.until("select count(*) from task", 0).await;
    running.stop().await;
    assert_eq!(queue.number("select count(*) from task_dependency").await, 0);
    (seen.all(), outcomes(&queue).await)
}

#[tokio::test]
async fn a_report_is_built_then_mailed_then_recorded() {
    let workflow = tasks(&["record", "mail", "build"]).after("mail", &["build"]).after("record", &["mail"]);
    let (order, outcomes) = run(workflow).await;
    assert_eq!(order, ["build", "mail", "record"]);
    assert_eq!(outcomes, ["build SUCCEEDED", "mail SUCCEEDED", "record SUCCEEDED"]);
}

#[tokio::test]
async fn what_fans_out_comes_together_once() {
    let parts: Vec<String> = (0..300).map(|number| format!("part {number}")).collect();
    let mut workflow = tasks(&["begin", "end"]).after("end", &parts);
    for part in &parts {
        workflow = workflow.task(part, task(part)).after(part, &["begin"]);
    }
    let (order, outcomes) = run(workflow).await;
    assert_eq!((order.len(), outcomes.len()), (302, 302));
    assert_eq!((order[0].as_str(), order[301].as_str()), ("begin", "end"));
}

#[tokio::test]
async fn what_waits_for_a_failure_is_cancelled_all_the_way_down_and_the_rest_is_not() {
    let workflow = tasks(&["bad", "child", "grandchild", "other", "aside"])
        .after("child", &["bad", "other"])
        .after("grandchild", &["child"])
        .after("aside", &["other"]);
    let (order, outcomes) = run(workflow).await;
    assert_eq!(order.len(), 3, "{order:?}");
    assert_eq!(
        outcomes,
        ["aside SUCCEEDED", "bad BURIED", "child CANCELLED", "grandchild CANCELLED", "other SUCCEEDED"]
    );
}

#[tokio::test]
async fn the_first_success_is_enough_for_a_task_that_waits_for_any() {
    let workflow = tasks(&["bad", "good", "child"]).after_any("child", &["bad", "good"]);
    let (order, outcomes) = run(workflow).await;
    assert_eq!(order.iter().filter(|name| *name == "child").count(), 1);
    assert_eq!(outcomes, ["bad BURIED", "child SUCCEEDED", "good SUCCEEDED"]);

    let workflow = tasks(&["bad 1", "bad 2", "child"]).after_any("child", &["bad 1", "bad 2"]);
    let (_, outcomes) = run(workflow).await;
    assert_eq!(outcomes, ["bad 1 BURIED", "bad 2 BURIED", "child CANCELLED"]);
}

#[tokio::test]
async fn a_task_that_goes_on_even_if_others_failed_waits_for_their_end() {
    let workflow = tasks(&["bad", "good", "tidy"]).even_if_failed("tidy", &["bad", "good"]);
    let (order, outcomes) = run(workflow).await;
    assert_eq!(order[2], "tidy");
    assert_eq!(outcomes, ["bad BURIED", "good SUCCEEDED", "tidy SUCCEEDED"]);

    let mixed = tasks(&["bad", "good", "tidy"]).even_if_failed("tidy", &["bad"]).after("tidy", &["good"]);
    assert_eq!(run(mixed).await.1, ["bad BURIED", "good SUCCEEDED", "tidy SUCCEEDED"]);
}

#[tokio::test]
async fn a_retry_keeps_the_others_waiting() {
    let queue = Queue::create().await;
    let seen = Seen::new();
    let noted = seen.clone();
    let kind = Kind::new("a", "default", move |job| {
        noted.push((job.args::<String>().unwrap(), job.attempt));
        async move { if job.attempt == 1 { Err(Failure::retry("not yet")) } else { Ok(()) } }
    });
    let kind = kind.backoff(Duration::from_millis(1), Duration::from_millis(1));
    let running = Running::start(queue.engine(settings()).kind(kind));
    let workflow = tasks(&["first", "second"]).after("second", &["first"]);
    queue::enqueue_workflow(&queue.admin, &workflow).await.unwrap();
    queue.until_done(2).await;
    let seen = seen.all();
    let order: Vec<(&str, i32)> = seen.iter().map(|(name, attempt)| (name.as_str(), *attempt)).collect();
    assert_eq!(order, [("first", 1), ("first", 2), ("second", 1), ("second", 2)]);
    running.stop().await;
}

#[tokio::test]
async fn a_task_knows_its_parents_and_reads_their_results() {
    let queue = Queue::create().await;
    let (pool, seen) = (queue.pool.clone(), Seen::new());
    let noted = seen.clone();
    let sum = Kind::new("b", "default", move |job| {
        let (pool, noted) = (pool.clone(), noted.clone());
        async move {
            let client = pool.get().await?;
            let mut sum = 0;
            for parent in &job.parents {
                sum += queue::result(&**client, *parent).await?.and_then(|value| value.as_i64()).unwrap();
            }
            noted.push((job.parents, sum));
            Ok(())
        }
    });
    let number = Kind::typed("a", "default", |_, number: i64| async move { Ok(number) })
        .keep_result(Duration::from_mins(1));
    let running = Running::start(queue.engine(settings()).kind(sum).kind(number));
    let workflow = Workflow::new()
        .task("sum", NewTask::new("b", &()))
        .task("three", NewTask::new("a", &3))
        .task("four", NewTask::new("a", &4))
        .after("sum", &["three", "four"]);
    let ids = queue::enqueue_workflow(&queue.admin, &workflow).await.unwrap();
    queue.until_done(3).await;
    assert_eq!(seen.all(), [(vec![ids["three"], ids["four"]], 7)]);
    running.stop().await;
}

#[tokio::test]
async fn a_delayed_task_waits_for_its_time_and_for_the_others() {
    let queue = Queue::create().await;
    let seen = Seen::new();
    let workflow = Workflow::new()
        .task("first", task("first"))
        .task("later", task("later").delay(Duration::from_hours(1)))
        .after("later", &["first"]);
    queue::enqueue_workflow(&queue.admin, &workflow).await.unwrap();
    let running = Running::start(queue.engine(settings()).kind(noting(&seen)));
    queue.until("select count(*) from task where state = 'DELAYED'", 1).await;
    assert_eq!(seen.all(), ["first"]);
    let hurry = "update task set run_at = now(); notify queue_ready, 'default'";
    queue.admin.batch_execute(hurry).await.unwrap();
    queue.until_done(2).await;
    running.stop().await;
}

#[tokio::test]
async fn a_workflow_is_enqueued_whole_or_not_at_all() {
    let mut queue = Queue::create().await;
    let unknown = tasks(&["first"]).task("second", NewTask::new("c", &())).after("second", &["first"]);
    let refused = queue::enqueue_workflow(&queue.admin, &unknown).await.unwrap_err();
    assert!(matches!(refused, Error::UnknownKind { kind } if kind == "c"));
    let cycle = tasks(&["a", "b"]).after("a", &["b"]).after("b", &["a"]);
    assert!(matches!(queue::enqueue_workflow(&queue.admin, &cycle).await, Err(Error::Cycle { .. })));
    let transaction = queue.admin.transaction().await.unwrap();
    let well = tasks(&["a", "b"]).after("a", &["b"]);
    assert_eq!(queue::enqueue_workflow(&transaction, &well).await.unwrap().len(), 2);
    transaction.rollback().await.unwrap();
    assert_eq!(queue.number("select count(*) from task").await, 0);
    assert_eq!(queue.number("select count(*) from task_dependency").await, 0);
    assert!(queue::enqueue_workflow(&queue.admin, &Workflow::new()).await.unwrap().is_empty());
}

#[tokio::test]
async fn thousands_of_tasks_are_one_workflow_in_one_statement() {
    let queue = Queue::create().await;
    let names: Vec<String> = (0..5_000).map(|number| number.to_string()).collect();
    let mut workflow = Workflow::new().task(&names[0], task(&names[0]));
    for pair in names.windows(2) {
        workflow = workflow.task(&pair[1], task(&pair[1])).after(&pair[1], &[&pair[0]]);
    }
    let ids = queue::enqueue_workflow(&queue.admin, &workflow).await.unwrap();
    assert_eq!(ids.len(), 5_000);
    let shape = "select count(*) from task
                  where pending = (state = 'WAITING')::integer and followed = (id <> $1) and cardinality(parents) is not distinct from nullif(pending, 0)";
    let last: Uuid = ids["4999"];
    let right: i64 = queue.admin.query_one(shape, &[&last]).await.unwrap().get(0);
    assert_eq!(right, 5_000);
    assert_eq!(queue.number("select count(*) from task_dependency").await, 4_999);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn diamonds_run_by_several_engines_strand_nothing() {
    let queue = Queue::create().await;
    let seen = Seen::new();
    let engines: Vec<Running> =
        (0..3).map(|_| Running::start(queue.engine(settings()).kind(noting(&seen)))).collect();
    for number in 0..30 {
        let [begin, left, right, end] =
            ["begin", if number % 3 == 0 { "bad left" } else { "left" }, "right", "end"]
                .map(|name| format!("{name} {number}"));
        let workflow = tasks(&[&begin, &left, &right, &end])
            .after(&left, &[&begin])
            .after(&right, &[&begin])
            .after(&end, &[&left, &right]);
        queue::enqueue_workflow(&queue.admin, &workflow).await.unwrap();
    }
    queue.until("select count(*) from task", 0).await;
    for engine in engines {
        engine.stop().await;
    }
    let count = |outcome: &str| format!("select count(*) from task_history where outcome = '{outcome}'");
    assert_eq!(queue.number(&count("SUCCEEDED")).await, 100);
    assert_eq!(queue.number(&count("BURIED")).await, 10);
    assert_eq!(queue.number(&count("CANCELLED")).await, 10);
    assert_eq!(seen.count(), 110);
}

/// Ends a task as a worker does that knows no workflows; without history when no outcome is given.
async fn end_untold(queue: &Queue, id: Uuid, outcome: Option<&str>) {
    let sql = "with gone as (delete from task where id = $1 returning *)
               insert into task_history (id, created_at, run_at, finished_at, attempts, queue, kind, outcome, args)
               select id, created_at, run_at, now(), 1, queue, kind, $2, args from gone where $2::text is not null";
    queue.admin.execute(sql, &[&id, &outcome]).await.unwrap();
}

#[tokio::test]
async fn what_waits_for_a_task_that_ended_without_telling_it_is_released_or_cancelled() {
    let queue = Queue::create().await;
    let pairs = ["good", "lost", "unkept", "alive"];
    let workflow = pairs.iter().fold(Workflow::new(), |workflow, name| {
        let child = format!("after {name}");
        workflow.task(*name, task(name)).task(&child, task(&child)).after(&child, &[*name])
    });
    let ids = queue::enqueue_workflow(&queue.admin, &workflow).await.unwrap();
    end_untold(&queue, ids["good"], Some("SUCCEEDED")).await;
    end_untold(&queue, ids["lost"], Some("BURIED")).await;
    end_untold(&queue, ids["unkept"], None).await;
    let worker = queue.pool.get().await.unwrap();
    assert_eq!(queue::release_forgotten(&**worker, 1).await.unwrap(), 2, "one of each outcome");
    assert_eq!(queue::release_forgotten(&**worker, 10).await.unwrap(), 1);
    assert_eq!(queue::release_forgotten(&**worker, 10).await.unwrap(), 0);
    let states = "select (args #>> '{}') || ' ' || state || case when cancelled_at is null then '' else ' cancelled' end
                    from task order by 1";
    let states = queue.texts(states).await;
    let expected = [
        "after alive WAITING",
        "after good READY",
        "after lost READY cancelled",
        "after unkept READY",
        "alive READY",
    ];
    assert_eq!(states, expected);
}

#[tokio::test]
async fn cancelling_what_waits_and_ending_what_it_waits_for_do_not_lock_each_other_out() {
    let mut queue = Queue::create().await;
    let workflow = tasks(&["first", "second"]).after("second", &["first"]);
    let ids = queue::enqueue_workflow(&queue.admin, &workflow).await.unwrap();
    let (first, second) = (ids["first"], ids["second"]);
    let mut by_hand = queue.connect_as("youtility_worker").await;
    let worker = queue.connect_as("youtility_worker").await;
    let transaction = by_hand.transaction().await.unwrap();
    // As cancelling begins.
    transaction.execute("select from task where id = $1 for update", &[&second]).await.unwrap();
    let ending = async {
        let end = "select task_follow(array[$1::uuid], true)::text";
        worker.execute(end, &[&first]).await.map(drop)
    };
    let removal = async {
        queue.until_blocked().await;
        let outcome = queue::cancel(&transaction, second, "person:ada").await;
        transaction.commit().await.unwrap();
        outcome
    };
    let (told, removed) = tokio::join!(ending, removal);
    told.unwrap();
    assert_eq!(removed.unwrap(), queue::Cancel::Removed);
    assert_eq!(queue.number("select count(*) from task_dependency").await, 0);
    assert_eq!(queue.number("select count(*) from task").await, 1, "the first");
}
