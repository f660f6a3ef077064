//! The settings of this service.

use std::time::Duration;

use app::password::Parameters;
use domain::Secret;
use domain::sign_in::AttemptLimit;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use service::{HttpSettings, Mistakes, ProcessSettings, TrustSettings};
use store::DatabaseSettings;

use crate::account_settings::{AccountSettings, FactorSettings, PasskeySettings, PasswordRuleSettings};
use crate::identity::Signer;
use crate::machine_settings::{BrokerSettings, KeySettings, RateSettings, TokenSettings};

/// A day.
const SECONDS_MAX: u64 = 86_400;

/// Everything that can be set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What every process has.
    pub process: ProcessSettings,
    /// The listener for requests.
    pub http: HttpSettings,
    /// Whom this service believes.
    pub trust: TrustSettings,
    /// The database.
    pub database: DatabaseSettings,
    /// How long requests wait for the database.
    pub limits: LimitSettings,
    /// Signed identities.
    pub identity: IdentitySettings,
    /// How long sessions live.
    pub sessions: SessionSettings,
    /// How often somebody may try.
    pub sign_in: SignInSettings,
    /// How passwords are hashed.
    pub passwords: PasswordSettings,
    /// Which passwords are taken.
    pub password_rules: PasswordRuleSettings,
    /// How long steps of an account last, and how often each may be tried.
    pub accounts: AccountSettings,
    /// Second factors.
    pub factors: FactorSettings,
    /// Passkeys.
    pub passkeys: PasskeySettings,
    /// The stream of ended sessions.
    pub revocations: RevocationSettings,
    /// Limits of requests.
    pub rates: RateSettings,
    /// Tokens of handsets.
    pub tokens: TokenSettings,
    /// Keys of other programs.
    pub keys: KeySettings,
    /// What a broker may ask.
    pub broker: BrokerSettings,
}

/// How long requests wait for the database.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitSettings {
    /// Milliseconds after which a database that does not answer is as good as gone.
    pub database_answer_ms: u64,
}

impl LimitSettings {
    /// After which a database that does not answer is as good as gone.
    pub fn database_answer(self) -> Duration {
        Duration::from_millis(self.database_answer_ms)
    }
}

/// Signed identities.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentitySettings {
    /// Ed25519 private key in PEM (PKCS#8).
    pub signing_key: Secret,
    /// Seconds an identity lives.
    pub lifetime_seconds: u64,
}

/// How long sessions live.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionSettings {
    /// Seconds without a request after which a session ends.
    pub idle_seconds: u64,
    /// Seconds after which a session ends in any case.
    pub absolute_seconds: u64,
}

impl SessionSettings {
    /// Without a request after which a session ends.
    pub fn idle(&self) -> Duration {
        Duration::from_secs(self.idle_seconds)
    }

    /// After which a session ends in any case.
    pub fn absolute(&self) -> Duration {
        Duration::from_secs(self.absolute_seconds)
    }
}

/// How often somebody may try.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignInSettings {
    /// Attempts per login name in one window.
    pub per_login: i32,
    /// Attempts per address in one window.
    pub per_address: i32,
    /// Length of the window, from its first attempt.
    pub window_seconds: u32,
}

impl SignInSettings {
    /// The same as the rule's own type.
    pub fn limit(&self) -> AttemptLimit {
        AttemptLimit {
            per_login: self.per_login,
            per_address: self.per_address,
            window: SignedDuration::from_secs(i64::from(self.window_seconds)),
        }
    }
}

/// How passwords are hashed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordSettings {
    /// KiB of memory per hash.
    pub memory_kib: u32,
    /// Passes over that memory.
    pub iterations: u32,
    /// Lanes of that memory.
    pub lanes: u32,
    /// Hashes computed at a time.
    pub in_flight_max: usize,
    /// Callers that wait for their turn.
    pub waiting_max: usize,
    /// Milliseconds a caller waits for its turn.
    pub wait_timeout_ms: u64,
}

impl PasswordSettings {
    /// The cost of a new hash.
    pub fn parameters(&self) -> Parameters {
        Parameters { memory_kib: self.memory_kib, iterations: self.iterations, lanes: self.lanes }
    }

