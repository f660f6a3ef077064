//! One request to one upstream: which address, and whether another may be tried.

use reqwest::{Client, Request, Response};
use thiserror::Error;

use crate::upstreams::{Address, Upstream};

/// Addresses one request may try.
const ATTEMPTS_MAX: usize = 3;

/// When a request may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Never: its body can be read only once.
    Never,
    /// When nobody answered at the address, so that nothing can have been carried out.
    WhenUnsent,
    /// Also when the connection broke: carrying it out twice does no harm.
    WhenBroken,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub(crate) enum SendError {
    /// The settings name no address.
    #[error("upstream {0} has no address")]
    NoAddress(String),
    /// The request cannot be made from what the client sent.
    #[error("making the request")]
    Request(#[source] anyhow::Error),
    /// Nobody answered at the address.
    #[error("connecting to {origin}")]
    Connect {
        /// Where.
        origin: String,
        /// Why.
        source: reqwest::Error,
    },
    /// The connection broke.
    #[error("asking {origin}")]
    Broken {
        /// Where.
        origin: String,
        /// Why.
        source: reqwest::Error,
    },
}

impl SendError {
    fn new(address: &Address, source: reqwest::Error) -> Self {
        let origin = address.origin().to_owned();
        if source.is_connect() { Self::Connect { origin, source } } else { Self::Broken { origin, source } }
    }

    fn allows(&self, repeat: Repeat) -> bool {
        match self {
            Self::NoAddress(_) | Self::Request(_) => false,
            Self::Connect { .. } => repeat != Repeat::Never,
            Self::Broken { source, .. } => repeat == Repeat::WhenBroken && !source.is_timeout(),
        }
    }
}

/// Sends a request, made anew for each address that is tried, and waits until the answer begins.
pub(crate) async fn send(
    client: &Client,
    upstream: &Upstream,
    repeat: Repeat,
    mut make: impl FnMut(&Address) -> anyhow::Result<Request>,
) -> Result<Response, SendError> {
    let mut attempts_left = upstream.addresses().len().clamp(2, ATTEMPTS_MAX);
    loop {
        let address = upstream.next_address().ok_or_else(|| SendError::NoAddress(upstream.name().to_owned()))?;
        let request = make(address).map_err(SendError::Request)?;
        let error = match client.execute(request).await {
            Ok(response) => return Ok(response),
            Err(source) => SendError::new(address, source),
        };
        attempts_left -= 1;
        if matches!(error, SendError::Connect { .. }) {
            upstream.pass_over(address);
        }
        if attempts_left == 0 || !error.allows(repeat) {
            return Err(error);
        }
    }
}
