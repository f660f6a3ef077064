//! Worker processes for the proofs: kills, restarts, rolling replacement.

use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use deadpool_postgres::Pool;
use queue::{Engine, Failure, Job, Kind, NewTask};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_postgres::{Client, NoTls};
use tokio_util::sync::CancellationToken;

use crate::database_url;
use crate::ours::{connect, pool, settings};
use crate::produce::number;
use crate::tally::{clock, gate, say, terminated};

const TABLES: &str = "
create table effect (
    n       bigint  not null,
    task    uuid    not null,
    attempt integer not null
)";

/// What a task of the proofs carries.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Order {
    /// When it was enqueued.
    t: f64,
    /// Its number.
    n: i64,
    /// How long its work takes.
    ms: u64,
}

/// Runs one command.
pub async fn run(words: &[&str]) -> Result<()> {
    match words {
        ["setup"] => setup().await,
        ["fill", kind, from, count, ms] => fill(kind, number(from)?, number(count)?, number(ms)?).await,
        ["produce", kind, count, interval, ms] => {
            produce(kind, number(count)?, Duration::from_millis(number(interval)?), number(ms)?).await
        }
        ["work"] => work().await,
        _ => bail!("use: setup | fill KIND FROM COUNT MS | produce KIND COUNT INTERVAL_MS MS | work"),
    }
}

async fn setup() -> Result<()> {
    let client = connect().await?;
    client.batch_execute(queue::SCHEMA).await.context("creating the tables")?;
    client.batch_execute(TABLES).await.context("creating the table of effects")?;
    queue::declare(&client, &kinds(&pool(1)?)?).await.context("declaring the kinds")
}

/// Enqueues tasks with numbers from `from`, many at a time.
async fn fill(kind: &str, from: u64, count: u64, ms: u64) -> Result<()> {
    gate().await?;
    let client = connect().await?;
    let numbers: Vec<i64> = (i64::try_from(from)?..i64::try_from(from + count)?).collect();
    for chunk in numbers.chunks(10_000) {
        enqueue(&client, kind, chunk, ms).await?;
    }
    say(&json!({ "event": "done", "count": count }));
    Ok(())
}

/// One task each interval.
async fn produce(kind: &str, count: u64, interval: Duration, ms: u64) -> Result<()> {
    gate().await?;
    let client = connect().await?;
    let mut pace = tokio::time::interval(interval);
    for n in 0..i64::try_from(count)? {
        pace.tick().await;
        enqueue(&client, kind, &[n], ms).await?;
    }
    say(&json!({ "event": "done", "count": count }));
    Ok(())
}

async fn enqueue(client: &Client, kind: &str, numbers: &[i64], ms: u64) -> Result<()> {
    let t = clock();
    let tasks: Vec<NewTask> = numbers.iter().map(|n| NewTask::new(kind, &Order { t, n: *n, ms })).collect();
    queue::enqueue(client, &tasks).await?;
    Ok(())
}

/// `inside`: the effect is a row, written in the transaction that completes the task. `outside`: a line in a file, which
/// no transaction takes back, with the task's id as its idempotency key.
fn kinds(handlers: &Pool) -> Result<Vec<Kind>> {
    let handlers = handlers.clone();
    let inside = Kind::new("inside", "default", move |job| inside(job, handlers.clone()));
    let file = match std::env::var("EFFECTS_FILE") {
        Ok(path) => {
            Some(File::options().create(true).append(true).open(path).context("opening EFFECTS_FILE")?)
        }
        Err(_) => None,
    };
    let file = Arc::new(Mutex::new(file));
    let outside = Kind::new("outside", "default", move |job| outside(job, file.clone()));
    let patient =
        |kind: Kind| kind.attempts_max(1_000).backoff(Duration::from_millis(50), Duration::from_millis(500));
    Ok(vec![patient(inside), patient(outside)])
}

async fn inside(job: Job, handlers: Pool) -> Result<(), Failure> {
    let order: Order = job.args()?;
    let mut client = handlers.get().await?;
    let transaction = client.transaction().await?;
    transaction
        .execute(
            "insert into effect (n, task, attempt) values ($1, $2, $3)",
            &[&order.n, &job.id, &job.attempt],
        )
        .await?;
    job.complete_in(&*transaction).await?;
    transaction.commit().await?;
    Ok(())
}

async fn outside(job: Job, file: Arc<Mutex<Option<File>>>) -> Result<(), Failure> {
    let order: Order = job.args()?;
    let waited = clock() - order.t;
    if order.ms > 0 {
        tokio::time::sleep(Duration::from_millis(order.ms)).await;
    }
    let line = json!({
        "n": order.n, "key": job.id, "attempt": job.attempt, "waited": waited, "at": clock(),
        "process": std::process::id(),
    });
    let mut file = file.lock().expect("nobody panics with it");
    if let Some(file) = file.as_mut() {
        // One write of one line: lines of several processes do not mix.
        file.write_all(format!("{line}\n").as_bytes())?;
    }
    Ok(())
}

async fn work() -> Result<()> {
    let handlers = pool(16)?;
    let mut builder = Engine::builder(pool(8)?, settings()?);
    for kind in kinds(&handlers)? {
        builder = builder.kind(kind);
    }
    let engine = builder.listen(database_url()?.parse()?, NoTls).build()?;
    let stop = CancellationToken::new();
    say(&json!({ "event": "ready", "id": engine.id() }));
    let running = tokio::spawn(engine.run(stop.clone()));
    terminated().await?;
    let begin = clock();
    stop.cancel();
    running.await??;
    say(&json!({ "event": "end", "drained_ms": clock() - begin }));
    Ok(())
}
