//! The gateway's settings; every key is explained in `default.toml`.

mod identity;
mod inspection;
mod limits;
mod rates;
mod routing;
mod spool;
mod transport;
mod trust;

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Url;
use serde::{Deserialize, Serialize};
use service::{HttpClientSettings, HttpSettings, Mistakes, ProcessSettings};

pub use identity::IdentitySettings;
pub use inspection::{Exemption, InspectionSettings};
pub use limits::LimitSettings;
pub use rates::{ClassSettings, RateSettings};
pub use spool::SpoolSettings;
pub use transport::{ConnectionSettings, FaultSettings, ReloadSettings, StreamSettings, TlsSettings};
pub use trust::{CsrfSettings, TrustSettings, TrustedProxySettings};

pub(crate) use rates::SIGN_IN;

use crate::list::List;
use crate::routes::Route;
use crate::upstreams::UpstreamLimits;

/// The upstream that knows who somebody is.
pub(crate) const AUTH: &str = "auth";

/// Most bytes a setting may name: a gibibyte.
const BYTES_MAX: usize = 1_073_741_824;

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
    /// What is looked for in requests.
    pub inspection: InspectionSettings,
    /// Security events on their way to auth.
    pub spool: SpoolSettings,
    /// The certificate.
    pub tls: TlsSettings,
    /// When files are read again.
    pub reload: ReloadSettings,
    /// Addresses and upstreams that fail.
    pub faults: FaultSettings,
    /// Server-sent events and websockets.
    pub streams: StreamSettings,
    /// What clients' connections may cost.
    pub connections: ConnectionSettings,
    /// The services behind the gateway, by name.
    pub upstreams: BTreeMap<String, List<Url>>,
    /// The routing table.
    pub routes: Vec<Route>,
}

impl service::Settings for Settings {
    fn process(&self) -> &ProcessSettings {
        &self.process
    }

    fn check(&self, mistakes: &mut Mistakes) {
        self.http.check(mistakes);
        self.http_client.check(mistakes);
        self.trust.check(mistakes);
        self.csrf.check(mistakes);
        self.identity.check(mistakes);
        self.limits.check(mistakes);
        self.rates.check(mistakes);
        self.inspection.check(mistakes);
        self.spool.check(mistakes);
        self.tls.check(mistakes);
        self.reload.check(mistakes);
        self.faults.check(mistakes);
        self.streams.check(mistakes);
        self.connections.check(mistakes);
        self.trusted_proxies.check(self.process.environment, mistakes);
        if self.limits.upstream_timeout_ms >= self.http.request_timeout_ms {
            mistakes.add("limits.upstream_timeout_ms", "must be shorter than http.request_timeout_ms");
        }
        if self.limits.body_bytes_max > self.http.body_bytes_max {
            mistakes.add("limits.body_bytes_max", "must not be more than http.body_bytes_max");
        }
        routing::check_upstreams(&self.upstreams, mistakes);
        routing::check_routes(&self.routes, &self.upstreams, &self.rates, mistakes);
    }
}

impl Settings {
    /// What each upstream is allowed.
    pub(crate) fn upstream_limits(&self) -> UpstreamLimits {
        let rest = Duration::from_millis(self.limits.upstream_rest_ms);
        self.faults.upstream(self.limits.upstream_requests_max, rest)
    }
}
