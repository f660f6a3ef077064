#![doc = include_str!("../README.md")]

mod cookie;
mod identity;
mod passwords;
mod refusal;
mod revocations;
mod routes;
mod sessions;
mod settings;
mod sign_in;
mod state;
mod telemetry;
mod token;

use actix_web::web;
use service::{About, Context, Process};

pub use crate::settings::{
    IdentitySettings, PasswordSettings, RevocationSettings, SessionSettings, Settings, SignInSettings,
};
use crate::state::State;

/// Name, version and defaults of this service.
pub fn about() -> About {
    service::about!()
}

/// Opens the store, listens for ended sessions and serves.
///
/// # Errors
///
/// When a key or certificate cannot be read, or the address is taken.
pub async fn start(ctx: Context<Settings>) -> anyhow::Result<Process> {
    telemetry::describe();
    store::describe_metrics();
    let trust = web::Data::new(ctx.settings.trust.open()?);
    let state = State::new(&ctx).await?;
    ctx.readiness.add("database", state.store.probe());
    let state = web::Data::new(state);
    Process::new(&ctx).serve(&ctx.settings.http, move |config| {
        config.app_data(trust.clone()).app_data(state.clone());
        routes::configure(config);
    })
}
