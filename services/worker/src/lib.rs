#![doc = include_str!("../README.md")]

mod letter;
mod mailer;
mod metrics;
mod settings;
mod tasks;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use queue::Engine;
use service::{About, Context, Drain, Process};
use store::{DatabaseSettings, Store};

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
    metrics::describe();
    store::describe_metrics();
    let store = Store::new(&ctx.settings.database, ctx.about.name).context("preparing the database")?;
    let tools = Tools {
        store: store.clone(),
        clock: ctx.clock.clone(),
        mailer: Mailer::new(&ctx.settings.mail, ctx.settings.tasks.mail_patience())?,
        public_url: Arc::from(ctx.settings.mail.public_url.as_str()),
        escalation_batch: ctx.settings.tasks.escalation_batch,
        retention: ctx.settings.retention.retention(),
        partition_days_ahead: ctx.settings.retention.partition_days_ahead,
        dead_letter_days: ctx.settings.retention.dead_letter_days,
    };
    run_engine(&ctx, build_engine(&ctx.settings, &tools)?);
    ctx.readiness.add("database", store.probe());
    Ok(Process::new(&ctx))
}

/// The engine has a pool of its own: behind tasks that hold every connection it could not renew its leases.
fn build_engine(settings: &Settings, tools: &Tools) -> anyhow::Result<Engine> {
    let database =
        DatabaseSettings { pool_size: settings.tasks.engine_pool_size, ..settings.database.clone() };
    let store = Store::new(&database, "worker-engine").context("preparing the engine's connections")?;
    let (listening, tls) = store.listening();
    let engine = Engine::builder(store.pool().clone(), settings.queue.clone()).listen(listening, tls);
    tasks::register(engine, tools, settings).build().context("building the task engine")
}

/// Runs the engine until the drain; the process is ready only while it works, and ends when it cannot.
fn run_engine(ctx: &Context<Settings>, engine: Engine) {
    let alive = Arc::new(AtomicBool::new(true));
    let mark = Alive(Arc::clone(&alive), ctx.drain.clone());
    let stop = ctx.drain.token();
    let begun = engine.watch_begun();
    ctx.tasks.spawn("task-engine", async move {
        let _mark = mark;
        if let Err(error) = engine.run(stop).await {
            tracing::error!(error.chain = domain::fault::chain(&error), "the task engine cannot work");
        }
    });
    ctx.readiness.add("engine", move || {
        let state = match (alive.load(Ordering::Acquire), begun()) {
            (false, _) => Err("the task engine has ended".to_owned()),
            (true, false) => Err("the task engine waits for its tables".to_owned()),
            (true, true) => Ok(()),
        };
        std::future::ready(state)
    });
}

/// Says that the engine has ended, however it ended, and ends a process that has nothing else to do.
struct Alive(Arc<AtomicBool>, Drain);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
        self.1.token().cancel();
    }
}
