//! The crate `graphile_worker` with its tokio-postgres driver.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use graphile_worker::tokio_postgres::TokioPostgresDatabase;
use graphile_worker::{
    Database, IntoTaskHandlerResult, JobSpec, LocalQueueConfig, RawJobSpec, TaskHandler, WorkerContext,
    WorkerOptions, WorkerUtils,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::database_url;
use crate::produce::{self, Producer, number};
use crate::tally::{Payload, Tally, gate, terminated};

const SCHEMA: &str = "graphile_worker";

/// Runs one command.
pub async fn run(words: &[&str]) -> Result<()> {
    match words {
        ["setup"] => utils(2)?.migrate().await.context("creating the tables"),
        ["work", mark] => work(number(mark)?).await,
        _ => produce::run(&mut Peer(utils(1)?), words).await,
    }
}

fn database(connections: usize) -> Result<Database> {
    Ok(TokioPostgresDatabase::from_url(&database_url()?, connections).context("opening the pool")?.into())
}

fn utils(connections: usize) -> Result<WorkerUtils> {
    Ok(WorkerUtils::new(database(connections)?, SCHEMA))
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Nothing {
    t: f64,
    n: u64,
}

#[derive(Clone)]
struct Shared(Arc<Tally>);

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

impl TaskHandler for Nothing {
    const IDENTIFIER: &'static str = "nothing";

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        if let Some(shared) = context.get_ext::<Shared>() {
            shared.0.count(&Payload { t: self.t, n: self.n });
        }
        Ok::<(), String>(())
    }
}

/// The settings of the crate's own throughput benchmark, and its default poll interval.
async fn work(mark: u64) -> Result<()> {
    let tally = Tally::new(mark);
    let setting = |name: &str, default: u64| -> Result<u64> {
        std::env::var(name).map_or(Ok(default), |value| number(&value))
    };
    let worker = WorkerOptions::default()
        .database(database(usize::try_from(setting("CONNECTIONS", 20)?)?)?)
        .schema(SCHEMA)
        .concurrency(usize::try_from(setting("CONCURRENCY", 500)?)?)
        .complete_job_batch_delay(Duration::from_millis(setting("COMPLETE_MS", 5)?))
        .local_queue(LocalQueueConfig::default().with_size(usize::try_from(setting("LOCAL_QUEUE", 5_000)?)?))
        .listen_os_shutdown_signals(false)
        .add_extension(Shared(tally.clone()))
        .define_job::<Nothing>()
        .init()
        .await
        .context("starting the worker")?;
    gate().await?;
    let saying = tokio::spawn(tally.clone().keep_saying());
    let mut running = std::pin::pin!(worker.run());
    tokio::select! {
        ended = &mut running => ended.context("the worker ended")?,
        asked = terminated() => {
            asked?;
            worker.request_shutdown();
            running.await.context("stopping the worker")?;
        }
    }
    saying.abort();
    tally.end();
    Ok(())
}

struct Peer(WorkerUtils);

impl Producer for Peer {
    async fn enqueue(&mut self, payloads: Vec<Payload>) -> Result<()> {
        if let [payload] = payloads.as_slice() {
            let args = json!({ "t": payload.t, "n": payload.n });
            self.0.add_raw_job("nothing", args, JobSpec::default()).await?;
            return Ok(());
        }
        let jobs: Vec<RawJobSpec> = payloads
            .iter()
            .map(|payload| RawJobSpec {
                identifier: "nothing".into(),
                payload: json!({ "t": payload.t, "n": payload.n }),
                spec: JobSpec::default(),
            })
            .collect();
        self.0.add_raw_jobs(&jobs).await?;
        Ok(())
    }
}
