//! The cookies: of a session, of a sign-in that owes a factor, of a browser that is known.

use std::time::Duration;

use actix_web::http::header::{HeaderValue, InvalidHeaderValue};
use api::headers::{DEVICE_COOKIE, SESSION_COOKIE, STEP_COOKIE};

use crate::token::SessionToken;

/// What keeps the cookie to this host, to TLS, and away from scripts and foreign forms.
const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Lax";

/// The same for what no link from elsewhere is to carry.
const STRICT: &str = "Path=/; Secure; HttpOnly; SameSite=Strict";

/// Gives the cookie of a session; it ends with the browser.
pub(crate) fn give(token: &SessionToken) -> Result<HeaderValue, InvalidHeaderValue> {
    HeaderValue::try_from(format!("{SESSION_COOKIE}={}; {ATTRIBUTES}", token.text()))
}

/// Takes the cookie of a session away.
pub(crate) fn take() -> Result<HeaderValue, InvalidHeaderValue> {
    HeaderValue::try_from(format!("{SESSION_COOKIE}=; {ATTRIBUTES}; Max-Age=0"))
}

/// Gives the cookie of a sign-in that owes a factor.
pub(crate) fn give_step(token: &SessionToken, lifetime: Duration) -> Result<HeaderValue, InvalidHeaderValue> {
    let seconds = lifetime.as_secs();
    HeaderValue::try_from(format!("{STEP_COOKIE}={}; {STRICT}; Max-Age={seconds}", token.text()))
}

/// Takes the cookie of a sign-in away.
pub(crate) fn take_step() -> Result<HeaderValue, InvalidHeaderValue> {
    HeaderValue::try_from(format!("{STEP_COOKIE}=; {STRICT}; Max-Age=0"))
}

/// Gives the cookie of a browser that is known from here on.
pub(crate) fn give_device(
    token: &SessionToken,
    lifetime: Duration,
) -> Result<HeaderValue, InvalidHeaderValue> {
    let seconds = lifetime.as_secs();
    HeaderValue::try_from(format!("{DEVICE_COOKIE}={}; {STRICT}; Max-Age={seconds}", token.text()))
}
