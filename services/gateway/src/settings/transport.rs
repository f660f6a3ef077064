//! How connections come and go: TLS, reload, failing upstreams, long answers, connections of one address.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use service::Mistakes;

use super::MILLISECONDS_MAX;
use crate::breaker::BreakerLimits;
use crate::ejection::EjectionLimits;
use crate::upstreams::UpstreamLimits;

/// `[tls]`: the certificate of the public listener.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// The certificate chain as PEM; empty speaks plain HTTP.
    pub certificate_file: PathBuf,
    /// Its key as PEM.
    pub key_file: PathBuf,
    /// Where a listener without TLS sends people to the one with it; empty has none.
    pub redirect_bind: String,
    /// The port with TLS as people reach it.
    pub public_port: u16,
}

/// `[reload]`: when files are read again.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReloadSettings {
    /// How often files are looked at; 0 waits for SIGHUP alone.
    pub poll_ms: u64,
}

/// `[faults]`: what happens to addresses and upstreams that fail.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultSettings {
    /// Failures in a row that make an address be passed over.
    pub eject_after: u32,
    /// For how long, the first time.
    pub eject_ms: u64,
    /// For how long at most.
    pub eject_ms_max: u64,
    /// Percent of an upstream's addresses that may be passed over at once.
    pub ejected_percent_max: usize,
    /// Requests in a row without an answer after which an upstream's requests are refused at once.
    pub break_after: u32,
    /// For how long, before one may try.
    pub break_ms: u64,
    /// Repeats for each hundred requests.
    pub repeat_percent: u32,
    /// Repeats at once.
    pub repeat_burst: u32,
}

/// `[streams]`: server-sent events and websockets.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamSettings {
    /// How many at once.
    pub places_max: usize,
    /// Longest time without a byte in either direction.
    pub silence_ms: u64,
    /// Longest time for a whole one.
    pub lifetime_ms: u64,
}

/// `[connections]`: what clients' connections may cost.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionSettings {
    /// Connections of one address at once.
    pub per_address_max: usize,
    /// Longest time in which a client takes no byte of its answer.
    pub write_timeout_ms: u64,
}

impl TlsSettings {
    /// Whether there is a certificate.
    pub(crate) fn is_configured(&self) -> bool {
        !self.certificate_file.as_os_str().is_empty()
    }

    /// Where the listener without TLS is to be.
    pub(crate) fn redirect(&self) -> Option<SocketAddr> {
        self.redirect_bind.parse().ok()
    }

    pub(super) fn check(&self, mistakes: &mut Mistakes) {
        if self.is_configured() == self.key_file.as_os_str().is_empty() {
            mistakes.add("tls.key_file", "certificate_file and key_file belong together");
        }
        if self.redirect_bind.is_empty() {
            return;
        }
        if self.redirect().is_none() {
            mistakes.add("tls.redirect_bind", "must be an address and a port, or empty");
        }
        if !self.is_configured() {
            mistakes.add("tls.redirect_bind", "without a certificate there is nowhere to send people");
        }
    }
}

impl ReloadSettings {
    pub(super) fn check(&self, mistakes: &mut Mistakes) {
        mistakes.range("reload.poll_ms", self.poll_ms, 0..=MILLISECONDS_MAX);
    }
}

impl FaultSettings {
    pub(super) fn check(&self, mistakes: &mut Mistakes) {
        mistakes.range("faults.eject_after", self.eject_after, 1..=1_000_000);
        mistakes.range("faults.eject_ms", self.eject_ms, 1..=MILLISECONDS_MAX);
        mistakes.range("faults.eject_ms_max", self.eject_ms_max, self.eject_ms..=MILLISECONDS_MAX);
        mistakes.range("faults.ejected_percent_max", self.ejected_percent_max, 0..=100);
        mistakes.range("faults.break_after", self.break_after, 1..=1_000_000);
        mistakes.range("faults.break_ms", self.break_ms, 1..=MILLISECONDS_MAX);
        mistakes.range("faults.repeat_percent", self.repeat_percent, 0..=100);
        mistakes.range("faults.repeat_burst", self.repeat_burst, 0..=1_000_000);
    }

    /// What an upstream is allowed, with what `[limits]` says.
    pub(super) fn upstream(&self, requests_max: usize, rest: Duration) -> UpstreamLimits {
        UpstreamLimits {
            requests_max,
            rest,
            ejection: EjectionLimits {
                failures: self.eject_after,
                rest_ms: self.eject_ms,
                rest_ms_max: self.eject_ms_max,
                percent_max: self.ejected_percent_max,
            },
            breaker: BreakerLimits { failures: self.break_after, open_ms: self.break_ms },
            repeat_percent: self.repeat_percent,
            repeat_burst: self.repeat_burst,
        }
    }
}

impl StreamSettings {
    pub(super) fn check(&self, mistakes: &mut Mistakes) {
        mistakes.range("streams.places_max", self.places_max, 0..=1_000_000);
        mistakes.range("streams.silence_ms", self.silence_ms, 1..=MILLISECONDS_MAX);
        mistakes.range("streams.lifetime_ms", self.lifetime_ms, 1..=MILLISECONDS_MAX);
    }

    pub(crate) fn silence(&self) -> Duration {
        Duration::from_millis(self.silence_ms)
    }

    pub(crate) fn lifetime(&self) -> Duration {
        Duration::from_millis(self.lifetime_ms)
    }
}

impl ConnectionSettings {
    pub(super) fn check(&self, mistakes: &mut Mistakes) {
        mistakes.range("connections.per_address_max", self.per_address_max, 1..=1_000_000);
        mistakes.range("connections.write_timeout_ms", self.write_timeout_ms, 1..=MILLISECONDS_MAX);
    }

    pub(crate) fn write_timeout(&self) -> Duration {
        Duration::from_millis(self.write_timeout_ms)
    }
}
