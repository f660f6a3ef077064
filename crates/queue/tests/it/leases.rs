//! What happens to tasks whose worker dies, is cut off, or takes long.

use std::collections::HashSet;
use std::sync::Mutex;

use queue::{EngineSettings, Failure, Kind, NewTask};
use tokio::runtime::Runtime;
use tokio_postgres::NoTls;
use tokio_util::sync::CancellationToken;

use crate::support::{Queue, Running, Seen, pool, settings, wait_until};

/// An engine in a runtime of its own, which ends like a process: at once, with nothing handed back.
struct Mortal(Runtime);

impl Mortal {
    /// Starts an engine whose handler never ends.
    fn start(queue: &Queue, limits: EngineSettings) -> Self {
        Self::start_with(queue, limits, Kind::new("another", "default", |_| pending()))
    }

    /// Starts an engine whose handler of kind `a` never ends, and which knows another kind.
    fn start_with(queue: &Queue, limits: EngineSettings, other: Kind) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let engine = queue::Engine::builder(pool(&queue.config), limits)
            .listen(queue.config.clone(), NoTls)
            .kind(Kind::new("a", "default", |_| pending()))
            .kind(other)
            .build()
            .unwrap();
        drop(runtime.spawn(engine.run(CancellationToken::new())));
        Self(runtime)
    }

    fn kill(self) {
        self.0.shutdown_background();
    }
}

/// A handler that never ends.
async fn pending() -> Result<(), Failure> {
    std::future::pending().await
}

const HELD: &str = "select count(*) from task where state = 'RUNNING'";

#[tokio::test]
async fn tasks_of_a_killed_engine_are_run_by_another() {
    let queue = Queue::create().await;
    let tasks: Vec<NewTask> = (0..30).map(|number| NewTask::new("a", &number)).collect();
    queue.enqueue(&tasks).await;
    let mortal = Mortal::start(&queue, EngineSettings { lease_ms: 1_500, ..settings() });
    queue.until(HELD, 16).await;
    mortal.kill();
    let running =
        Running::start(queue.engine(settings()).kind(Kind::new("a", "default", |_| async { Ok(()) })));
    queue.until_done(30).await;
    assert_eq!(queue.number("select count(*) from task_attempts where outcome = 'CRASHED'").await, 16);
    assert_eq!(queue.number("select count(*) from task_history where attempts = 2").await, 16);
    running.stop().await;
}

#[tokio::test]
async fn a_crash_of_the_worker_uses_up_no_attempt() {
    let queue = Queue::create().await;
    queue.enqueue_one(NewTask::new("a", &()).attempts_max(2)).await;
    let mortal = Mortal::start(&queue, EngineSettings { lease_ms: 1_000, ..settings() });
    queue.until(HELD, 1).await;
    mortal.kill();
    let kind = Kind::new("a", "default", |_| async { Err::<(), _>(Failure::retry("no")) })
        .backoff(std::time::Duration::from_millis(1), std::time::Duration::from_millis(2));
    let running = Running::start(queue.engine(settings()).kind(kind));
    queue.until("select count(*) from task_dead_letter", 1).await;
    let outcomes = queue.texts("select outcome from task_attempts order by finished_at").await;
    assert_eq!(outcomes, ["CRASHED", "FAILED", "FAILED"]);
    running.stop().await;
}

#[tokio::test]
async fn a_task_that_ends_its_workers_is_buried() {
    let queue = Queue::create().await;
    queue.enqueue_one(NewTask::new("a", &())).await;
    let limits = EngineSettings { crash_max: 2, lease_ms: 1_000, ..settings() };
    for crashes in 0..2 {
        queue
            .until(
                &format!(
                    "select count(*) from task where state in ('READY', 'DELAYED') and crashes = {crashes}"
                ),
                1,
            )
            .await;
        let mortal = Mortal::start(&queue, limits.clone());
        queue.until(HELD, 1).await;
        mortal.kill();
        // Another worker, of another queue, looks after the lease.
        let elsewhere = EngineSettings { queues: [("reports".to_owned(), 1)].into(), ..limits.clone() };
        let keeper = Running::start(queue.engine(elsewhere));
        queue.until(HELD, 0).await;
        keeper.stop().await;
    }
    assert_eq!(queue.texts("select reason || crashes from task_dead_letter").await, ["CRASHED2"]);
    assert_eq!(queue.number("select count(*) from task").await, 0);
    assert_eq!(queue.number("select count(*) from task_attempts where outcome = 'CRASHED'").await, 2);
}

