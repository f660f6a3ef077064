#![doc = include_str!("../README.md")]

mod letter;
mod mailer;
mod measure;
mod settings;
mod tasks;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use queue::Engine;
use service::{About, Context, Process};
use store::Store;

use crate::mailer::Mailer;
use crate::tasks::Tools;

pub use settings::{MailSettings, MailTls, RetentionSettings, Settings, TaskSettings};

/// Describes this service.
pub fn about() -> About {
    service::about!()
}

/// Builds the engine with its tasks and starts it.
///
/// # Errors
/// When a setting cannot work.
#[expect(clippy::unused_async, reason = "service::run wants a future")]
pub async fn start(ctx: Context<Settings>) -> anyhow::Result<Process> {
    measure::describe();
    store::describe_metrics();
    let store = Store::new(&ctx.settings.database, ctx.about.name).context("preparing the database")?;
    let tools = Tools {
        store: store.clone(),
        clock: ctx.clock.clone(),
        mailer: Mailer::new(&ctx.settings.mail)?,
        public_url: Arc::from(ctx.settings.mail.public_url.as_str()),
        escalation_batch: ctx.settings.tasks.escalation_batch,
        retention: ctx.settings.retention.retention(),
        partition_days_ahead: ctx.settings.retention.partition_days_ahead,
    };
    let (listening, tls) = store.listening();
    let engine = Engine::builder(store.pool().clone(), ctx.settings.queue.clone()).listen(listening, tls);
    let engine =
        tasks::register(engine, &tools, &ctx.settings).build().context("building the task engine")?;
    run_engine(&ctx, engine);
    ctx.readiness.add("database", move || {
        let store = store.clone();
        async move { store.check().await.map_err(|error| error.to_string()) }
    });
    Ok(Process::new(&ctx))
}

/// Runs the engine until the drain; the process is ready only while it runs.
fn run_engine(ctx: &Context<Settings>, engine: Engine) {
    let alive = Arc::new(AtomicBool::new(true));
    let mark = Alive(Arc::clone(&alive));
    let stop = ctx.drain.token();
    ctx.tasks.spawn("task-engine", async move {
        let _mark = mark;
        if let Err(error) = engine.run(stop).await {
            let chain = format!("{:#}", anyhow::Error::new(error));
            tracing::error!(error.chain = chain, "the task engine cannot work");
        }
    });
    ctx.readiness.add("engine", move || {
        let alive = alive.load(Ordering::Acquire);
        async move { if alive { Ok(()) } else { Err("the task engine has ended".to_owned()) } }
    });
}

/// Says that the engine has ended, however it ended.
struct Alive(Arc<AtomicBool>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
