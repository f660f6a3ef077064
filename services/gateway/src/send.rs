//! One request to one upstream: which address, and whether another may be tried.

use http::Request;
use hyper_util::client::legacy;
use service::Problem;
use thiserror::Error;

use crate::body::OutgoingBody;
use crate::client::{Answer, UpstreamClient};
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
    #[error("the request cannot be made: {0}")]
    Request(Problem),
    /// Nobody answered at the address.
    #[error("connecting to {origin}")]
    Connect {
        /// Where.
        origin: String,
        /// Why.
        source: legacy::Error,
    },
    /// The connection broke.
    #[error("asking {origin}")]
    Broken {
        /// Where.
        origin: String,
        /// Why.
        source: legacy::Error,
    },
}

impl SendError {
    fn new(address: &Address, source: legacy::Error) -> Self {
        let origin = address.origin().to_owned();
        if source.is_connect() { Self::Connect { origin, source } } else { Self::Broken { origin, source } }
    }

    fn allows(&self, repeat: Repeat) -> bool {
        match self {
            Self::NoAddress(_) | Self::Request(_) => false,
            Self::Connect { .. } => repeat != Repeat::Never,
            Self::Broken { .. } => repeat == Repeat::WhenBroken,
        }
    }
}

/// Sends a request, made anew for each address that is tried, and waits until the answer begins.
pub(crate) async fn send(
    client: &UpstreamClient,
    upstream: &Upstream,
    repeat: Repeat,
    mut make: impl FnMut(&Address) -> Result<Request<OutgoingBody>, Problem>,
) -> Result<Answer, SendError> {
    let mut attempts_left = upstream.addresses().len().clamp(2, ATTEMPTS_MAX);
    loop {
        let address =
            upstream.next_address().ok_or_else(|| SendError::NoAddress(upstream.name().to_owned()))?;
        let request = make(address).map_err(SendError::Request)?;
        let error = match client.request(request).await {
            Ok(answer) => return Ok(answer),
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
