#![doc = include_str!("../README.md")]

mod batch;
mod broker;
mod message;
mod metrics;
mod publish;
mod settings;
mod topics;
mod writer;

use anyhow::Context as _;
use queue::Engine;
use service::{About, Context, Process};
use store::{DatabaseSettings, Store};

use crate::broker::{Answers, Inbox, Publisher};
use crate::publish::Tools;
use crate::writer::Writer;

pub use settings::{BatchSettings, BrokerSettings, Settings, TaskSettings};

/// Describes this service.
pub fn about() -> About {
    service::about!()
}

/// Opens the connections to the broker, and starts the writer between them and the database and the engine that
/// publishes for tasks.
///
/// # Errors
/// When a setting cannot work. A broker or database that is away is waited for.
#[expect(clippy::unused_async, reason = "service::run wants a future")]
pub async fn start(ctx: Context<Settings>) -> anyhow::Result<Process> {
    metrics::describe();
    store::describe_metrics();
    let settings = &ctx.settings;
    let store = Store::new(&settings.database, ctx.about.name)
        .context("preparing the database")?
        .trace_with(service::traceparent);
    let (inbox, inbox_link, receiving) =
        Inbox::open(&settings.broker, &settings.batch, ctx.clock.clone(), ctx.drain.clone())?;
    let (answers, answers_link, answering) = Answers::open(&settings.broker, ctx.drain.clone())?;
    ctx.tasks.spawn("broker-inbox", receiving);
    ctx.tasks.spawn("broker-answers", answering);

    let writer = Writer {
        store: store.clone(),
        clock: ctx.clock.clone(),
        settings: settings.batch.clone(),
        inbox,
        answers,
        drain: ctx.drain.clone(),
    };
    let subscribed = inbox_link.clone();
    ctx.tasks.spawn("writer", async move {
        writer.run().await;
        inbox_link.leave().await;
        answers_link.leave().await;
    });

    start_publishing(&ctx, &store)?;
    ctx.readiness.add("database", store.probe());
    ctx.readiness.add("broker", move || {
        let state = subscribed.check();
        async move { state }
    });
    Ok(Process::new(&ctx))
}

/// Starts the engine of the queue `mqtt` over a connection to the broker of its own.
fn start_publishing(ctx: &Context<Settings>, store: &Store) -> anyhow::Result<()> {
    let settings = &ctx.settings;
    let (publisher, link, publishing) =
        Publisher::open(&settings.broker, &settings.tasks, ctx.drain.clone())?;
    ctx.tasks.spawn("broker-publisher", publishing);
    let tools = Tools { store: store.clone(), clock: ctx.clock.clone(), publisher };
    let engine = build_engine(settings, tools)?;
    let (has_begun, stop, connected) = (engine.watch_begun(), ctx.drain.token(), link.clone());
    // The connection outlives the engine: running tasks finish over it.
    let work = async move {
        let ended = engine.run(stop).await;
        link.leave().await;
        ended
    };
    ctx.run_part("engine", has_begun, work);
    ctx.readiness.add("publisher", move || {
        let state = connected.check();
        async move { state }
    });
    Ok(())
}

/// The engine has a pool of its own: behind a writer that holds every connection it could not renew its leases.
fn build_engine(settings: &Settings, tools: Tools) -> anyhow::Result<Engine> {
    let database =
        DatabaseSettings { pool_size: settings.tasks.engine_pool_size, ..settings.database.clone() };
    let store = Store::new(&database, "bridge-engine").context("preparing the engine's connections")?;
    let (listening, tls) = store.listening();
    Engine::builder(store.pool().clone(), settings.queue.clone())
        .listen(listening, tls)
        .adopt_trace(service::adopt_traceparent)
        .kind(publish::kind(tools, &settings.tasks))
        .build()
        .context("building the task engine")
}
