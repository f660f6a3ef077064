//! Names of this service's metrics.

use metrics::Unit;

/// Passwords compared with a hash, by `of`: `credential`, or `nobody` for a login name that does not exist.
pub(crate) const PASSWORD_VERIFICATIONS: &str = "auth_password_verifications_total";

/// How long one comparison takes, the wait for its turn left out.
pub(crate) const PASSWORD_VERIFICATION_SECONDS: &str = "auth_password_verification_seconds";

/// Ended sessions that were passed on.
pub(crate) const REVOCATIONS: &str = "auth_revocations_total";

/// Processes that read the stream of ended sessions.
pub(crate) const REVOCATION_SUBSCRIBERS: &str = "auth_revocation_subscribers";

/// Gives the metrics their units and descriptions.
pub(crate) fn describe() {
    metrics::describe_counter!(
        PASSWORD_VERIFICATIONS,
        Unit::Count,
        "passwords compared with a hash, by whose it is"
    );
    metrics::describe_histogram!(
        PASSWORD_VERIFICATION_SECONDS,
        Unit::Seconds,
        "how long one comparison takes"
    );
    metrics::describe_counter!(REVOCATIONS, Unit::Count, "ended sessions that were passed on");
    metrics::describe_gauge!(REVOCATION_SUBSCRIBERS, "processes that read the stream of ended sessions");
    for of in ["credential", "nobody"] {
        metrics::counter!(PASSWORD_VERIFICATIONS, "of" => of).absolute(0);
    }
}
