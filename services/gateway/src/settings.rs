//! The gateway's settings; every key is explained in `default.toml`.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::Secret;
use ipnet::IpNet;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use service::{Environment, HttpClientSettings, HttpSettings, Mistakes, ProcessSettings};

use crate::body::BodyLimits;
use crate::identity::IdentityLimits;
use crate::list::List;
use crate::rate::Rate;
use crate::revocations::StreamLimits;
use crate::routes::Route;
use crate::upstreams::UpstreamLimits;

/// The upstream that knows who somebody is.
pub(crate) const AUTH: &str = "auth";

/// No identity is used longer than this, whatever the settings say: it is how long a revocation may go unheard.
const CACHE_MS_MAX: u64 = 30_000;

/// Most memory a setting may name: a gibibyte.
const MEMORY_MAX: usize = 1_073_741_824;

/// Longest time a setting may name: a day.
const MILLISECONDS_MAX: u64 = 86_400_000;

/// Everything the gateway can be told.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What every process has.
    pub process: ProcessSettings,
    /// The public listener.
    pub http: HttpSettings,
    /// Calls to upstreams.
    pub http_client: HttpClientSettings,
    /// The key between our own processes.
    pub trust: TrustSettings,
    /// Proof that a request comes from our own pages.
    pub csrf: CsrfSettings,
    /// Proxies in front of the gateway.
    pub trusted_proxies: TrustedProxySettings,
    /// How auth is asked who somebody is.
    pub identity: IdentitySettings,
    /// What one request may cost.
    pub limits: LimitSettings,
    /// How often one client may try.
    pub rates: RateSettings,
    /// The services behind the gateway, by name.
    pub upstreams: BTreeMap<String, List<Url>>,
    /// The routing table.
    pub routes: Vec<Route>,
}

/// `[trust]`: how services know that the gateway asks.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustSettings {
    /// The secret that opens `/internal/*` and vouches for the client's address.
    pub internal_key: Secret,
}

/// `[csrf]`: proof that a request comes from our own pages.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CsrfSettings {
    /// Signs the tokens; the same in every replica.
    pub secret: Secret,
    /// Origins of our pages; empty takes the `Host` of the request.
    pub origins: List<String>,
}

/// `[trusted_proxies]`: proxies in front of the gateway.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedProxySettings {
    /// Their networks; only from there `X-Forwarded-For` is believed.
    pub networks: List<IpNet>,
    /// Says that nobody stands in front, so that an empty list is meant.
    pub none_in_front: bool,
}

/// `[identity]`: how auth is asked who somebody is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentitySettings {
    /// Answers kept at once.
    pub cache_entries: usize,
    /// Longest use of an answer.
    pub cache_ms: u64,
    /// Longest wait for an answer.
    pub timeout_ms: u64,
    /// Questions under way at once.
    pub requests_max: usize,
    /// Without a sign of life of the revocation stream for this long, no kept answer is used.
    pub silence_ms: u64,
    /// Pause before a lost revocation stream is opened again.
    pub pause_ms: u64,
    /// A revocation stream is opened again after this, however well it is.
    pub stream_lifetime_ms: u64,
}

/// `[limits]`: what one request may cost.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitSettings {
    /// Longest path and query.
    pub target_bytes_max: usize,
    /// Longest time for a body to arrive.
    pub body_timeout_ms: u64,
    /// Largest body of who is not signed in.
    pub guest_body_bytes_max: usize,
    /// Memory for the bodies that are read whole, all of them together.
    pub body_memory_bytes_max: usize,
    /// How long a body may take before its rate counts.
    pub body_grace_ms: u64,
    /// Slowest rate after that; 0 takes any.
    pub body_bytes_per_second_min: u64,
    /// Longest wait for an upstream's answer to begin.
    pub upstream_timeout_ms: u64,
    /// Requests one upstream may hold at once.
    pub upstream_requests_max: usize,
    /// How long an address is passed over after nobody answered there.
    pub upstream_rest_ms: u64,
    /// Longest gap inside an answer.
    pub answer_silence_ms: u64,
    /// Longest time for a whole answer.
    pub answer_timeout_ms: u64,
}

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
}