#[tokio::test]
async fn a_task_that_ends_its_workers_does_not_take_its_neighbours_along() {
    let queue = Queue::create().await;
    let neighbours: Vec<NewTask> = (0..15).map(|number| NewTask::new("b", &number)).collect();
    queue.enqueue_one(NewTask::new("a", &())).await;
    queue.enqueue(&neighbours).await;
    let limits = EngineSettings { crash_max: 3, lease_ms: 1_000, crash_pause_ms: 4_000, ..settings() };
    for round in 0..3 {
        let quick = Kind::new("b", "default", |_| async { Ok(()) });
        let limits = limits.clone();
        if round == 0 {
            // All of them are held when the first worker dies.
            let mortal = Mortal::start_with(&queue, limits.clone(), Kind::new("b", "default", |_| pending()));
            queue.until(HELD, 16).await;
            mortal.kill();
        } else {
            let mortal = Mortal::start_with(&queue, limits.clone(), quick);
            queue.until("select count(*) from task where state = 'RUNNING' and kind = 'a'", 1).await;
            mortal.kill();
        }
        let elsewhere = EngineSettings { queues: [("reports".to_owned(), 1)].into(), ..limits };
        let keeper = Running::start(queue.engine(elsewhere));
        queue.until(HELD, 0).await;
        keeper.stop().await;
    }
    assert_eq!(queue.texts("select kind from task_dead_letter").await, ["a"]);
    let rest = Running::start(queue.engine(settings()).kind(Kind::new("b", "default", |_| async { Ok(()) })));
    queue.until_done(15).await;
    rest.stop().await;
}

#[tokio::test]
async fn a_locked_row_does_not_hold_other_verdicts_back() {
    let mut queue = Queue::create().await;
    let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let inside = gate.clone();
    let kind = Kind::new("a", "default", move |_| {
        let gate = inside.clone();
        async move {
            gate.acquire().await?.forget();
            Ok(())
        }
    });
    let running = Running::start(queue.engine(settings()).kind(kind));
    let tasks: Vec<NewTask> = (0..8).map(|number| NewTask::new("a", &number)).collect();
    queue.enqueue(&tasks).await;
    queue.until(HELD, 8).await;
    let mut other = queue.connect_as("youtility_worker").await;
    let lock = other.transaction().await.unwrap();
    lock.batch_execute("select from task where id = (select min(id::text)::uuid from task) for update")
        .await
        .unwrap();
    gate.add_permits(8);
    queue.until_done(7).await;
    lock.rollback().await.unwrap();
    queue.until_done(8).await;
    running.stop().await;
}

#[tokio::test]
async fn a_long_task_keeps_its_lease() {
    let queue = Queue::create().await;
    let gate = std::sync::Arc::new(tokio::sync::Notify::new());
    let seen = Seen::new();
    let engines: Vec<Running> = (0..2)
        .map(|_| {
            let (gate, noted) = (gate.clone(), seen.clone());
            let kind = Kind::new("a", "default", move |job| {
                let gate = gate.clone();
                noted.push(job.id);
                async move {
                    gate.notified().await;
                    Ok(())
                }
            });
            Running::start(queue.engine(settings()).kind(kind))
        })
        .collect();
    queue.enqueue_one(NewTask::new("a", &())).await;
    let long = "select count(*) from task where state = 'RUNNING' and lease_until > created_at + interval '9 seconds'";
    queue.until(long, 1).await;
    gate.notify_one();
    queue.until_done(1).await;
    assert_eq!(seen.count(), 1);
    for engine in engines {
        engine.stop().await;
    }
}

