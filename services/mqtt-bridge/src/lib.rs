#![doc = include_str!("../README.md")]

mod batch;
mod broker;
mod message;
mod metrics;
mod settings;
mod topics;
mod writer;

use anyhow::Context as _;
use service::{About, Context, Process};
use store::Store;

use crate::broker::{Answers, Inbox};
use crate::writer::Writer;

pub use settings::{BatchSettings, BrokerSettings, Settings};

/// Describes this service.
pub fn about() -> About {
    service::about!()
}

/// Opens both connections to the broker and starts the writer between them and the database.
///
/// # Errors
/// When a setting cannot work. A broker or database that is away is waited for.
#[expect(clippy::unused_async, reason = "service::run wants a future")]
pub async fn start(ctx: Context<Settings>) -> anyhow::Result<Process> {
    metrics::describe();
    store::describe_metrics();
    let settings = &ctx.settings;
    let store = Store::new(&settings.database, ctx.about.name).context("preparing the database")?;
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

    ctx.readiness.add("database", store.probe());
    ctx.readiness.add("broker", move || {
        let state = subscribed.check();
        async move { state }
    });
    Ok(Process::new(&ctx))
}
