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
    /// The bodies that are being received hold as much memory as they may.
    #[error("the bodies being received hold as much memory as they may")]
    BodiesTooLarge,
    /// The credential is not for where the client is.
    #[error("the credential may not be used from the client's network")]
    WrongNetwork,
    /// The caller lacks what everything below the route needs.
    #[error("the caller lacks {0}")]
    NotAllowed(&'static str),
    /// The request looks like an attack.
    #[error("the request looks like an attack: {0}")]
    Blocked(String),
    /// The body is not what its content type says.
    #[error("the body is not what its content type says: {0}")]
    BodyMalformed(&'static str),
    /// The caller sent as many requests as it may.
    #[error("this caller sent as many requests as it may")]
    RateLimited {
        /// When the next may come.
        retry_after_seconds: u64,
    },
    /// Nobody can say whether the caller may send more.
    #[error("requests cannot be counted")]
    Uncounted,
    /// The client tried too often.
    #[error("this client sent as many of these requests as it may")]
    TooManyRequests {
        /// When the next may come.
        retry_after_seconds: u64,
    },
    /// The request came without TLS to where it is owed.
    #[error("the request came without TLS")]
    NeedsTls,
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    NoRandomness,
}

impl Fault for Refusal {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Ambiguous(_) | Self::BodyIncomplete(_) | Self::BodyMalformed(_) => FaultKind::Malformed,
            Self::Forged | Self::WrongNetwork | Self::NotAllowed(_) | Self::Blocked(_) | Self::NeedsTls => {
                FaultKind::Forbidden
            }
            Self::AuthUnavailable(_) | Self::UpstreamBusy | Self::BodiesTooLarge | Self::Uncounted => {
                FaultKind::Unavailable
            }
            Self::TooManyRequests { .. } | Self::RateLimited { .. } => FaultKind::Limited,
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
            Self::BodiesTooLarge => "gateway-busy",
            Self::WrongNetwork => "network-refused",
            Self::NotAllowed(_) => "forbidden",
            Self::Blocked(_) => "request-blocked",
            Self::BodyMalformed(_) => "malformed-body",
            Self::RateLimited { .. } => "rate-limited",
            Self::Uncounted => "rates-unavailable",
            Self::TooManyRequests { .. } => "too-many-requests",
            Self::NeedsTls => "https-required",
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
            Self::UpstreamBusy | Self::BodiesTooLarge => {
                "Too many requests are being worked on. Try again shortly."
            }
            Self::TooManyRequests { .. } => {
                "Too many tries to sign in came from your network. Wait a moment, then try again."
            }
            Self::WrongNetwork => "This credential may not be used from your network.",
            Self::NotAllowed(_) => {
                "You are not allowed to do this. An administrator of your client can change that."
            }
            Self::Blocked(_) => {
                "Something in this request looks like an attack, so it was not passed on. If it was meant, write it in \
                 other words, or tell the operator the reference."
            }
            Self::BodyMalformed(_) => "The body is not what its content type says.",
            Self::RateLimited { .. } => "You sent more requests than you may. Wait a moment, then try again.",
            Self::Uncounted => "Requests cannot be counted for the moment. Try again shortly.",
            Self::NeedsTls => {
                "This address speaks in the clear and takes nothing. Use https; a credential you sent here should be replaced."
            }
            Self::NoRandomness => "Something went wrong on our side.",
        })
    }

    fn retry_after_seconds(&self) -> Option<u64> {
        if let Self::TooManyRequests { retry_after_seconds } | Self::RateLimited { retry_after_seconds } =
            self
        {
            Some(*retry_after_seconds)
        } else {
            None
        }
    }
}
