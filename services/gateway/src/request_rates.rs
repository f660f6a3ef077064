//! How many requests one caller may send of each class: one limit for all gateways together
//! (`docs/adr/0015-general-limits.md`).
//!
//! Of each limit the gateways keep a small share to themselves, so that a quiet caller costs no question. The rest is
//! counted by auth and asked for in leases. Together they never give out more than the limit. When auth is away each
//! gateway gives out its part of the rest, and nothing at all where a password is tried.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::http::header::{HeaderValue, InvalidHeaderValue};
use quick_cache::sync::Cache;

use crate::account::{Account, Terms};
use crate::caller::Caller;
use crate::lease::{Answer, Lessor};
use crate::rate::{Bucket, SECOND};
use crate::rate_headers::Standing;
use crate::refusal::Refusal;
use crate::settings::{ClassSettings, RateSettings, SIGN_IN};

/// A minute in microseconds.
const MINUTE: u64 = 60 * SECOND;

/// A lease is at most this part of a gateway's part of a limit: what lies in leases is missing elsewhere.
const LEASE_PART: u64 = 8;

/// What becomes of a request when auth does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WithoutAuth {
    /// It passes within this gateway's part.
    Local,
    /// It is refused.
    Closed,
}

/// The limit of one class.
#[derive(Debug)]
pub(crate) struct Class {
    name: String,
    number: usize,
    /// What auth gives out.
    central: Terms,
    /// What this gateway gives out by itself.
    own: Bucket,
    /// What this gateway gives out in the place of auth.
    fallback: Bucket,
    /// The whole of the limit.
    burst: u64,
    interval: u64,
    policy: HeaderValue,
    degraded_policy: HeaderValue,
    without_auth: WithoutAuth,
}

/// Why a request may not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Excess {
    /// The caller sent as many as it may; the next one may come then.
    Limited {
        /// In whole seconds.
        retry_after_seconds: u64,
    },
    /// Nobody can say whether it may.
    Uncounted,
}

impl From<Excess> for Refusal {
    fn from(excess: Excess) -> Self {
        match excess {
            Excess::Limited { retry_after_seconds } => Self::RateLimited { retry_after_seconds },
            Excess::Uncounted => Self::Uncounted,
        }
    }
}

/// The limits of all callers.
pub(crate) struct RequestRates {
    classes: Vec<Class>,
    accounts: Cache<(usize, Caller), Arc<Account>>,
    lessor: Lessor,
}

impl RequestRates {
    /// Nobody has sent anything.
    pub(crate) fn new(settings: &RateSettings, lessor: Lessor) -> Result<Self, InvalidHeaderValue> {
        let classes = settings.classes.iter().enumerate();
        let class = |(number, (name, limit)): (usize, (&String, &ClassSettings))| {
            Class::new(number, name, *limit, settings)
        };
        Ok(Self {
            classes: classes.map(class).collect::<Result<_, _>>()?,
            accounts: Cache::new(settings.callers_max),
            lessor,
        })
    }

    /// The class of a name.
    pub(crate) fn class(&self, name: &str) -> Option<&Class> {
        self.classes.iter().find(|class| class.name == name)
    }

    /// Whether auth has been away for so long that nothing may be changed any more.
    pub(crate) fn is_lost(&self) -> bool {
        self.lessor.is_lost()
    }

    /// Counts one request, and says how the caller stands.
    pub(crate) async fn take(&self, class: &Class, caller: Caller) -> (Standing, Result<(), Excess>) {
        let account = self.account(class, caller);
        let outcome = self.take_from(class, &account).await;
        (self.standing(class, &account, outcome), outcome)
    }

    async fn take_from(&self, class: &Class, account: &Arc<Account>) -> Result<(), Excess> {
        let now = self.lessor.now();
        if class.own.take(&account.own, now).is_ok() {
            return Ok(());
        }
        if let Some(left) = account.take_leased(now) {
            if account.runs_low(left, &class.central) && account.denied_for(now).is_none() {
                self.lessor.ask_ahead(account, class.central);
            }
            return Ok(());
        }
        if let Some(wait) = account.denied_for(now) {
            return Err(limited(wait));
        }
        match self.lessor.ask(account, class.central).await {
            Answer::Granted => Ok(()),
            Answer::Denied => Err(limited(account.denied_for(self.lessor.now()).unwrap_or(1))),
            Answer::Unknown => match class.without_auth {
                WithoutAuth::Local => class.fallback.take(&account.fallback, now).map_err(limited),
                WithoutAuth::Closed => Err(Excess::Uncounted),
            },
        }
    }

    fn account(&self, class: &Class, caller: Caller) -> Arc<Account> {
        let key = (class.number, caller);
        if let Some(account) = self.accounts.get(&key) {
            return account;
        }
        let new = || {
            Ok::<_, std::convert::Infallible>(Arc::new(Account::new(
                caller.key(&class.name),
                class.central.burst,
            )))
        };
        let Ok(account) = self.accounts.get_or_insert_with(&key, new);
        account
    }