impl service::Settings for Settings {
    fn process(&self) -> &ProcessSettings {
        &self.process
    }

    fn check(&self, mistakes: &mut Mistakes) {
        self.http.check(mistakes);
        self.http_client.check(mistakes);
        mistakes.secret("trust.internal_key", &self.trust.internal_key);
        mistakes.secret("csrf.secret", &self.csrf.secret);
        self.identity.check(mistakes);
        self.limits.check(mistakes);
        self.rates.check(mistakes);
        if self.limits.body_memory_bytes_max < self.http.body_bytes_max {
            mistakes.add("limits.body_memory_bytes_max", "must not be less than http.body_bytes_max");
        }
        self.trusted_proxies.check(self.process.environment, mistakes);
        if self.limits.upstream_timeout_ms >= self.http.request_timeout_ms {
            mistakes.add("limits.upstream_timeout_ms", "must be shorter than http.request_timeout_ms");
        }
        check_origins(self.csrf.origins.as_slice(), mistakes);
        check_upstreams(&self.upstreams, mistakes);
        check_routes(&self.routes, &self.upstreams, mistakes);
    }
}

impl TrustedProxySettings {
    /// Behind a proxy that is not trusted every client would have the proxy's address: one limit for all of them.
    fn check(&self, environment: Environment, mistakes: &mut Mistakes) {
        let has_networks = !self.networks.as_slice().is_empty();
        if environment == Environment::Production && !has_networks && !self.none_in_front {
            mistakes.add(
                "trusted_proxies.networks",
                "is empty: name the proxies' networks, or set none_in_front = true when clients connect here themselves",
            );
        }
        if has_networks && self.none_in_front {
            mistakes.add("trusted_proxies.none_in_front", "contradicts the networks that are named");
        }
    }
}

impl RateSettings {
    fn check(&self, mistakes: &mut Mistakes) {
        mistakes.range("rates.networks_max", self.networks_max, 1..=10_000_000);
        mistakes.range("rates.sign_ins_per_second", self.sign_ins_per_second, 1..=100_000);
        mistakes.range("rates.sign_in_burst", self.sign_in_burst, 1..=1_000_000);
        mistakes.range("rates.refusals_per_second", self.refusals_per_second, 1..=100_000);
        mistakes.range("rates.refusal_burst", self.refusal_burst, 1..=1_000_000);
    }

    pub(crate) fn sign_ins(&self) -> Rate {
        Rate { per_second: self.sign_ins_per_second, burst: self.sign_in_burst }
    }

    pub(crate) fn refusals(&self) -> Rate {
        Rate { per_second: self.refusals_per_second, burst: self.refusal_burst }
    }
}

impl IdentitySettings {
    fn check(&self, mistakes: &mut Mistakes) {
        mistakes.range("identity.cache_entries", self.cache_entries, 1..=10_000_000);
        mistakes.range("identity.cache_ms", self.cache_ms, 0..=CACHE_MS_MAX);
        mistakes.range("identity.timeout_ms", self.timeout_ms, 1..=MILLISECONDS_MAX);
        mistakes.range("identity.requests_max", self.requests_max, 1..=1_000_000);
        mistakes.range("identity.silence_ms", self.silence_ms, 1..=MILLISECONDS_MAX);
        mistakes.range("identity.pause_ms", self.pause_ms, 1..=MILLISECONDS_MAX);
        mistakes.range("identity.stream_lifetime_ms", self.stream_lifetime_ms, 1..=MILLISECONDS_MAX);
    }

    pub(crate) fn exchange(&self) -> IdentityLimits {
        IdentityLimits {
            timeout: Duration::from_millis(self.timeout_ms),
            cache: Duration::from_millis(self.cache_ms),
        }
    }

    pub(crate) fn silence(&self) -> Duration {
        Duration::from_millis(self.silence_ms)
    }

