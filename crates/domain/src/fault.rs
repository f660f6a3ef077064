//! What an error tells its reader, apart from its cause.

use std::borrow::Cow;
use std::error::Error;
use std::iter;

use serde::{Deserialize, Serialize};

/// What a client reads of a mistake of ours, whatever it was.
pub const OURS: &str = "Something went wrong on our side.";

/// What the caller should do about an error. One match in `service::problem` gives each its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The request cannot be read: fix the client.
    Malformed,
    /// Nobody is signed in: sign in.
    Unauthenticated,
    /// Signed in, but not allowed: ask for access.
    Forbidden,
    /// Does not exist, or is another client's: stop.
    NotFound,
    /// Clashes with what is there: read again, then decide.
    Conflict,
    /// Somebody else changed it first: read again, then repeat.
    Stale,
    /// Readable but against the rules: correct the named fields.
    Invalid,
    /// Too many tries: wait.
    Limited,
    /// A dependency is away: wait.
    Unavailable,
    /// A mistake of ours: somebody must look.
    Internal,
}

/// An error that knows what its reader should do.
pub trait Fault: Error + Send + Sync + 'static {
    /// What the caller should do.
    fn kind(&self) -> FaultKind;

    /// Which error it is: problem type, metric label and docs anchor, such as `ticket-move-refused`.
    fn code(&self) -> &'static str;

    /// What a client may read. Never a `Display` of the cause. Of [`FaultKind::Internal`] a client reads [`OURS`], so an
    /// error that is never anything else leaves this out.
    fn public(&self) -> Cow<'static, str> {
        OURS.into()
    }

    /// The fields that broke a rule, for [`FaultKind::Invalid`].
    fn fields(&self) -> &[FieldError] {
        &[]
    }

    /// Seconds to wait, for [`FaultKind::Limited`] and [`FaultKind::Unavailable`].
    fn retry_after_seconds(&self) -> Option<u64> {
        None
    }
}

/// Writes an error and all its causes on one line, for the log.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = iter::successors(Some(error), |cause: &&(dyn Error + 'static)| (*cause).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// One broken field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// JSON pointer to the field, such as `/title`.
    pub pointer: String,
    /// What is wrong and what would be right, as a sentence.
    pub detail: String,
}

impl FieldError {
    /// Names a field and what is wrong with it.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}
