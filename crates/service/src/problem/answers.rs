//! What the server and the proxy answer themselves.

use actix_web::http::StatusCode;
use domain::Capability;

use super::{INTERNAL_TEXT, Problem};

/// What the server itself answers; use cases have faults of their own.
impl Problem {
    /// Nothing is served at this address.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, code("not-found"), "There is nothing at this address.")
    }

    /// The address exists, but not for this method.
    pub fn method_not_allowed() -> Self {
        let detail = "This address does not take this method; `Allow` names those it takes.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, code("method-not-allowed"), detail)
    }

    /// The request cannot be read.
    pub fn malformed_request() -> Self {
        Self::new(StatusCode::BAD_REQUEST, code("malformed-request"), "The request cannot be read.")
    }

    /// The body cannot be read as what the address takes.
    pub fn malformed_body() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            code("malformed-body"),
            "The body does not have the form this address takes.",
        )
    }

    /// The query cannot be read as what the address takes.
    pub fn malformed_query() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            code("malformed-query"),
            "The query does not have the form this address takes.",
        )
    }

    /// A part of the path is not what stands there, so nothing can be there.
    pub fn malformed_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, code("malformed-path"), "There is nothing at this address.")
    }

    /// The body's media type is not taken here.
    pub fn unsupported_media_type() -> Self {
        let detail = "This address does not take a body of this media type.";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, code("unsupported-media-type"), detail)
    }

    /// The body is larger than the limit.
    pub fn body_too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            code("body-too-large"),
            "The body is larger than this address takes.",
        )
    }

    /// The request asks for another protocol on the connection.
    pub fn upgrade_refused() -> Self {
        let detail = "This address speaks plain HTTP only; send the request without `Upgrade`.";
        Self::new(StatusCode::BAD_REQUEST, code("upgrade-refused"), detail)
    }

    /// Nobody is signed in, or not any more.
    pub fn sign_in_required() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code("sign-in-required"), "Sign in first.")
    }

    /// The person lacks a capability, or the client has not bought it.
    pub fn capability_missing(capability: Capability) -> Self {
        let detail = format!("This needs the capability {capability}.");
        Self::new(StatusCode::FORBIDDEN, code("forbidden"), detail)
    }

    /// The client demands a second factor, and the person has none.
    pub fn second_factor_owed() -> Self {
        Self::new(StatusCode::FORBIDDEN, code("second-factor-owed"), "Set a second factor up first.")
    }

    /// Who looks into another client changes nothing.
    pub fn elevation_reads_only() -> Self {
        let detail = "While you look into another client you can only read there. End that first.";
        Self::new(StatusCode::FORBIDDEN, code("elevation-reads-only"), detail)
    }

    /// A key of a program has no account of its own.
    pub fn person_required() -> Self {
        let detail = "This is for a person who is signed in; a key does what it was given and no more.";
        Self::new(StatusCode::FORBIDDEN, code("person-required"), detail)
    }

    /// The address is for our own processes.
    pub fn internal_only() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            code("internal-only"),
            "This address is for the system's own processes.",
        )
    }

    /// The time for the request is over.
    pub fn deadline_exceeded() -> Self {
        let detail =
            "The answer was not ready in time. It may still have been carried out: read before you repeat.";
        Self::new(StatusCode::GATEWAY_TIMEOUT, code("deadline-exceeded"), detail)
    }

    /// The body arrived slower than the limit.
    pub fn body_too_slow() -> Self {
        let detail = "The body arrived too slowly; send it again in one go.";
        Self::new(StatusCode::REQUEST_TIMEOUT, code("body-too-slow"), detail)
    }

    /// The process behind this one did not answer in time.
    pub fn upstream_timeout() -> Self {
        let detail = "A part of the system did not answer in time. It may still have been carried out: read before you repeat.";
        Self::new(StatusCode::GATEWAY_TIMEOUT, code("upstream-timeout"), detail)
    }

    /// The process behind this one gave no usable answer.
    pub fn upstream_failed() -> Self {
        let detail = "A part of the system did not answer as it should.";
        Self::new(StatusCode::BAD_GATEWAY, code("upstream-failed"), detail)
    }

    /// The process behind this one cannot be reached; nothing was carried out.
    pub fn upstream_unavailable() -> Self {
        let detail = "A part of the system cannot be reached. Nothing was carried out; try again.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code("upstream-unavailable"), detail)
    }

    /// A mistake of ours; its cause goes to the log.
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, code("internal"), INTERNAL_TEXT)
    }
}

/// Marks a problem code, so that `xtask tidy` finds it.
const fn code(code: &'static str) -> &'static str {
    code
}
