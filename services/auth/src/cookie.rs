//! The session cookie, given and taken.

use actix_web::http::header::{HeaderValue, InvalidHeaderValue};
use api::headers::SESSION_COOKIE;

use crate::token::SessionToken;

/// What keeps the cookie to this host, to TLS, and away from scripts and foreign forms.
const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Lax";

/// Gives the cookie; it ends with the browser.
pub(crate) fn give(token: &SessionToken) -> Result<HeaderValue, InvalidHeaderValue> {
    HeaderValue::try_from(format!("{SESSION_COOKIE}={}; {ATTRIBUTES}", token.text()))
}

/// Takes the cookie away.
pub(crate) fn take() -> Result<HeaderValue, InvalidHeaderValue> {
    HeaderValue::try_from(format!("{SESSION_COOKIE}=; {ATTRIBUTES}; Max-Age=0"))
}
