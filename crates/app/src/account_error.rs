//! Why something about an account, a handset, a key or a file is refused.

use std::borrow::Cow;

use domain::{ApiKeyId, AttachmentId, Fault, FaultKind, FieldError, GroupId, PasskeyId, PersonId, SessionId};

/// Seconds to wait while files cannot be examined.
const SCANNER_RETRY_SECONDS: u64 = 10;

/// An error about an account. Its `Display` is for operators; a client reads [`Fault::public`].
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// It was too long ago that the person proved who they are.
    #[error("the last proof is too old")]
    StepUpRequired,
    /// The client demands a second factor, and the person has none.
    #[error("a second factor is owed")]
    SecondFactorOwed,
    /// A code, a passkey or a password given as proof is wrong.
    #[error("the proof is wrong")]
    FactorRefused,
    /// Too many wrong proofs.
    #[error("proofs are limited for {retry_after_seconds} s")]
    FactorLimited {
        /// Seconds until the window ends.
        retry_after_seconds: u64,
    },
    /// A mailed link is none, was used, or has ended.
    #[error("the link is not good")]
    LinkRefused,
    /// A new password breaks rules.
    #[error("the password breaks {} rules", .0.len())]
    PasswordRefused(Vec<FieldError>),
    /// Something about one's own account breaks rules.
    #[error("{} fields of the account break rules", .0.len())]
    InvalidAccount(Vec<FieldError>),
    /// The person sees no site.
    #[error("the person sees no site")]
    SiteMissing,
    /// The client takes only handsets with other numbers or from other networks.
    #[error("the handset is not on the client's lists")]
    HandsetRefused,
    /// The person works with another handset.
    #[error("the person works with another handset")]
    HandsetBound,
    /// A refresh token is nobody's, has ended, or was used before.
    #[error("the refresh token is not good")]
    RefreshRefused,
    /// There is no such person in the client.
    #[error("person {0} is not there")]
    UserNotFound(PersonId),
    /// There is no such group in the client.
    #[error("group {0} is not there")]
    GroupNotFound(GroupId),
    /// Something given for a person or a group breaks rules.
    #[error("{} fields of the person break rules", .0.len())]
    InvalidUser(Vec<FieldError>),
    /// Nobody would be left who administers the client.
    #[error("nobody else administers the client")]
    LastAdministrator,
    /// Something given for a key breaks rules.
    #[error("{} fields of the key break rules", .0.len())]
    InvalidKey(Vec<FieldError>),
    /// There is no such key in the client.
    #[error("key {0} is not there")]
    KeyNotFound(ApiKeyId),
    /// The person has no such passkey.
    #[error("passkey {0} is not there")]
    PasskeyNotFound(PasskeyId),
    /// The passkey is at an account already.
    #[error("the passkey is known")]
    PasskeyKnown,
    /// The person has no such session, or it has ended.
    #[error("session {0} is not there")]
    SessionNotFound(SessionId),
    /// There is no such client to look into, or the actor may not.
    #[error("the actor may not look into that client")]
    ElevationRefused,
    /// There is no such file, or its ticket is not to be seen.
    #[error("file {0} is not there")]
    FileNotFound(AttachmentId),
    /// A file is not taken.
    #[error("the file breaks {} rules", .0.len())]
    UploadRefused(Vec<FieldError>),
    /// Files cannot be examined.
    #[error("files cannot be examined")]
    ScannerUnavailable,
}

