//! What the handler works with: the settings, opened.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use http::header::HeaderValue;
use ipnet::IpNet;
use service::Clock;
use tokio::sync::Semaphore;

use crate::body::{BodyLimits, BodyMemory};
use crate::csrf::Csrf;
use crate::identity::Identities;
use crate::identity_cache::IdentityCache;
use crate::pulse::Pulse;
use crate::rate::Buckets;
use crate::routes::Routes;
use crate::settings::{AUTH, Settings};
use crate::upstreams::Upstream;

/// Shared by all threads; nothing in it is locked for longer than a look-up.
pub(crate) struct Gate {
    pub(crate) routes: Routes,
    pub(crate) upstreams: BTreeMap<String, Arc<Upstream>>,
    pub(crate) identities: Identities,
    pub(crate) csrf: Csrf,
    /// Origins of our pages; empty takes the host.
    pub(crate) origins: Vec<String>,
    pub(crate) trusted_networks: Vec<IpNet>,
    pub(crate) internal_key: HeaderValue,
    pub(crate) target_bytes_max: usize,
    pub(crate) body: BodyLimits,
    pub(crate) guest_body: BodyLimits,
    pub(crate) body_memory: BodyMemory,
    pub(crate) sign_ins: Buckets,
    pub(crate) upstream_timeout: Duration,
    pub(crate) answer_silence: Duration,
    pub(crate) answer_timeout: Duration,
}

impl Gate {
    /// Opens the settings.
    pub(crate) fn new(settings: &Settings, clock: Clock) -> anyhow::Result<Self> {
        let limits = &settings.limits;
        let upstreams: BTreeMap<String, Arc<Upstream>> = settings
            .upstreams
            .iter()
            .map(|(name, urls)| {
                let upstream = Upstream::new(name, urls.as_slice(), limits.upstream());
                let upstream = upstream.with_context(|| format!("reading the addresses of {name}"))?;
                Ok((name.clone(), Arc::new(upstream)))
            })
            .collect::<anyhow::Result<_>>()?;
        let auth = Arc::clone(upstreams.get(AUTH).context("finding auth among the upstreams")?);
        let internal_key = internal_key(settings)?;
        Ok(Self {
            identities: Identities {
                cache: Arc::new(IdentityCache::new(settings.identity.cache_entries)),
                pulse: Arc::new(Pulse::new(auth.addresses().len(), settings.identity.silence())),
                auth,
                places: Semaphore::new(settings.identity.requests_max),
                refusals: Buckets::new(settings.rates.refusals(), settings.rates.networks_max),
                internal_key: internal_key.clone(),
                clock,
                limits: settings.identity.exchange(),
            },
            routes: Routes::new(settings.routes.clone()),
            upstreams,
            csrf: Csrf::new(&settings.csrf.secret),
            origins: settings.csrf.origins.as_slice().to_vec(),
            trusted_networks: settings.trusted_proxies.networks.as_slice().to_vec(),
            internal_key,
            target_bytes_max: limits.target_bytes_max,
            body: limits.body(settings.http.body_bytes_max),
            guest_body: BodyLimits {
                may_stream: false,
                ..limits.body(limits.guest_body_bytes_max.min(settings.http.body_bytes_max))
            },
            body_memory: BodyMemory::new(limits.body_memory_bytes_max),
            sign_ins: Buckets::new(settings.rates.sign_ins(), settings.rates.networks_max),
            upstream_timeout: Duration::from_millis(limits.upstream_timeout_ms),
            answer_silence: Duration::from_millis(limits.answer_silence_ms),
            answer_timeout: Duration::from_millis(limits.answer_timeout_ms),
        })
    }
}

fn internal_key(settings: &Settings) -> anyhow::Result<HeaderValue> {
    let mut key = HeaderValue::from_str(settings.trust.internal_key.expose())
        .context("putting trust.internal_key into a header")?;
    key.set_sensitive(true);
    Ok(key)
}
