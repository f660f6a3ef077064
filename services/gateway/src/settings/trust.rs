//! Who is believed: other processes, our own pages, proxies in front.

use domain::Secret;
use ipnet::IpNet;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use service::{Environment, Mistakes};

use crate::list::List;

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

impl TrustSettings {
    pub(super) fn check(&self, mistakes: &mut Mistakes) {
        mistakes.secret("trust.internal_key", &self.internal_key);
    }
}

impl CsrfSettings {
    pub(super) fn check(&self, mistakes: &mut Mistakes) {
        mistakes.secret("csrf.secret", &self.secret);
        for origin in self.origins.as_slice() {
            if !Url::parse(origin).is_ok_and(|url| url.origin().ascii_serialization() == *origin) {
                mistakes.add("csrf.origins", format!("`{origin}` must be scheme, host and port alone"));
            }
        }
    }
}

impl TrustedProxySettings {
    /// Behind a proxy that is not trusted every client would have the proxy's address: one limit for all of them.
    pub(super) fn check(&self, environment: Environment, mistakes: &mut Mistakes) {
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
