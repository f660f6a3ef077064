//! What this service refuses, and what a client reads of it.

use std::borrow::Cow;

use domain::{Fault, FaultKind, FieldError};

/// Seconds to wait while the process is busy or has lost its view of the database.
const RETRY_AFTER_SECONDS: u64 = 2;

/// Why somebody is not let in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// What was typed can be nobody's login name or password.
    #[error("the sign-in form is not filled in properly")]
    Form(Vec<FieldError>),
    /// Wrong password, unknown login name, disabled person: deliberately the same.
    #[error("login name or password is wrong")]
    Credentials,
    /// The token belongs to no live session.
    #[error("the token belongs to no live session")]
    Session,
    /// Too many passwords wait to be compared.
    #[error("too many passwords wait to be compared")]
    Busy,
    /// Ended sessions are not heard of at present, or enough processes listen.
    #[error("the stream of ended sessions cannot be given")]
    Stream,
    /// The database took too long over a question.
    #[error("the database did not answer in time")]
    Unanswered,
    /// What one of our own processes asks cannot be answered as it is asked.
    #[error("{} fields of the question do not fit", .0.len())]
    Question(Vec<FieldError>),
    /// Too many gateways ask for tokens of requests, or the database does not give them in time.
    #[error("tokens of requests cannot be given")]
    Rates,
    /// Who asks about accounts at the broker does not have the broker's key.
    #[error("the broker's key is missing or wrong")]
    BrokerKey,
    /// The broker is not to let the account in, or not to allow what it wants.
    #[error("the account may not")]
    BrokerAccount,
    /// No passkeys are offered here.
    #[error("no passkeys are offered")]
    NoPasskeys,
    /// A mistake of ours.
    #[error("signing in is broken")]
    Broken(#[source] anyhow::Error),
}

impl Fault for Refusal {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Form(_) => FaultKind::Invalid,
            Self::Credentials | Self::Session | Self::BrokerKey => FaultKind::Unauthenticated,
            Self::Question(_) => FaultKind::Malformed,
            Self::BrokerAccount => FaultKind::Forbidden,
            Self::Busy | Self::Stream | Self::Unanswered | Self::Rates => FaultKind::Unavailable,
            Self::NoPasskeys => FaultKind::NotFound,
            Self::Broken(_) => FaultKind::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Form(_) => "sign-in-invalid",
            Self::Credentials => "sign-in-refused",
            Self::Session => "session-ended",
            Self::Busy => "sign-in-busy",
            Self::Stream => "revocations-unavailable",
            Self::Unanswered => "database-unavailable",
            Self::Question(_) => "malformed-body",
            Self::Rates => "rates-unavailable",
            Self::BrokerKey => "broker-only",
            Self::BrokerAccount => "broker-refused",
            Self::NoPasskeys => "passkeys-off",
            Self::Broken(_) => "internal",
        }
    }

    fn public(&self) -> Cow<'static, str> {
        match self {
            Self::Form(_) => "Correct the named fields.",
            Self::Credentials => "Login name or password is wrong.",
            Self::Session => "The session has ended. Sign in again.",
            Self::Busy => "Many people sign in at this moment. Try again shortly.",
            Self::Stream => "Ended sessions cannot be followed at this moment. Try again shortly.",
            Self::Question(_) => "The body does not have the form this address takes.",
            Self::Rates => {
                "Limits of requests cannot be asked for at this moment. Count for yourself until they can."
            }
            Self::BrokerKey => "This address is for the broker.",
            Self::BrokerAccount => "The account may not.",
            Self::Unanswered => "The data cannot be reached at the moment. Try again shortly.",
            Self::NoPasskeys => "Passkeys are not offered here.",
            Self::Broken(_) => domain::fault::OURS,
        }
        .into()
    }

    fn fields(&self) -> &[FieldError] {
        if let Self::Form(fields) | Self::Question(fields) = self { fields } else { &[] }
    }

    fn retry_after_seconds(&self) -> Option<u64> {
        (self.kind() == FaultKind::Unavailable).then_some(RETRY_AFTER_SECONDS)
    }
}
