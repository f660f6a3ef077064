//! What the gateway refuses by itself.

use std::borrow::Cow;

use actix_web::error::PayloadError;
use domain::{Fault, FaultKind};
use thiserror::Error;

/// A request that goes no further.
#[derive(Debug, Error)]
pub(crate) enum Refusal {
    /// Two servers could read the request in two ways.
    #[error("the request is ambiguous")]
    Ambiguous(#[from] inspect::Refusal),
    /// The body ended before its end.
    #[error("the body ended early")]
    BodyIncomplete(#[source] PayloadError),
    /// The request did not come from one of our pages.
    #[error("the request does not prove that it comes from our own pages")]
    Forged,
    /// Nobody can say who the caller is.
    #[error("auth cannot be asked who the caller is")]
    AuthUnavailable(#[source] anyhow::Error),
    /// The upstream holds as many requests as it may.
    #[error("the upstream holds as many requests as it may")]
    UpstreamBusy,
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    NoRandomness,
}

impl Fault for Refusal {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Ambiguous(_) | Self::BodyIncomplete(_) => FaultKind::Malformed,
            Self::Forged => FaultKind::Forbidden,
            Self::AuthUnavailable(_) | Self::UpstreamBusy => FaultKind::Unavailable,
            Self::NoRandomness => FaultKind::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Ambiguous(_) => "request-refused",
            Self::BodyIncomplete(_) => "body-incomplete",
            Self::Forged => "csrf-refused",
            Self::AuthUnavailable(_) => "auth-unavailable",
            Self::UpstreamBusy => "upstream-busy",
            Self::NoRandomness => "internal",
        }
    }

    fn public(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Ambiguous(_) => {
                "The address, a header or the length of this request can be read in more than one way."
            }
            Self::BodyIncomplete(_) => "The body ended before its end.",
            Self::Forged => {
                "The request does not prove that it comes from our own pages. Load the page again, then repeat."
            }
            Self::AuthUnavailable(_) => "Nobody can be recognised for the moment. Try again shortly.",
            Self::UpstreamBusy => "Too many requests are being worked on. Try again shortly.",
            Self::NoRandomness => "Something went wrong on our side.",
        })
    }
}
