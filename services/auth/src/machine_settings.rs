//! Settings for programs and machines: tokens of handsets, keys, the broker's accounts, limits of requests.

use std::time::Duration;

use domain::Secret;
use serde::{Deserialize, Serialize};
use service::Mistakes;

use crate::broker_password::BrokerHash;

const DAY_SECONDS: u64 = 86_400;

/// Tokens of handsets.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenSettings {
    /// Seconds an access token lives.
    pub access_seconds: u64,
    /// Days a refresh token lives.
    pub refresh_days: u64,
    /// Days after which a handset must sign in again in any case.
    pub session_days: u64,
    /// Seconds in which a used refresh token may come again, because its answer was lost.
    pub reuse_grace_seconds: u64,
}

impl TokenSettings {
    /// Adds what is wrong in the section.
    pub fn check(&self, mistakes: &mut Mistakes) {
        mistakes.range("tokens.access_seconds", self.access_seconds, 60..=3_600);
        mistakes.range("tokens.refresh_days", self.refresh_days, 1..=90);
        mistakes.range("tokens.session_days", self.session_days, self.refresh_days.max(1)..=365);
        mistakes.range("tokens.reuse_grace_seconds", self.reuse_grace_seconds, 0..=60);
    }

    /// The same as the rule's own type.
    pub(crate) fn lifetimes(&self) -> app::token::Lifetimes {
        app::token::Lifetimes {
            access: Duration::from_secs(self.access_seconds),
            refresh: Duration::from_secs(self.refresh_days * DAY_SECONDS),
            session: Duration::from_secs(self.session_days * DAY_SECONDS),
            reuse_grace: Duration::from_secs(self.reuse_grace_seconds),
        }
    }
}

/// Keys of other programs.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySettings {
    /// Days a key may live.
    pub lifetime_days_max: u16,
    /// Good keys a client may have.
    pub per_client_max: u16,
}

impl KeySettings {
    /// Adds what is wrong in the section.
    pub fn check(&self, mistakes: &mut Mistakes) {
        mistakes.range("keys.lifetime_days_max", self.lifetime_days_max, 1..=3_650);
        mistakes.range("keys.per_client_max", self.per_client_max, 1..=1_000);
    }

    /// The same as the rule's own type.
    pub(crate) fn limits(self) -> app::key::KeyLimits {
        app::key::KeyLimits { days_max: self.lifetime_days_max, live_max: self.per_client_max }
    }
}

/// What a broker may ask.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerSettings {
    /// What a broker identifies itself with; without it no broker may ask.
    pub key: Secret,
    /// The bridge's password as Mosquitto keeps it; without it the bridge has no account here.
    pub bridge_password_hash: Secret,
    /// The health service's password as Mosquitto keeps it; without it the service has no account here.
    pub health_password_hash: Secret,
    /// Whether a device's connection must be called as its account is.
    pub own_client_ids: bool,
    /// Refusals of one account that are noted in one window.
    pub refusals_noted_max: u16,
    /// Seconds of that window.
    pub refusal_window_seconds: u32,
}

impl BrokerSettings {
    /// Adds what is wrong in the section.
    pub fn check(&self, mistakes: &mut Mistakes) {
        if !self.key.is_empty() {
            mistakes.secret("broker.key", &self.key);
        }
        for (key, hash) in [
            ("broker.bridge_password_hash", &self.bridge_password_hash),
            ("broker.health_password_hash", &self.health_password_hash),
        ] {
            if !hash.is_empty() && BrokerHash::parse(hash.expose()).is_none() {
                mistakes.add(key, "is no hash of mosquitto_passwd: it reads $7$iterations$salt$hash");
            }
        }
        mistakes.range("broker.refusals_noted_max", self.refusals_noted_max, 1..=1_000);
        mistakes.range(
            "broker.refusal_window_seconds",
            u64::from(self.refusal_window_seconds),
            1..=DAY_SECONDS,
        );
    }
}

/// Limits of requests.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateSettings {
    /// Questions that wait; the next one is answered 503.
    pub waiting_max: usize,
    /// Keys one statement takes tokens of.
    pub keys_max: usize,
    /// Milliseconds a statement may take.
    pub answer_ms: u64,
}

impl RateSettings {
    /// Adds what is wrong in the section.
    pub fn check(&self, mistakes: &mut Mistakes) {
        mistakes.range("rates.waiting_max", self.waiting_max, 1..=100_000);
        mistakes.range("rates.keys_max", self.keys_max, 1..=100_000);
        mistakes.range("rates.answer_ms", self.answer_ms, 1..=60_000);
    }

    /// How long a statement may take.
    pub(crate) fn answer(&self) -> Duration {
        Duration::from_millis(self.answer_ms)
    }
}
