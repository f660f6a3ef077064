//! One request to one upstream: which address, and whether another may be tried.

use http::{Request, StatusCode};
use service::Problem;
use thiserror::Error;
use tokio::time::{Instant, timeout_at};

use crate::body::OutgoingBody;
use crate::client::{Answer, ClientError, UpstreamClient};
use crate::upstreams::{Address, Tried, Upstream};

/// Addresses one request may try.
const ATTEMPTS_MAX: usize = 3;

/// When a request may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Never: its body can be read only once.
    Never,
    /// When nobody answered at the address, so that nothing can have been carried out.
    WhenUnsent,
    /// Also when the connection broke or a replica is not able to answer: carrying it out twice does no harm.
    WhenBroken,
}

/// How a request is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// When it may be sent again.
    pub(crate) repeat: Repeat,
    /// When its answer must have begun.
    pub(crate) deadline: Instant,
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
    /// Nobody answered for a while, and for this long nobody is asked.
    #[error("nobody answers at upstream {upstream}")]
    Open {
        /// Which.
        upstream: String,
        /// How long.
        retry_after_ms: u64,
    },
    /// Nobody answered at the address.
    #[error("connecting to {origin}")]
    Connect {
        /// Where.
        origin: String,
        /// Why.
        source: ClientError,
    },
    /// The connection broke.
    #[error("asking {origin}")]
    Broken {
        /// Where.
        origin: String,
        /// Why.
        source: ClientError,
    },
    /// The answer did not begin in time.
    #[error("waiting for {origin}")]
    Late {
        /// Where.
        origin: String,
    },
}

impl SendError {
    fn new(address: &Address, source: ClientError) -> Self {
        let origin = address.origin().to_owned();
        match source {
            ClientError::Connect(_) => Self::Connect { origin, source },
            ClientError::Broken(_) => Self::Broken { origin, source },
        }
    }
}

/// Sends a request, made anew for each address that is tried, and waits until the answer begins.
pub(crate) async fn send(
    client: &UpstreamClient,
    upstream: &Upstream,
    manner: Manner,
    mut make: impl FnMut() -> Result<Request<OutgoingBody>, Problem>,
) -> Result<Answer, SendError> {
    let passage = upstream
        .pass()
        .map_err(|retry_after_ms| SendError::Open { upstream: upstream.name().to_owned(), retry_after_ms })?;
    let mut attempts_left = upstream.addresses().len().clamp(2, ATTEMPTS_MAX);
    let mut tried = Tried::default();
    loop {
        let (index, address) = upstream
            .another_address(tried)
            .ok_or_else(|| SendError::NoAddress(upstream.name().to_owned()))?;
        tried.add(index);
        attempts_left -= 1;
        let request = make().map_err(SendError::Request)?;
        let outcome = match timeout_at(manner.deadline, client.request(address, request)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(source)) => Err(SendError::new(address, source)),
            Err(_elapsed) => Err(SendError::Late { origin: address.origin().to_owned() }),
        };
        judge(upstream, address, &outcome);
        if attempts_left > 0 && may_repeat(upstream, tried, manner.repeat, &outcome) {
            metrics::counter!("gateway_repeats_total", "upstream" => upstream.name().to_owned()).increment(1);
            continue;
        }
        match &outcome {
            Ok(_) => upstream.answered(passage),
            Err(_) => upstream.unanswered(passage),
        }
        return outcome;
    }
}

/// Remembers how an address fared.
fn judge(upstream: &Upstream, address: &Address, outcome: &Result<Answer, SendError>) {
    match outcome {
        Ok(answer) if answer.status().is_server_error() => upstream.failed(address),
        Ok(_) => address.succeeded(),
        Err(SendError::Connect { .. }) => {
            upstream.pass_over(address);
            upstream.failed(address);
        }
        Err(SendError::Broken { .. } | SendError::Late { .. }) => upstream.failed(address),
        Err(SendError::NoAddress(_) | SendError::Request(_) | SendError::Open { .. }) => {}
    }
}

/// What was never sent may always be sent again. What may have been carried out is repeated only where that does no harm,
/// and only for a share of the requests.
fn may_repeat(
    upstream: &Upstream,
    tried: Tried,
    repeat: Repeat,
    outcome: &Result<Answer, SendError>,
) -> bool {
    match outcome {
        Ok(answer) => {
            repeat == Repeat::WhenBroken
                && is_unable(answer.status())
                && upstream.has_another(tried)
                && upstream.may_repeat()
        }
        Err(SendError::Connect { .. }) => repeat != Repeat::Never,
        Err(SendError::Broken { .. }) => repeat == Repeat::WhenBroken && upstream.may_repeat(),
        Err(
            SendError::Late { .. } | SendError::NoAddress(_) | SendError::Request(_) | SendError::Open { .. },
        ) => false,
    }
}

/// Whether an answer says that this replica is not able to answer, and another may be.
fn is_unable(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT)
}
