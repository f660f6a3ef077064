//! What handlers share: cheap clones, nothing locked.

use std::time::Duration;

use domain::sign_in::AttemptLimit;
use service::{Clock, Context, Problem};
use store::Store;

use crate::identity::Signer;
use crate::passwords::Passwords;
use crate::refusal::Refusal;
use crate::revocations::Revocations;
use crate::settings::{SessionSettings, Settings};

/// What handlers share.
#[derive(Clone)]
pub(crate) struct State {
    /// The database.
    pub(crate) store: Store,
    /// The time.
    pub(crate) clock: Clock,
    /// How long the database may think.
    pub(crate) database_answer: Duration,
    /// Who compares passwords.
    pub(crate) passwords: Passwords,
    /// Who signs identities.
    pub(crate) signer: Signer,
    /// How long sessions live.
    pub(crate) sessions: SessionSettings,
    /// How often somebody may try.
    pub(crate) limit: AttemptLimit,
    /// Ended sessions.
    pub(crate) revocations: Revocations,
}

impl State {
    /// Builds it from the settings; connects to nothing.
    pub(crate) async fn new(ctx: &Context<Settings>) -> anyhow::Result<Self> {
        let settings = &ctx.settings;
        let store = Store::new(&settings.database, "auth")?.trace_with(service::traceparent);
        Ok(Self {
            passwords: Passwords::new(&settings.passwords).await?,
            signer: Signer::new(&settings.identity)?,
            revocations: Revocations::start(&store, ctx),
            store,
            clock: ctx.clock.clone(),
            database_answer: settings.limits.database_answer(),
            sessions: settings.sessions,
            limit: settings.sign_in.limit(),
        })
    }

    /// Waits for an answer of the database, but not for ever: one that hangs is as good as gone. What was asked for is
    /// given up, and its connection with it.
    pub(crate) async fn ask<T>(
        &self,
        question: impl Future<Output = Result<T, app::Error>>,
    ) -> Result<T, Problem> {
        match tokio::time::timeout(self.database_answer, question).await {
            Ok(answer) => Ok(answer?),
            Err(_elapsed) => Err(Refusal::Unanswered.into()),
        }
    }
}
