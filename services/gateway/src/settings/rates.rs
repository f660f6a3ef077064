//! How often one client may try, and how many requests one caller may send.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use service::Mistakes;

use super::MILLISECONDS_MAX;
use crate::lease::LeaseLimits;
use crate::rate::Rate;

/// The class of tries to sign in; there is always one, and no gateway goes on without auth in it.
pub(crate) const SIGN_IN: &str = "sign-in";

/// `[rates]`: how often one client may try.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateSettings {
    /// Client networks remembered at once.
    pub networks_max: usize,
    /// Tries to sign in, for as long as the client likes.
    pub sign_ins_per_second: u64,
    /// Tries to sign in at once.
    pub sign_in_burst: u64,
    /// Credentials that auth refuses, for as long as the client likes.
    pub refusals_per_second: u64,
    /// Credentials that auth refuses at once.
    pub refusal_burst: u64,
    /// Gateways that share the limits of the classes.
    pub gateways: u64,
    /// The part of a limit that gateways give out without asking, all of them together.
    pub own_share_percent: u64,
    /// Callers of a class remembered at once.
    pub callers_max: usize,
    /// Requests of one caller that are asked for ahead, at most.
    pub lease_requests_max: u64,
    /// Longest use of what was asked for ahead.
    pub lease_ms: u64,
    /// Longest wait for auth.
    pub timeout_ms: u64,
    /// Pause before auth is asked again after it did not answer.
    pub rest_ms: u64,
    /// After this long without auth nothing is changed any more.
    pub degraded_ms: u64,
    /// Questions to auth that may wait for their turn.
    pub waiting_max: usize,
    /// The limits, by class.
    pub classes: BTreeMap<String, ClassSettings>,
}

/// `[rates.classes.NAME]`: what one caller may send of one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassSettings {
    /// Requests a minute, for as long as the caller likes.
    pub per_minute: u64,
    /// Requests at once, after the caller was quiet.
    pub burst: u64,
}

impl RateSettings {
    pub(super) fn check(&self, mistakes: &mut Mistakes) {
        mistakes.range("rates.networks_max", self.networks_max, 1..=10_000_000);
        mistakes.range("rates.sign_ins_per_second", self.sign_ins_per_second, 1..=100_000);
        mistakes.range("rates.sign_in_burst", self.sign_in_burst, 1..=1_000_000);
        mistakes.range("rates.refusals_per_second", self.refusals_per_second, 1..=100_000);
        mistakes.range("rates.refusal_burst", self.refusal_burst, 1..=1_000_000);
        mistakes.range("rates.gateways", self.gateways, 1..=1_000);
        mistakes.range("rates.own_share_percent", self.own_share_percent, 0..=90);
        mistakes.range("rates.callers_max", self.callers_max, 1..=10_000_000);
        mistakes.range("rates.lease_requests_max", self.lease_requests_max, 0..=10_000);
        mistakes.range("rates.lease_ms", self.lease_ms, 1..=60_000);
        mistakes.range("rates.timeout_ms", self.timeout_ms, 1..=MILLISECONDS_MAX);
        mistakes.range("rates.rest_ms", self.rest_ms, 1..=MILLISECONDS_MAX);
        mistakes.range("rates.degraded_ms", self.degraded_ms, 0..=MILLISECONDS_MAX);
        mistakes.range("rates.waiting_max", self.waiting_max, 1..=1_000_000);
        if !self.classes.contains_key(SIGN_IN) {
            mistakes.add("rates.classes.sign-in", "is missing: routes with sign_in = true need it");
        }
        for (name, class) in &self.classes {
            if !is_name(name) {
                mistakes.add(format!("rates.classes.{name}"), "must be small letters, digits and hyphens");
            }
            let key = |part: &str| format!("rates.classes.{name}.{part}");
            mistakes.range(key("per_minute"), class.per_minute, 1..=60_000_000);
            mistakes.range(key("burst"), class.burst, 1..=1_000_000);
        }
    }

    pub(crate) fn sign_ins(&self) -> Rate {
        Rate { per_second: self.sign_ins_per_second, burst: self.sign_in_burst }
    }

    pub(crate) fn refusals(&self) -> Rate {
        Rate { per_second: self.refusals_per_second, burst: self.refusal_burst }
    }

    pub(crate) fn lease(&self) -> LeaseLimits {
        LeaseLimits {
            timeout: Duration::from_millis(self.timeout_ms),
            rest: Duration::from_millis(self.rest_ms),
            degraded: Duration::from_millis(self.degraded_ms),
            waiting_max: self.waiting_max,
        }
    }
}

/// The name stands in a header and in a key.
fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=32).contains(&name.len()) && name.bytes().all(fits)
}
