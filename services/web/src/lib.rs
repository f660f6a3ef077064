#![doc = include_str!("../README.md")]

mod answer;
mod assets;
mod auth;
mod bundle;
mod contract;
mod cursor;
mod files;
mod filter;
mod frame;
mod pages;
mod people;
mod people_words;
mod problems;
mod refusal;
mod rest;
mod routes;
mod security_words;
mod settings;
mod state;
mod task_filter;
mod task_words;
mod uploads;
mod view;
mod words;

use actix_web::web::Data;
use service::extract::WholeBodies;
use service::{About, Context, Process};

pub use routes::ROUTES;
pub use settings::{LimitSettings, LookupSettings, Settings, StepUpSettings, UpstreamSettings};
pub use uploads::{ArchiveLimits, FileSettings};

use crate::state::State;

/// What this binary knows about itself.
pub fn about() -> About {
    service::about!()
}

/// Builds web: pages and REST API over the use cases.
#[expect(clippy::unused_async, reason = "`service::run` awaits it")]
pub async fn start(ctx: Context<Settings>) -> anyhow::Result<Process> {
    store::describe_metrics();
    let trust = Data::new(ctx.settings.trust.open()?);
    let state = State::open(&ctx)?;
    let store = state.store.clone();
    ctx.readiness.add("database", move || {
        let store = store.clone();
        async move { store.check().await.map_err(|error| error.to_string()) }
    });
    let state = Data::new(state);
    let whole = Data::new(WholeBodies { bytes_max: ctx.settings.limits.body_bytes_max });
    Process::new(&ctx).serve(&ctx.settings.http, move |config| {
        config.app_data(trust.clone()).app_data(state.clone()).app_data(whole.clone());
        ROUTES.configure(config);
    })
}
