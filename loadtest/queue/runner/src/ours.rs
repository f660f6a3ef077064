//! crates/queue.

use anyhow::{Context, Result, bail};
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use queue::{Engine, EngineSettings, Kind, NewTask};
use serde_json::{Value, json};
use tokio_postgres::{Client, NoTls};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::database_url;
use crate::produce::{self, Producer, number};
use crate::tally::{Payload, Tally, gate, terminated};

const KIND: &str = "nothing";

/// Runs one command.
pub async fn run(words: &[&str]) -> Result<()> {
    match words {
        ["setup"] => setup().await,
        ["work", mark] => work(number(mark)?).await,
        _ => {
            let client = connect().await?;
            produce::run(&mut Ours { client, tenant: tenant()? }, words).await
        }
    }
}

/// Opens a connection of its own.
pub async fn connect() -> Result<Client> {
    let (client, connection) =
        tokio_postgres::connect(&database_url()?, NoTls).await.context("connecting to PostgreSQL")?;
    tokio::spawn(connection);
    Ok(client)
}

/// Builds a pool.
pub fn pool(size: usize) -> Result<Pool> {
    let config: tokio_postgres::Config = database_url()?.parse().context("reading DATABASE_URL")?;
    let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    Ok(Pool::builder(Manager::from_config(config, NoTls, manager)).max_size(size).build()?)
}

/// The engine's defaults, with what `OURS_SETTINGS` (JSON) says otherwise.
pub fn settings() -> Result<EngineSettings> {
    let mut all = serde_json::to_value(EngineSettings::default())?;
    if let Ok(given) = std::env::var("OURS_SETTINGS") {
        let given: Value = serde_json::from_str(&given).context("reading OURS_SETTINGS")?;
        let (Value::Object(all), Value::Object(given)) = (&mut all, given) else {
            bail!("OURS_SETTINGS is not an object");
        };
        all.extend(given);
    }
    serde_json::from_value(all).context("reading the settings")
}

async fn setup() -> Result<()> {
    // Refuses settings the engine does not know before anything is measured with them.
    settings()?;
    let client = connect().await?;
    client.batch_execute(queue::SCHEMA).await.context("creating the tables")?;
    queue::declare(&client, &[kind(Tally::new(0))]).await.context("declaring the kind")
}

fn tenant() -> Result<Option<Uuid>> {
    let Ok(number) = std::env::var("TENANT") else { return Ok(None) };
    Ok(Some(Uuid::from_u128(number.parse().context("reading TENANT")?)))
}

fn kind(tally: std::sync::Arc<Tally>) -> Kind {
    Kind::new(KIND, "default", move |job| {
        let tally = tally.clone();
        async move {
            tally.count(&job.args::<Payload>()?);
            Ok(())
        }
    })
}

async fn work(mark: u64) -> Result<()> {
    let tally = Tally::new(mark);
    let engine = Engine::builder(pool(8)?, settings()?)
        .kind(kind(tally.clone()))
        .listen(database_url()?.parse()?, NoTls)
        .build()?;
    gate().await?;
    let stop = CancellationToken::new();
    let running = tokio::spawn(engine.run(stop.clone()));
    let saying = tokio::spawn(tally.clone().keep_saying());
    terminated().await?;
    stop.cancel();
    running.await??;
    saying.abort();
    tally.end();
    Ok(())
}

struct Ours {
    client: Client,
    tenant: Option<Uuid>,
}

impl Producer for Ours {
    async fn enqueue(&mut self, payloads: Vec<Payload>) -> Result<()> {
        let tasks: Vec<NewTask> = payloads
            .iter()
            .map(|payload| {
                let task = NewTask::new(KIND, &json!({ "t": payload.t, "n": payload.n }));
                match self.tenant {
                    Some(tenant) => task.tenant(tenant),
                    None => task,
                }
            })
            .collect();
        queue::enqueue(&self.client, &tasks).await?;
        Ok(())
    }
}