    /// How long a caller waits for its turn.
    pub fn wait_timeout(&self) -> Duration {
        Duration::from_millis(self.wait_timeout_ms)
    }
}

/// The stream of ended sessions.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevocationSettings {
    /// Milliseconds between two heartbeats.
    pub heartbeat_ms: u64,
    /// Ended sessions a subscriber may be behind before its stream ends.
    pub backlog_max: usize,
    /// Subscribers at a time.
    pub subscribers_max: usize,
}

impl RevocationSettings {
    /// Between two heartbeats.
    pub fn heartbeat(&self) -> Duration {
        Duration::from_millis(self.heartbeat_ms)
    }
}

impl service::Settings for Settings {
    fn process(&self) -> &ProcessSettings {
        &self.process
    }

    fn check(&self, mistakes: &mut Mistakes) {
        self.http.check(mistakes);
        self.trust.check(mistakes);
        self.database.check(|key, what| mistakes.add(format!("database.{key}"), what));
        mistakes.secret("database.password", &self.database.password);
        self.check_identity(mistakes);
        self.check_limits(mistakes);
        self.check_passwords(mistakes);
        self.password_rules.check(mistakes);
        self.accounts.check(mistakes);
        self.factors.check(self.process.environment, mistakes);
        self.passkeys.check(mistakes);
        self.rates.check(mistakes);
        self.tokens.check(mistakes);
        self.keys.check(mistakes);
        self.broker.check(mistakes);
    }
}

impl Settings {
    fn check_identity(&self, mistakes: &mut Mistakes) {
        if let Some(mistake) = self.signing_key_mistake() {
            mistakes.add("identity.signing_key", mistake);
        }
        mistakes.range(
            "identity.lifetime_seconds",
            self.identity.lifetime_seconds,
            5..=api::identity::LIFETIME_SECONDS,
        );
        mistakes.range("sessions.absolute_seconds", self.sessions.absolute_seconds, 60..=30 * SECONDS_MAX);
        mistakes.range(
            "sessions.idle_seconds",
            self.sessions.idle_seconds,
            60..=self.sessions.absolute_seconds.max(60),
        );
    }

    fn signing_key_mistake(&self) -> Option<&'static str> {
        if self.identity.signing_key.is_empty() {
            return Some("is missing: give it here, by environment, or as signing_key_file");
        }
        match Signer::new(&self.identity) {
            Err(_) => Some("is not an Ed25519 private key in PEM"),
            Ok(signer) if !signer.is_checked_by(&self.trust.identity_public_key) => {
                Some("does not belong to trust.identity_public_key")
            }
            Ok(_) => None,
        }
    }

    fn check_limits(&self, mistakes: &mut Mistakes) {
        mistakes.range("limits.database_answer_ms", self.limits.database_answer_ms, 1..=60_000);
        mistakes.range("sign_in.per_login", self.sign_in.per_login, 1..=1_000);
        mistakes.range(
            "sign_in.per_address",
            self.sign_in.per_address,
            self.sign_in.per_login.max(1)..=100_000,
        );
        mistakes.range("sign_in.window_seconds", u64::from(self.sign_in.window_seconds), 1..=SECONDS_MAX);
        mistakes.range("revocations.heartbeat_ms", self.revocations.heartbeat_ms, 10..=60_000);
        mistakes.range("revocations.backlog_max", self.revocations.backlog_max, 1..=1_000_000);
        mistakes.range("revocations.subscribers_max", self.revocations.subscribers_max, 1..=10_000);
    }

    fn check_passwords(&self, mistakes: &mut Mistakes) {
        let PasswordSettings { memory_kib, iterations, lanes, in_flight_max, waiting_max, wait_timeout_ms } =
            self.passwords;
        mistakes.range("passwords.lanes", lanes, 1..=16);
        mistakes.range("passwords.memory_kib", memory_kib, (8 * lanes.clamp(1, 16)).max(8)..=1 << 20);
        mistakes.range("passwords.iterations", iterations, 1..=100);
        mistakes.range("passwords.in_flight_max", in_flight_max, 1..=256);
        mistakes.range("passwords.waiting_max", waiting_max, 0..=100_000);
        mistakes.range("passwords.wait_timeout_ms", wait_timeout_ms, 1..=60_000);
    }
}
