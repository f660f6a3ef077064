//! What handlers share: cheap clones, nothing locked.

use actix_web::web::Data;
use domain::Secret;
use reqwest::{Client, Url};
use service::{Clock, Context};
use store::Store;

use crate::settings::{LookupSettings, Settings, StepUpSettings};
use crate::uploads::Uploads;

/// What handlers share.
#[derive(Clone)]
pub(crate) struct State {
    /// Where the data is.
    pub(crate) store: Store,
    /// The time.
    pub(crate) clock: Clock,
    /// Sizes of look-ups.
    pub(crate) lookups: LookupSettings,
    /// Calls to auth.
    pub(crate) http: Client,
    /// Where auth answers.
    pub(crate) auth: Url,
    /// Vouches towards auth for the client's address.
    pub(crate) internal_key: Secret,
    /// How long a proof of who sits there opens a form that asks for one.
    pub(crate) step_up: StepUpSettings,
    /// Files on their way in and out.
    pub(crate) uploads: Uploads,
}

/// How handlers take it.
pub(crate) type Shared = Data<State>;

impl State {
    /// Builds the state from settings.
    pub(crate) fn open(ctx: &Context<Settings>) -> anyhow::Result<Self> {
        Ok(Self {
            store: Store::new(&ctx.settings.database, ctx.about.name)?.trace_with(service::traceparent),
            clock: ctx.clock.clone(),
            lookups: ctx.settings.lookups.clone(),
            http: service::http_client(&ctx.settings.http_client)?,
            auth: ctx.settings.upstreams.auth()?,
            internal_key: ctx.settings.trust.internal_key.clone(),
            step_up: ctx.settings.step_up.clone(),
            uploads: Uploads::open(&ctx.settings.files, &ctx.clock)?,
        })
    }
}
