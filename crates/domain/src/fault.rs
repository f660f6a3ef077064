//! What an error tells its reader, apart from its cause.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

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
pub trait Fault: std::error::Error + Send + Sync + 'static {
    /// What the caller should do.
    fn kind(&self) -> FaultKind;

    /// Which error it is: problem type, metric label and docs anchor, such as `ticket-move-refused`.
    fn code(&self) -> &'static str;

    /// What a client may read. Never a `Display` of the cause.
    fn public(&self) -> Cow<'static, str>;

    /// The fields that broke a rule, for [`FaultKind::Invalid`].
    fn fields(&self) -> &[FieldError] {
        &[]
    }

    /// Seconds to wait, for [`FaultKind::Limited`] and [`FaultKind::Unavailable`].
    fn retry_after_seconds(&self) -> Option<u64> {
        None
    }
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
