#![doc = include_str!("../README.md")]

mod account_letter;
mod letter;
mod mailer;
mod message;
mod metrics;
mod notice;
mod reply;
mod settings;
mod tasks;

use std::sync::Arc;

use anyhow::Context as _;
use queue::Engine;
use service::{About, Context, Process};
use store::{DatabaseSettings, Store};

use crate::mailer::Mailer;
use crate::tasks::Tools;

pub use settings::{
    LinkSettings, MailSettings, MailTls, RetentionSettings, ScheduleSettings, Settings, TaskSettings,
};

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
    let store = Store::new(&ctx.settings.database, ctx.about.name)
        .context("preparing the database")?
        .trace_with(service::traceparent);
    let tools = Tools {
        store: store.clone(),
        clock: ctx.clock.clone(),
        mailer: Mailer::new(&ctx.settings.mail, ctx.settings.tasks.mail_patience())?,
        mail_terms: ctx.settings.mail.terms(),
        mail_attempts_max: ctx.settings.tasks.mail_attempts_max,
        public_url: Arc::from(ctx.settings.mail.public_url.as_str()),
        links: ctx.settings.accounts,
        escalation_batch: ctx.settings.tasks.escalation_batch,
        escalation_turn: ctx.settings.tasks.escalation_turn,
        bounce_days: ctx.settings.retention.bounce_days,
        retention: ctx.settings.retention.retention(),
        partition_days_ahead: ctx.settings.retention.partition_days_ahead,
        dead_letter_days: ctx.settings.retention.dead_letter_days,
        account_days: ctx.settings.retention.account_days,
        rate_limit_days: ctx.settings.retention.rate_limit_days,
        select2_days: ctx.settings.retention.select2_days,
    };
    let engine = build_engine(&ctx.settings, &tools)?;
    ctx.run_part("engine", engine.watch_begun(), engine.run(ctx.drain.token()));
    ctx.readiness.add("database", store.probe());
    Ok(Process::new(&ctx))
}

/// The engine has a pool of its own: behind tasks that hold every connection it could not renew its leases.
fn build_engine(settings: &Settings, tools: &Tools) -> anyhow::Result<Engine> {
    let database =
        DatabaseSettings { pool_size: settings.tasks.engine_pool_size, ..settings.database.clone() };
    let store = Store::new(&database, "worker-engine").context("preparing the engine's connections")?;
    let (listening, tls) = store.listening();
    let engine = Engine::builder(store.pool().clone(), settings.queue.clone())
        .listen(listening, tls)
        .adopt_trace(service::adopt_traceparent);
    tasks::register(engine, tools, settings).build().context("building the task engine")
}
