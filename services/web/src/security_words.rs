//! What security events are called.

use domain::security::SecurityEventKind as Kind;

use crate::words::{Words, words};

/// The words for an event: green for what opened something, red for what was turned away, amber for what an owner should
/// have done themselves.
pub(crate) fn event(kind: Kind) -> Words {
    match kind {
        Kind::SignInSucceeded => words("green", "state-resolved", "Signed in"),
        Kind::SignInFailed => words("red", "alert", "Sign-in refused"),
        Kind::SignInLimited => words("red", "task-delayed", "Too many sign-ins"),
        Kind::SignedOut => words("grey", "leave", "Signed out"),
        Kind::SessionRevoked => words("amber", "screen", "Session ended"),
        Kind::PasswordChanged => words("amber", "lock", "Password changed"),
        Kind::ResetAsked => words("grey", "event-mailed", "New password asked for"),
        Kind::ResetDone => words("amber", "lock", "New password by link"),
        Kind::EmailVerified => words("green", "event-mailed", "Address confirmed"),
        Kind::FactorAdded => words("green", "phone", "Second step added"),
        Kind::FactorRemoved => words("amber", "phone", "Second step removed"),
        Kind::FactorFailed => words("red", "phone", "Second step refused"),
        Kind::RecoveryCodeUsed => words("amber", "key", "Recovery code used"),
        Kind::StepUpDone => words("green", "shield", "Proved again"),
        Kind::RefreshReused => words("red", "task-buried", "Stolen token used"),
        Kind::TokenIssued => words("green", "phone", "Telephone signed in"),
        Kind::HandsetRefused => words("red", "phone", "Telephone refused"),
        Kind::KeyMade => words("blue", "key", "Key made"),
        Kind::KeyRevoked => words("amber", "key", "Key revoked"),
        Kind::RightsChanged => words("blue", "people", "Rights changed"),
        Kind::ElevationBegun => words("violet", "look", "Support came in"),
        Kind::ElevationEnded => words("violet", "look", "Support left"),
        Kind::RequestBlocked => words("red", "shield", "Attack turned away"),
        Kind::RequestSuspected => words("amber", "shield", "Looks like an attack"),
        Kind::CsrfRefused => words("red", "alert", "Foreign form refused"),
        Kind::AccessRefused => words("red", "lock", "Access refused"),
        Kind::RateLimited => words("amber", "task-delayed", "Too many requests"),
        Kind::BrokerRefused => words("red", "screen", "Device refused"),
        Kind::UploadRefused => words("red", "discard", "File refused"),
    }
}
