//! The settings of people's accounts: what they prove, and how often they may try.

use std::time::Duration;

use app::guess::GuessLimit;
use domain::Secret;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use service::{Environment, Mistakes};
use url::Url;

/// Seconds of a day.
const DAY_SECONDS: u64 = 86_400;

/// How long steps of an account last, and how often each may be tried.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountSettings {
    /// Seconds for the second factor after the password, and for a passkey's answer.
    pub step_seconds: u64,
    /// Seconds a proof is fresh enough for dangerous actions.
    pub step_up_seconds: u64,
    /// Days a browser is known without a sign-in.
    pub known_device_days: u64,
    /// Guesses at a second factor, or at a proof, of one person in one window.
    pub guesses_max: i32,
    /// Links one login name may ask for in one window.
    pub resets_per_login: i32,
    /// Links one address may ask for in one window.
    pub resets_per_address: i32,
    /// Links one address may try in one window.
    pub links_per_address: i32,
    /// Seconds of a window, from its first guess.
    pub window_seconds: u32,
}

impl AccountSettings {
    /// For the second factor after the password.
    pub fn step(&self) -> Duration {
        Duration::from_secs(self.step_seconds)
    }

    /// How old a proof may be.
    pub fn step_up(&self) -> SignedDuration {
        SignedDuration::try_from(Duration::from_secs(self.step_up_seconds)).unwrap_or(SignedDuration::ZERO)
    }

    /// How long a browser is known.
    pub fn known_device(&self) -> Duration {
        Duration::from_secs(self.known_device_days.saturating_mul(DAY_SECONDS))
    }

    /// The limit of so many guesses.
    pub fn limit(&self, max: i32) -> GuessLimit {
        GuessLimit { max, window: SignedDuration::from_secs(i64::from(self.window_seconds)) }
    }

    pub(crate) fn check(&self, mistakes: &mut Mistakes) {
        mistakes.range("accounts.step_seconds", self.step_seconds, 30..=3_600);
        mistakes.range("accounts.step_up_seconds", self.step_up_seconds, 30..=3_600);
        mistakes.range("accounts.known_device_days", self.known_device_days, 1..=400);
        mistakes.range("accounts.guesses_max", self.guesses_max, 1..=100);
        mistakes.range("accounts.resets_per_login", self.resets_per_login, 1..=100);
        mistakes.range("accounts.resets_per_address", self.resets_per_address, 1..=100_000);
        mistakes.range("accounts.links_per_address", self.links_per_address, 1..=100_000);
        mistakes.range("accounts.window_seconds", u64::from(self.window_seconds), 1..=DAY_SECONDS);
    }
}

/// Which passwords are taken.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordRuleSettings {
    /// How hard a new password must be to guess, from 0 to 4.
    pub strength_min: u8,
    /// A file of passwords that are refused, one a line; empty for none.
    pub common_file: String,
}

impl PasswordRuleSettings {
    pub(crate) fn check(&self, mistakes: &mut Mistakes) {
        mistakes.range("password_rules.strength_min", self.strength_min, 0..=4);
    }
}

/// Second factors.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactorSettings {
    /// What the key is made of that seals secrets of authenticators.
    pub key: Secret,
    /// Its name, kept with what it sealed.
    pub key_name: String,
    /// Keys before it, `name:key`, separated by commas.
    pub old_keys: Secret,
    /// What authenticators show as the issuer.
    pub issuer: String,
}

impl FactorSettings {
    /// Keys before the current one, with their names.
    pub(crate) fn old(&self) -> impl Iterator<Item = (&str, &str)> {
        let entries = self.old_keys.expose().split(',').map(str::trim).filter(|entry| !entry.is_empty());
        entries.map(|entry| entry.split_once(':').unwrap_or(("", entry)))
    }

    pub(crate) fn check(&self, environment: Environment, mistakes: &mut Mistakes) {
        if environment == Environment::Production {
            mistakes.secret("factors.key", &self.key);
        }
        if self.old().any(|(name, key)| name.is_empty() || key.is_empty() || name == self.key_name) {
            mistakes.add(
                "factors.old_keys",
                "has an entry that is not `name:key`, or has the current key's name",
            );
        }
        if self.key_name.is_empty() || self.key_name.len() > 50 || self.key_name.contains([':', ',']) {
            mistakes.add("factors.key_name", "is not 1 to 50 characters without `:` and `,`");
        }
        if self.issuer.is_empty() || self.issuer.contains(':') {
            mistakes.add("factors.issuer", "is empty or has a colon");
        }
    }
}

/// Passkeys.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasskeySettings {
    /// The domain passkeys belong to; empty offers none.
    pub relying_party: String,
    /// Origins of pages that may ask for one, separated by commas.
    pub origins: String,
}

impl PasskeySettings {
    /// The origins, if each is one.
    pub(crate) fn origins(&self) -> Option<Vec<Url>> {
        self.origins.split(',').map(|origin| Url::parse(origin.trim()).ok()).collect()
    }

    pub(crate) fn check(&self, mistakes: &mut Mistakes) {
        if !self.relying_party.is_empty() && crate::passkeys::Passkeys::new(self).is_err() {
            mistakes.add("passkeys.origins", "has an origin that is not of passkeys.relying_party");
        }
    }
}
