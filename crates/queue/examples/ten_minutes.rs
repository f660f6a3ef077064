//! The queue in ten minutes: tables, kinds, an engine, tasks in a transaction, a workflow, results, a schedule.
//!
//! It needs an empty database and its owner:
//! `cargo run -p queue --example ten_minutes -- "host=localhost user=postgres dbname=trial"`
#![cfg_attr(not(test), expect(clippy::print_stdout, reason = "an example shows what it does"))]

use std::time::Duration;

use deadpool_postgres::{Manager, Pool};
use queue::{Engine, EngineSettings, Enqueued, Failure, Kind, NewTask, Schedule, TaskType, Workflow};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};
use tokio_postgres::{Config, NoTls};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

type Trouble = Box<dyn std::error::Error + Send + Sync>;

/// How long the whole example may take.
const LIMIT: Duration = Duration::from_secs(30);

/// The arguments of a task are any type that JSON can hold.
#[derive(Debug, Serialize, Deserialize)]
struct Greeting {
    name: String,
}

/// A kind, its queue and its arguments, known to both sides when they are compiled.
const GREET: TaskType<Greeting> = TaskType::new("greet", "email");

#[tokio::main]
async fn main() -> Result<(), Trouble> {
    let url = std::env::args().nth(1).ok_or("say where the database is: \"host=… user=… dbname=…\"")?;
    timeout(LIMIT, run(url.parse()?)).await?
}

/// Runs the whole example in an empty database.
pub(crate) async fn run(config: Config) -> Result<(), Trouble> {
    // The engine has connections of its own, so that it never waits for handlers.
    let pool = Pool::builder(Manager::new(config.clone(), NoTls)).max_size(8).build()?;
    let engine_pool = Pool::builder(Manager::new(config.clone(), NoTls)).max_size(8).build()?;
    pool.get().await?.batch_execute(queue::SCHEMA).await?;
    pool.get().await?.batch_execute("create table payment (order_number integer not null)").await?;

    // A worker: one engine per process, any number of processes.
    let engine = Engine::builder(engine_pool, EngineSettings::default())
        .kind(greet())
        .kind(charge(pool.clone()))
        .schedule(Schedule::cron("every second", "* * * * * *", "Europe/Berlin", clockwork()))
        .listen(config, NoTls)
        .build()?;
    let stop = CancellationToken::new();
    let mut working = JoinSet::new();
    working.spawn(engine.run(stop.clone()));

    let shown = show(&pool).await;
    // Stopping lets what runs finish, and hands back what does not.
    stop.cancel();
    while let Some(ended) = working.join_next().await {
        ended??;
    }
    shown
}

/// A handler answers anything JSON can hold; an error of any type is tried again.
fn greet() -> Kind {
    GREET
        .kind(|job, greeting| async move {
            if greeting.name.is_empty() {
                return Err(Failure::permanent("nobody to greet"));
            }
            job.progress(1, 1, "greeting");
            Ok(format!("Hello, {}!", greeting.name))
        })
        .keep_result(Duration::from_hours(1))
        .timeout(Duration::from_secs(10))
        .attempts_max(5)
}

/// Effect and completion in one transaction: paid exactly once, however often the task is begun.
fn charge(pool: Pool) -> Kind {
    Kind::typed("charge", "default", move |job, number: i32| {
        let pool = pool.clone();
        async move {
            let mut client = pool.get().await?;
            let transaction = client.transaction().await?;
            transaction.execute("insert into payment values ($1)", &[&number]).await?;
            job.complete_in(&*transaction).await?;
            Ok(transaction.commit().await?)
        }
    })
}

fn clockwork() -> NewTask {
    GREET.task(&Greeting { name: "clock".to_owned() })
}

async fn show(pool: &Pool) -> Result<(), Trouble> {
    let mut client = pool.get().await?;
    until("the kinds are known", async || {
        let known = "select count(*) = 2 from task_kind where name in ('greet', 'charge')";
        Ok(client.query_one(known, &[]).await?.try_get(0)?)
    })
    .await?;

    // In the transaction of the reason for it: rolled back, the task never was.
    let transaction = client.transaction().await?;
    let ada = GREET.task(&Greeting { name: "Ada".to_owned() }).idempotency_key("request 4711");
    let first = queue::enqueue(&*transaction, std::slice::from_ref(&ada)).await?;
    transaction.commit().await?;
    let [Enqueued::New(id)] = first[..] else { return Err("the key was free".into()) };
    // The same request again: nothing is enqueued, and the answer is the same task.
    let again = queue::enqueue(&**client, &[ada]).await?;
    expect("the repeated request", &again, &vec![Enqueued::Held(Some(id))])?;

    until_ended(&client, id).await?;
    let result = queue::result(&**client, id).await?;
    expect("the result", &result, &Some("Hello, Ada!".into()))?;

    // First the payment, then the greeting.
    let workflow = Workflow::new()
        .task("pay", NewTask::new("charge", &7))
        .task("thank", GREET.task(&Greeting { name: "customer 7".to_owned() }))
        .after("thank", &["pay"]);
    let ids = queue::enqueue_workflow(&**client, &workflow).await?;
    until_ended(&client, *ids.get("thank").ok_or("the workflow has this task")?).await?;
    let paid: i64 = client.query_one("select count(*) from payment", &[]).await?.try_get(0)?;
    expect("payments", &paid, &1)?;

    until("the schedule has ticked", async || {
        let ticked = "select count(*) > 0 from task_history where args ->> 'name' = 'clock'";
        Ok(client.query_one(ticked, &[]).await?.try_get(0)?)
    })
    .await
}

async fn until_ended(client: &deadpool_postgres::Client, id: Uuid) -> Result<(), Trouble> {
    until("the task has ended", async || {
        Ok(queue::status(&***client, id).await?.is_some_and(|status| status.has_ended()))
    })
    .await
}

async fn until(what: &str, mut ask: impl AsyncFnMut() -> Result<bool, Trouble>) -> Result<(), Trouble> {
    let mut pace = interval(Duration::from_millis(20));
    let asking = async {
        while !ask().await? {
            pace.tick().await;
        }
        Ok::<(), Trouble>(())
    };
    timeout(LIMIT, asking).await.map_err(|_elapsed| format!("waited in vain until {what}"))??;
    println!("{what}");
    Ok(())
}

fn expect<T: PartialEq + std::fmt::Debug>(what: &str, seen: &T, wanted: &T) -> Result<(), Trouble> {
    println!("{what}: {seen:?}");
    if seen == wanted { Ok(()) } else { Err(format!("{what}: {seen:?} is not {wanted:?}").into()) }
}
