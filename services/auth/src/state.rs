//! What handlers share: cheap clones, nothing locked.

use std::sync::Arc;
use std::time::Duration;

use domain::sign_in::AttemptLimit;
use service::{Clock, Context, Problem};
use store::Store;

use crate::account_settings::AccountSettings;
use crate::identity::Signer;
use crate::machine_settings::{BrokerSettings, KeySettings, TokenSettings};
use crate::passkeys::Passkeys;
use crate::password_rules::PasswordRules;
use crate::passwords::Passwords;
use crate::rates::Rates;
use crate::refusal::Refusal;
use crate::revocations::Revocations;
use crate::sealing::Sealer;
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
    /// Which new passwords are taken.
    pub(crate) password_rules: PasswordRules,
    /// How long steps of an account last, and how often each may be tried.
    pub(crate) accounts: AccountSettings,
    /// Who seals secrets of authenticators.
    pub(crate) sealer: Sealer,
    /// What authenticators show as the issuer.
    pub(crate) issuer: Arc<str>,
    /// What passkeys are offered with.
    pub(crate) passkeys: Passkeys,
    /// Who signs identities.
    pub(crate) signer: Signer,
    /// How long sessions live.
    pub(crate) sessions: SessionSettings,
    /// How often somebody may try.
    pub(crate) limit: AttemptLimit,
    /// Ended sessions.
    pub(crate) revocations: Revocations,
    /// Who takes tokens of requests.
    pub(crate) rates: Rates,
    /// How long tokens of handsets live.
    pub(crate) tokens: TokenSettings,
    /// What keys of other programs may be made.
    pub(crate) keys: KeySettings,
    /// What a broker may ask.
    pub(crate) broker: BrokerSettings,
}

impl State {
    /// Builds it from the settings; connects to nothing.
    pub(crate) async fn new(ctx: &Context<Settings>) -> anyhow::Result<Self> {
        let settings = &ctx.settings;
        let store = Store::new(&settings.database, "auth")?.trace_with(service::traceparent);
        Ok(Self {
            passwords: Passwords::new(&settings.passwords).await?,
            password_rules: PasswordRules::new(&settings.password_rules)?,
            accounts: settings.accounts,
            sealer: Sealer::new(&settings.factors, &settings.identity.signing_key)?,
            issuer: settings.factors.issuer.as_str().into(),
            passkeys: Passkeys::new(&settings.passkeys)?,
            signer: Signer::new(&settings.identity)?,
            revocations: Revocations::start(&store, ctx),
            rates: Rates::start(&store, ctx),
            tokens: settings.tokens,
            keys: settings.keys,
            broker: settings.broker.clone(),
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
