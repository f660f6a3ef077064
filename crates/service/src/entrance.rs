//! What happens to a connection before its first request is read.

use std::any::Any;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;

/// A client's place among those of its address; free again when it is dropped.
pub struct Place(#[expect(dead_code, reason = "it is kept to be dropped")] Box<dyn Any + Send>);

impl Place {
    /// A place that is given back by dropping `held`.
    pub fn new(held: impl Send + 'static) -> Self {
        Self(Box::new(held))
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Place")
    }
}

/// Gives a connection from an address its place, or none: it is closed at once.
type Admit = dyn Fn(IpAddr) -> Option<Place> + Send + Sync;

/// Gives the keys for the next handshake.
type Keys = dyn Fn() -> Arc<ServerConfig> + Send + Sync;

/// How a listener receives connections. Without a word it takes them all, without TLS.
#[derive(Clone)]
pub struct Entrance {
    pub(crate) admit: Option<Arc<Admit>>,
    pub(crate) keys: Option<Arc<Keys>>,
    pub(crate) write_timeout: Duration,
    pub(crate) takes_upgrades: bool,
}

impl Default for Entrance {
    fn default() -> Self {
        Self { admit: None, keys: None, write_timeout: Duration::from_mins(1), takes_upgrades: false }
    }
}

impl Entrance {
    /// Asks `admit` before a connection is taken.
    #[must_use]
    pub fn admitting(mut self, admit: impl Fn(IpAddr) -> Option<Place> + Send + Sync + 'static) -> Self {
        self.admit = Some(Arc::new(admit));
        self
    }

    /// Speaks TLS, with the keys that `keys` names when a connection begins.
    #[must_use]
    pub fn with_tls(mut self, keys: impl Fn() -> Arc<ServerConfig> + Send + Sync + 'static) -> Self {
        self.keys = Some(Arc::new(keys));
        self
    }

    /// Closes a connection whose client takes no byte of its answer for so long.
    #[must_use]
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout;
        self
    }

    /// Lets requests for another protocol reach the handler, which has to refuse those it does not mean.
    #[must_use]
    pub fn taking_upgrades(mut self) -> Self {
        self.takes_upgrades = true;
        self
    }
}

impl fmt::Debug for Entrance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Entrance")
            .field("admits_all", &self.admit.is_none())
            .field("speaks_tls", &self.keys.is_some())
            .field("takes_upgrades", &self.takes_upgrades)
            .finish_non_exhaustive()
    }
}
