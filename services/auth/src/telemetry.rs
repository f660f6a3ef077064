//! Names of this service's metrics.

use metrics::Unit;

/// Passwords compared with a hash, by `of`: `credential`, `nobody` for a login name that does not exist, or
/// `step-up` for somebody who is signed in.
pub(crate) const PASSWORD_VERIFICATIONS: &str = "auth_password_verifications_total";

/// How long one comparison takes, the wait for its turn left out.
pub(crate) const PASSWORD_VERIFICATION_SECONDS: &str = "auth_password_verification_seconds";

/// Ended sessions that were passed on.
pub(crate) const REVOCATIONS: &str = "auth_revocations_total";

/// Processes that read the stream of ended sessions.
pub(crate) const REVOCATION_SUBSCRIBERS: &str = "auth_revocation_subscribers";

/// Questions of gateways for tokens of requests.
pub(crate) const RATE_QUESTIONS: &str = "auth_rate_questions_total";

/// Statements that answered them: several questions share one.
pub(crate) const RATE_STATEMENTS: &str = "auth_rate_statements_total";

/// Answers to brokers, by `outcome`: `allow` or `deny`.
pub(crate) const BROKER_ANSWERS: &str = "auth_broker_answers_total";

/// Refresh tokens that came back, by `outcome`: `rotated` or `refused`.
pub(crate) const REFRESHES: &str = "auth_refreshes_total";

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
    metrics::describe_counter!(RATE_QUESTIONS, Unit::Count, "questions of gateways for tokens of requests");
    metrics::describe_counter!(RATE_STATEMENTS, Unit::Count, "statements that answered them");
    metrics::describe_counter!(BROKER_ANSWERS, Unit::Count, "answers to brokers, by outcome");
    metrics::describe_counter!(REFRESHES, Unit::Count, "refresh tokens that came back, by outcome");
    for of in ["credential", "nobody", "step-up"] {
        metrics::counter!(PASSWORD_VERIFICATIONS, "of" => of).absolute(0);
    }
}
