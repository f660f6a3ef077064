//! What the handler works with: the settings, opened.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use anyhow::Context as _;
use arc_swap::ArcSwap;
use http::header::HeaderValue;
use ipnet::IpNet;
use reqwest::Client as HttpClient;
use service::{Clock, Drain, Problem};
use tokio::sync::Semaphore;

use crate::body::{BodyLimits, BodyMemory};
use crate::client_address::Client;
use crate::csrf::Csrf;
use crate::identity::{Grace, Identities};
use crate::identity_cache::{IdentityCache, SignedIdentity};
use crate::lease::{self, Courier};
use crate::proxy::{StreamLimits, Streams};
use crate::pulse::Pulse;
use crate::rate::Buckets;
use crate::request_rates::RequestRates;
use crate::settings::{AUTH, Settings};
use crate::snapshot::Snapshot;
use crate::spool::Spool;

/// Shared by all threads; nothing in it is locked for longer than a look-up.
pub(crate) struct Gate {
    snapshot: ArcSwap<Snapshot>,
    pub(crate) identities: Identities,
    pub(crate) csrf: Csrf,
    /// Origins of our pages; empty takes the host.
    pub(crate) origins: Vec<String>,
    trusted_networks: Vec<IpNet>,
    pub(crate) internal_key: HeaderValue,
    pub(crate) target_bytes_max: usize,
    body: BodyLimits,
    guest_body: BodyLimits,
    pub(crate) body_memory: BodyMemory,
    pub(crate) sign_ins: Buckets,
    pub(crate) rates: RequestRates,
    pub(crate) spool: Arc<Spool>,
    pub(crate) clock: Clock,
    pub(crate) upstream_timeout: Duration,
    pub(crate) answer_silence: Duration,
    pub(crate) answer_timeout: Duration,
    pub(crate) streams: Streams,
    /// The port with TLS as people reach it.
    pub(crate) tls_port: u16,
}

impl Gate {
    /// Opens the settings. Questions about limits go to auth by the courier, with the client that is given.
    pub(crate) fn new(
        settings: &Settings,
        clock: Clock,
        drain: &Drain,
        client: &HttpClient,
    ) -> anyhow::Result<(Self, Courier)> {
        let limits = &settings.limits;
        let snapshot = Snapshot::new(settings)?;
        let auth = Arc::clone(snapshot.upstream(AUTH).context("finding auth among the upstreams")?);
        let internal_key = internal_key(settings)?;
        let limit = settings.rates.lease();
        let (lessor, courier) = lease::open(limit, client.clone(), Arc::clone(&auth), internal_key.clone());
        let gate = Self {
            identities: Identities {
                cache: Arc::new(IdentityCache::new(settings.identity.cache_entries)),
                pulse: Arc::new(Pulse::new(auth.addresses().len(), settings.identity.silence())),
                auth,
                places: Semaphore::new(settings.identity.requests_max),
                refusals: Buckets::new(settings.rates.refusals(), settings.rates.networks_max),
                internal_key: internal_key.clone(),
                clock: clock.clone(),
                limits: settings.identity.exchange(),
                grace: Grace::new(),
            },
            snapshot: ArcSwap::from_pointee(snapshot),
            csrf: Csrf::new(&settings.csrf.secret),
            origins: settings.csrf.origins.as_slice().to_vec(),
            trusted_networks: settings.trusted_proxies.networks.as_slice().to_vec(),
            internal_key,
            target_bytes_max: limits.target_bytes_max,
            body: limits.body(limits.body_bytes_max),
            guest_body: BodyLimits {
                may_stream: false,
                ..limits.body(limits.guest_body_bytes_max.min(limits.body_bytes_max))
            },
            body_memory: BodyMemory::new(limits.body_memory_bytes_max),
            sign_ins: Buckets::new(settings.rates.sign_ins(), settings.rates.networks_max),
            rates: RequestRates::new(&settings.rates, lessor).context("writing the limits into headers")?,
            spool: Arc::new(Spool::new(settings.spool.limits())),
            clock,
            upstream_timeout: Duration::from_millis(limits.upstream_timeout_ms),
            answer_silence: Duration::from_millis(limits.answer_silence_ms),
            answer_timeout: Duration::from_millis(limits.answer_timeout_ms),
            streams: Streams {
                places: Arc::new(Semaphore::new(settings.streams.places_max)),
                limits: StreamLimits {
                    silence: settings.streams.silence(),
                    lifetime: settings.streams.lifetime(),
                    drain: drain.clone(),
                },
            },
            tls_port: settings.tls.public_port,
        };
        Ok((gate, courier))
    }

    /// What may pass, and where to. A request keeps the state it began with.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Takes routes, upstreams and inspection of settings that were read again.
    ///
    /// # Errors
    /// When they would need a restart; nothing has changed then.
    pub(crate) fn renew(&self, settings: &Settings) -> anyhow::Result<()> {
        let renewed = self.snapshot().renewed(settings, &self.rates)?;
        self.snapshot.store(Arc::new(renewed));
        Ok(())
    }

    /// Who sent a request.
    pub(crate) fn client_of(&self, request: &HttpRequest) -> Result<Client, Problem> {
        let peer = request.peer_addr().ok_or_else(|| Problem::internal().because("there is no peer"))?;
        Ok(Client::of(peer.ip(), request.headers(), &self.trusted_networks))
    }

    /// What a body may cost that is no upload. What the listener takes is looked at before.
    pub(crate) fn body_limits(&self, identity: Option<&SignedIdentity>) -> BodyLimits {
        if identity.is_some() { self.body } else { self.guest_body }
    }

    /// What an upload of so many bytes may cost.
    pub(crate) fn upload_limits(&self, bytes_max: usize) -> BodyLimits {
        BodyLimits { bytes_max, ..self.body }
    }
}

fn internal_key(settings: &Settings) -> anyhow::Result<HeaderValue> {
    let mut key = HeaderValue::from_str(settings.trust.internal_key.expose())
        .context("putting trust.internal_key into a header")?;
    key.set_sensitive(true);
    Ok(key)
}