impl Fault for AccountError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::StepUpRequired
            | Self::SecondFactorOwed
            | Self::FactorRefused
            | Self::LinkRefused
            | Self::SiteMissing
            | Self::HandsetRefused
            | Self::HandsetBound
            | Self::ElevationRefused => FaultKind::Forbidden,
            Self::FactorLimited { .. } => FaultKind::Limited,
            Self::PasswordRefused(_)
            | Self::InvalidAccount(_)
            | Self::InvalidUser(_)
            | Self::InvalidKey(_)
            | Self::UploadRefused(_) => FaultKind::Invalid,
            Self::RefreshRefused => FaultKind::Unauthenticated,
            Self::UserNotFound(_)
            | Self::GroupNotFound(_)
            | Self::KeyNotFound(_)
            | Self::PasskeyNotFound(_)
            | Self::SessionNotFound(_)
            | Self::FileNotFound(_) => FaultKind::NotFound,
            Self::LastAdministrator | Self::PasskeyKnown => FaultKind::Conflict,
            Self::ScannerUnavailable => FaultKind::Unavailable,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::StepUpRequired => "step-up-required",
            Self::SecondFactorOwed => "second-factor-owed",
            Self::FactorRefused => "factor-refused",
            Self::FactorLimited { .. } => "factor-limited",
            Self::LinkRefused => "link-refused",
            Self::PasswordRefused(_) => "password-refused",
            Self::InvalidAccount(_) => "invalid-account",
            Self::SiteMissing => "site-missing",
            Self::HandsetRefused => "handset-refused",
            Self::HandsetBound => "handset-bound",
            Self::RefreshRefused => "refresh-refused",
            Self::UserNotFound(_) => "user-not-found",
            Self::GroupNotFound(_) => "group-not-found",
            Self::InvalidUser(_) => "invalid-user",
            Self::LastAdministrator => "last-administrator",
            Self::InvalidKey(_) => "invalid-key",
            Self::KeyNotFound(_) => "key-not-found",
            Self::PasskeyNotFound(_) => "passkey-not-found",
            Self::PasskeyKnown => "passkey-known",
            Self::SessionNotFound(_) => "session-not-found",
            Self::ElevationRefused => "elevation-refused",
            Self::FileNotFound(_) => "file-not-found",
            Self::UploadRefused(_) => "upload-refused",
            Self::ScannerUnavailable => "scanner-unavailable",
        }
    }

    fn public(&self) -> Cow<'static, str> {
        match self {
            Self::StepUpRequired => "Prove again who you are, then repeat.",
            Self::SecondFactorOwed => "Set a second factor up first.",
            Self::FactorRefused => "That is not right. Try again.",
            Self::FactorLimited { .. } => "Too many attempts. Wait, then try again.",
            Self::LinkRefused => "This link was used or has ended. Ask for another.",
            Self::PasswordRefused(_)
            | Self::InvalidAccount(_)
            | Self::InvalidUser(_)
            | Self::InvalidKey(_)
            | Self::UploadRefused(_) => "Correct the named fields.",
            Self::SiteMissing => "You see no site. Ask an administrator.",
            Self::HandsetRefused => "This handset is not one of your company's. Ask an administrator.",
            Self::HandsetBound => "You work with another handset. Sign out there first.",
            Self::RefreshRefused => "Sign in again.",
            Self::UserNotFound(_) => "There is no such person.",
            Self::GroupNotFound(_) => "There is no such group.",
            Self::LastAdministrator => "Somebody must administer. Give that to somebody else first.",
            Self::KeyNotFound(_) => "There is no such key.",
            Self::PasskeyNotFound(_) => "There is no such passkey.",
            Self::PasskeyKnown => "This passkey is known already.",
            Self::SessionNotFound(_) => "There is no such session.",
            Self::ElevationRefused => "There is no such client, or you may not look into it.",
            Self::FileNotFound(_) => "There is no such file.",
            Self::ScannerUnavailable => "Files cannot be examined at this moment. Try again shortly.",
        }
        .into()
    }

    fn fields(&self) -> &[FieldError] {
        if let Self::PasswordRefused(fields)
        | Self::InvalidAccount(fields)
        | Self::InvalidUser(fields)
        | Self::InvalidKey(fields)
        | Self::UploadRefused(fields) = self
        {
            fields
        } else {
            &[]
        }
    }

    fn retry_after_seconds(&self) -> Option<u64> {
        if let Self::FactorLimited { retry_after_seconds } = self {
            Some(*retry_after_seconds)
        } else {
            (self.kind() == FaultKind::Unavailable).then_some(SCANNER_RETRY_SECONDS)
        }
    }
}
