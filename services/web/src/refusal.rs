//! What web refuses before a use case is asked.

use std::borrow::Cow;

use domain::{Fault, FaultKind, FieldError};

/// A request that cannot be turned into a question for a use case.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Auth does not let the person do it.
    #[error("auth refuses it")]
    Forbidden(String),
    /// The filter of the security log means nothing.
    #[error("the filter of the security log means nothing")]
    SecurityFilter(Vec<FieldError>),
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
            Self::Forbidden(_) => FaultKind::Forbidden,
            Self::SecurityFilter(_) => FaultKind::Invalid,
            Self::IdempotencyKey => FaultKind::Malformed,
            Self::UnknownProblem => FaultKind::NotFound,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Forbidden(_) => "forbidden",
            Self::SecurityFilter(_) => "invalid-security-filter",
            Self::IdempotencyKey => "idempotency-key-malformed",
            Self::UnknownProblem => "problem-unknown",
        }
    }

    fn public(&self) -> Cow<'static, str> {
        match self {
            Self::Forbidden(reason) => reason.clone().into(),
            Self::SecurityFilter(_) => "Correct the named fields.".into(),
            Self::IdempotencyKey => "`Idempotency-Key` takes a UUID.".into(),
            Self::UnknownProblem => "No problem has this code.".into(),
        }
    }

    fn fields(&self) -> &[FieldError] {
        if let Self::SecurityFilter(fields) = self { fields } else { &[] }
    }
}
