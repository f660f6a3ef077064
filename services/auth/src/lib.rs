#![doc = include_str!("../README.md")]

mod account;
mod account_settings;
mod broker;
mod broker_password;
mod cookie;
mod elevation;
mod events;
mod factors;
mod groups;
mod handset_rules;
mod identity;
mod keys;
mod machine_settings;
mod openapi;
mod own_factors;
mod passkeys;
mod password_rules;
mod passwords;
mod rates;
mod recovery;
mod refusal;
mod revocations;
mod routes;
mod sealing;
mod sessions;
mod settings;
mod sign_in;
mod sign_in_factor;
mod state;
mod step_up;
mod telemetry;
mod token;
mod tokens;
mod totp;
mod users;
mod visit;

use actix_web::web;
use service::{About, Context, Process};

pub use crate::account_settings::{AccountSettings, FactorSettings, PasskeySettings, PasswordRuleSettings};
pub use crate::machine_settings::{BrokerSettings, KeySettings, RateSettings, TokenSettings};
pub use crate::routes::ROUTES;
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
        ROUTES.configure(config);
    })
}