    fn standing(&self, class: &Class, account: &Account, outcome: Result<(), Excess>) -> Standing {
        let now = self.lessor.now();
        let own = class.own.left(load(&account.own), now);
        let is_degraded = self.lessor.is_away();
        let shared = if is_degraded {
            class.fallback.left(load(&account.fallback), now)
        } else {
            u64::from(account.leased(now)).saturating_add(u64::from(account.remaining()))
        };
        let remaining = if outcome.is_ok() { own.saturating_add(shared).min(class.burst) } else { 0 };
        let full_in = class.burst.saturating_sub(remaining).saturating_mul(class.interval).div_ceil(SECOND);
        Standing {
            policy: if is_degraded { class.degraded_policy.clone() } else { class.policy.clone() },
            remaining,
            reset_seconds: match outcome {
                Ok(()) => full_in,
                Err(Excess::Limited { retry_after_seconds }) => retry_after_seconds,
                Err(Excess::Uncounted) => 1,
            },
        }
    }
}

fn load(moment: &AtomicU64) -> u64 {
    moment.load(Ordering::Acquire)
}

fn limited(wait: u64) -> Excess {
    Excess::Limited { retry_after_seconds: wait.div_ceil(SECOND).max(1) }
}

impl Class {
    fn new(
        number: usize,
        name: &str,
        limit: ClassSettings,
        settings: &RateSettings,
    ) -> Result<Self, InvalidHeaderValue> {
        let without_auth = if name == SIGN_IN { WithoutAuth::Closed } else { WithoutAuth::Local };
        let own_percent = if name == SIGN_IN { 0 } else { settings.own_share_percent };
        let central = Share { limit, percent: 100 - own_percent, gateways: 1 };
        let own = Share { limit, percent: own_percent, gateways: settings.gateways };
        let fallback = Share { gateways: settings.gateways, ..central };
        let lease_max = (fallback.burst() / LEASE_PART).min(settings.lease_requests_max);
        let interval = MINUTE / limit.per_minute.max(1);
        let window = limit.burst.saturating_mul(interval).div_ceil(SECOND).max(1);
        let local = own.burst() + fallback.burst();
        Ok(Self {
            name: name.to_owned(),
            number,
            central: Terms {
                interval: central.interval(),
                burst: u32::try_from(central.burst()).unwrap_or(u32::MAX),
                lease_max: u32::try_from(lease_max).unwrap_or(u32::MAX),
                lease: settings.lease_ms.saturating_mul(1_000),
            },
            own: Bucket::new(own.interval(), own.burst()),
            fallback: Bucket::new(fallback.interval(), fallback.burst()),
            burst: limit.burst,
            interval,
            policy: HeaderValue::from_str(&format!("\"{name}\";q={};w={window}", limit.burst))?,
            degraded_policy: HeaderValue::from_str(&format!("\"{name}\";q={local};w={window};degraded"))?,
            without_auth,
        })
    }
}

/// A part of a limit.
#[derive(Clone, Copy)]
struct Share {
    limit: ClassSettings,
    percent: u64,
    gateways: u64,
}

impl Share {
    /// The whole must not be more than the limit: what does not divide is lost, but for what is left to one alone.
    fn burst(&self) -> u64 {
        let burst = self.limit.burst.saturating_mul(self.percent) / 100 / self.gateways.max(1);
        if self.percent > 50 { burst.max(1) } else { burst }
    }

    /// The time of one request in microseconds.
    fn interval(&self) -> u64 {
        let rate = self.limit.per_minute.saturating_mul(self.percent).max(1);
        (MINUTE.saturating_mul(100).saturating_mul(self.gateways)).div_ceil(rate).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> RateSettings {
        serde_json::from_value(serde_json::json!({
            "networks_max": 1, "sign_ins_per_second": 1, "sign_in_burst": 1, "refusals_per_second": 1,
            "refusal_burst": 1, "gateways": 2, "own_share_percent": 10, "callers_max": 100,
            "lease_requests_max": 64, "lease_ms": 2000, "timeout_ms": 100, "rest_ms": 100, "degraded_ms": 1000,
            "waiting_max": 10,
            "classes": {
                "page": { "per_minute": 600, "burst": 100 },
                "sign-in": { "per_minute": 60, "burst": 10 },
                "small": { "per_minute": 1, "burst": 1 },
            },
        }))
        .unwrap()
    }

    fn class(name: &str) -> Class {
        let settings = settings();
        Class::new(0, name, settings.classes[name], &settings).unwrap()
    }

    #[test]
    fn the_parts_of_a_limit_are_no_more_than_the_whole() {
        let page = class("page");
        assert_eq!((page.central.burst, page.own.left(0, 0), page.fallback.left(0, 0)), (90, 5, 45));
        assert_eq!(page.central.interval, 111_112);
        assert_eq!(page.central.lease_max, 5);
        assert_eq!(page.policy.to_str().unwrap(), "\"page\";q=100;w=10");
        assert_eq!(page.degraded_policy.to_str().unwrap(), "\"page\";q=50;w=10;degraded");
        let small = class("small");
        assert_eq!((small.central.burst, small.own.left(0, 0), small.central.lease_max), (1, 0, 0));
    }

    #[test]
    fn where_a_password_is_tried_all_is_counted_by_auth() {
        let class = class("sign-in");
        assert_eq!((class.central.burst, class.own.left(0, 0)), (10, 0));
        assert_eq!(class.without_auth, WithoutAuth::Closed);
    }
}