#[tokio::test]
async fn work_stops_when_the_lease_is_lost() {
    let queue = Queue::create().await;
    let seen = Seen::new();
    let noted = seen.clone();
    let kind = Kind::new("a", "default", move |job| {
        noted.push(job.cancel.clone());
        std::future::pending::<Result<(), Failure>>()
    });
    let running = Running::start(queue.engine(settings()).kind(kind));
    let id = queue.enqueue_one(NewTask::new("a", &())).await;
    queue.until(HELD, 1).await;
    wait_until("the handler", async || if seen.count() == 1 { Ok(()) } else { Err(String::new()) }).await;
    let other = uuid::Uuid::from_u128(7);
    queue
        .admin
        .execute(
            "update task set worker_id = $2, lease_until = now() + interval '1 day' where id = $1",
            &[&id, &other],
        )
        .await
        .unwrap();
    wait_until("the end of the work", async || {
        if seen.all()[0].is_cancelled() { Ok(()) } else { Err("it goes on".to_owned()) }
    })
    .await;
    running.stop().await;
    assert_eq!(queue.number("select count(*) from task_attempts").await, 0, "the other one judges");
}

#[tokio::test]
async fn nothing_is_lost_when_every_connection_breaks_in_the_middle() {
    let queue = Queue::create().await;
    let seen = Seen::new();
    let noted = seen.clone();
    let kind = Kind::new("a", "default", move |job| {
        let noted = noted.clone();
        async move {
            noted.push(job.id);
            tokio::task::yield_now().await;
            Ok(())
        }
    });
    let running = Running::start(queue.engine(settings()).kind(kind));
    let tasks: Vec<NewTask> = (0..600).map(|number| NewTask::new("a", &number)).collect();
    for chunk in tasks.chunks(100) {
        queue.enqueue(chunk).await;
        let kill = "select pg_terminate_backend(pid) from pg_stat_activity
                     where usename = 'youtility_worker' and datname = current_database()";
        queue.admin.query(kill, &[]).await.unwrap();
    }
    queue.until("select count(distinct id) from task_history where outcome = 'SUCCEEDED'", 600).await;
    assert_eq!(queue.number("select count(*) from task").await, 0);
    assert!(seen.count() >= 600);
    running.stop().await;
}

#[tokio::test]
async fn a_database_that_hangs_is_given_up_and_asked_again() {
    let mut queue = Queue::create().await;
    let limits = EngineSettings { statement_timeout_ms: 300, lease_ms: 1_500, ..settings() };
    let kind = Kind::new("a", "default", |_| async { Ok(()) });
    let running = Running::start(queue.engine(limits).kind(kind));
    queue.until("select count(*) from task_worker", 1).await;
    let tasks: Vec<NewTask> = (0..20).map(|number| NewTask::new("a", &number)).collect();
    queue.enqueue(&tasks).await;

    let lock = queue.admin.transaction().await.unwrap();
    lock.batch_execute("lock table task in access exclusive mode").await.unwrap();
    // PostgreSQL itself ends what nobody waits for any more, so each statement is seen waiting for a moment only.
    let waiting = "select pid::text || query_start from pg_stat_activity
                    where datname = current_database() and wait_event_type = 'Lock'";
    let given_up = Mutex::new(HashSet::new());
    wait_until("statements given up", async || {
        let rows = lock.query(waiting, &[]).await.unwrap();
        let mut given_up = given_up.lock().unwrap();
        given_up.extend(rows.iter().map(|row| row.get::<_, String>(0)));
        if given_up.len() >= 6 { Ok(()) } else { Err(given_up.len().to_string()) }
    })
    .await;
    lock.rollback().await.unwrap();
    queue.until("select count(distinct id) from task_history where outcome = 'SUCCEEDED'", 20).await;
    assert_eq!(queue.number("select count(*) from task_dead_letter").await, 0);
    assert_eq!(
        queue.number("select count(*) from task_attempts where outcome = 'CRASHED'").await,
        0,
        "it lives"
    );
    running.stop().await;
}
