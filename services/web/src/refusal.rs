//! What web refuses before a use case is asked.

use std::borrow::Cow;

use domain::{Fault, FaultKind};

/// A request that cannot be turned into a question for a use case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// The `Idempotency-Key` is not a UUID.
    #[error("the idempotency key is not a UUID")]
    IdempotencyKey,
    /// There is no section on a problem code.
    #[error("no problem has this code")]
    UnknownProblem,
}

impl Fault for Refusal {
    fn kind(&self) -> FaultKind {
        match self {
            Self::IdempotencyKey => FaultKind::Malformed,
            Self::UnknownProblem => FaultKind::NotFound,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::IdempotencyKey => "idempotency-key-malformed",
            Self::UnknownProblem => "problem-unknown",
        }
    }

    fn public(&self) -> Cow<'static, str> {
        match self {
            Self::IdempotencyKey => "`Idempotency-Key` takes a UUID.".into(),
            Self::UnknownProblem => "No problem has this code.".into(),
        }
    }
}