    pub(crate) fn stream(&self) -> StreamLimits {
        StreamLimits {
            silence_max: self.silence(),
            pause: Duration::from_millis(self.pause_ms),
            lifetime: Duration::from_millis(self.stream_lifetime_ms),
        }
    }
}

impl LimitSettings {
    fn check(&self, mistakes: &mut Mistakes) {
        mistakes.range("limits.target_bytes_max", self.target_bytes_max, 1..=65_536);
        mistakes.range("limits.body_timeout_ms", self.body_timeout_ms, 1..=MILLISECONDS_MAX);
        mistakes.range("limits.body_grace_ms", self.body_grace_ms, 1..=MILLISECONDS_MAX);
        mistakes.range("limits.guest_body_bytes_max", self.guest_body_bytes_max, 1..=MEMORY_MAX);
        mistakes.range("limits.body_memory_bytes_max", self.body_memory_bytes_max, 1..=MEMORY_MAX);
        mistakes.range("limits.upstream_timeout_ms", self.upstream_timeout_ms, 1..=MILLISECONDS_MAX);
        mistakes.range("limits.upstream_requests_max", self.upstream_requests_max, 1..=1_000_000);
        mistakes.range("limits.upstream_rest_ms", self.upstream_rest_ms, 0..=MILLISECONDS_MAX);
        mistakes.range("limits.answer_silence_ms", self.answer_silence_ms, 1..=MILLISECONDS_MAX);
        mistakes.range("limits.answer_timeout_ms", self.answer_timeout_ms, 1..=MILLISECONDS_MAX);
    }

    pub(crate) fn body(&self, bytes_max: usize) -> BodyLimits {
        BodyLimits {
            bytes_max,
            may_stream: true,
            timeout: Duration::from_millis(self.body_timeout_ms),
            grace: Duration::from_millis(self.body_grace_ms),
            bytes_per_second_min: self.body_bytes_per_second_min,
        }
    }

    pub(crate) fn upstream(&self) -> UpstreamLimits {
        UpstreamLimits {
            requests_max: self.upstream_requests_max,
            rest: Duration::from_millis(self.upstream_rest_ms),
        }
    }
}

fn check_origins(origins: &[String], mistakes: &mut Mistakes) {
    for origin in origins {
        if !Url::parse(origin).is_ok_and(|url| url.origin().ascii_serialization() == *origin) {
            mistakes.add("csrf.origins", format!("`{origin}` must be scheme, host and port alone"));
        }
    }
}

fn check_upstreams(upstreams: &BTreeMap<String, List<Url>>, mistakes: &mut Mistakes) {
    if !upstreams.contains_key(AUTH) {
        mistakes.add("upstreams.auth", "is missing: it says who somebody is");
    }
    for (name, urls) in upstreams {
        let key = format!("upstreams.{name}");
        if urls.as_slice().is_empty() {
            mistakes.add(key.as_str(), "needs at least one address");
        }
        for url in urls.as_slice().iter().filter(|url| !is_origin(url)) {
            mistakes.add(key.as_str(), format!("`{url}` must be http://, host and port alone"));
        }
    }
}

fn is_origin(url: &Url) -> bool {
    url.scheme() == "http"
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
}

fn check_routes(routes: &[Route], upstreams: &BTreeMap<String, List<Url>>, mistakes: &mut Mistakes) {
    for (index, route) in routes.iter().enumerate() {
        let Route { prefix, upstream, .. } = route;
        if !upstreams.contains_key(upstream) {
            mistakes
                .add(format!("routes[{index}].upstream"), format!("`{upstream}` is not one of [upstreams]"));
        }
        let is_plain = prefix.bytes().all(|byte| byte == b'/' || inspect::path::is_unreserved(byte));
        if !is_plain || inspect::path::check_path(prefix).is_err() {
            mistakes.add(format!("routes[{index}].prefix"), format!("`{prefix}` is not a plain path"));
        }
        let same = |other: &Route| other.prefix.trim_end_matches('/') == prefix.trim_end_matches('/');
        if routes.iter().take(index).any(same) {
            mistakes.add(format!("routes[{index}].prefix"), format!("`{prefix}` is there twice"));
        }
    }
}
