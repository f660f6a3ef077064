//! What is told in the log of security events.

use crate::text_enum;

text_enum! {
    /// What happened at the door, or was tried.
    SecurityEventKind {
        /// Somebody signed in.
        SignInSucceeded = "sign_in_succeeded",
        /// Somebody gave a wrong login name or password.
        SignInFailed = "sign_in_failed",
        /// Somebody tried too often.
        SignInLimited = "sign_in_limited",
        /// Somebody signed out.
        SignedOut = "signed_out",
        /// A session was ended by its owner elsewhere, or by an administrator.
        SessionRevoked = "session_revoked",
        /// A password was changed by who knew the old one.
        PasswordChanged = "password_changed",
        /// Somebody asked for a link to set a new password.
        ResetAsked = "reset_asked",
        /// A link set a new password.
        ResetDone = "reset_done",
        /// An address was proven.
        EmailVerified = "email_verified",
        /// A second factor was added.
        FactorAdded = "factor_added",
        /// A second factor was removed.
        FactorRemoved = "factor_removed",
        /// A second factor was wrong.
        FactorFailed = "factor_failed",
        /// A recovery code was used up.
        RecoveryCodeUsed = "recovery_code_used",
        /// Somebody proved again who they are.
        StepUpDone = "step_up_done",
        /// A refresh token came a second time: the session ended.
        RefreshReused = "refresh_reused",
        /// A handset got its tokens.
        TokenIssued = "token_issued",
        /// A handset was turned away.
        HandsetRefused = "handset_refused",
        /// A key for another program was made.
        KeyMade = "key_made",
        /// A key was revoked.
        KeyRevoked = "key_revoked",
        /// What somebody may do was changed.
        RightsChanged = "rights_changed",
        /// Somebody began to look into another client.
        ElevationBegun = "elevation_begun",
        /// Somebody ended looking into another client.
        ElevationEnded = "elevation_ended",
        /// A request that looks like an attack was turned away.
        RequestBlocked = "request_blocked",
        /// A request that looks like an attack was let through and noted.
        RequestSuspected = "request_suspected",
        /// A request did not prove that it comes from our pages.
        CsrfRefused = "csrf_refused",
        /// Somebody asked for what they may not have.
        AccessRefused = "access_refused",
        /// Somebody sent more requests than they may.
        RateLimited = "rate_limited",
        /// The broker asked about an account that may not.
        BrokerRefused = "broker_refused",
        /// A file was turned away.
        UploadRefused = "upload_refused",
    }
}
