//! Limits that hold before a handler is asked.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Data;

use super::arrival::Exposure;
use crate::listener::Audience;
use crate::problem::Decorate;
use crate::{HttpSettings, Problem};

/// The limits of a listener.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) body_bytes_max: usize,
    pub(crate) request_timeout: Duration,
    pub(crate) exposure: Exposure,
    pub(crate) decorate: Option<Decorate>,
    pub(crate) takes_upgrades: bool,
}

impl Limits {
    const NOTHING: Self = Self {
        body_bytes_max: 0,
        request_timeout: Duration::ZERO,
        exposure: Exposure::Public,
        decorate: None,
        takes_upgrades: false,
    };

    /// The limits as settings give them.
    pub(crate) fn new(settings: &HttpSettings, audience: &Audience) -> Self {
        Self {
            body_bytes_max: settings.body_bytes_max,
            request_timeout: Duration::from_millis(settings.request_timeout_ms),
            exposure: audience.exposure,
            decorate: audience.decorate,
            takes_upgrades: audience.entrance.takes_upgrades,
        }
    }

    /// The limits of the listener a request came in by; nothing is allowed where none are set.
    pub(crate) fn of(request: &HttpRequest) -> Self {
        let known = request.app_data::<Data<Self>>().map(|limits| ***limits);
        known.unwrap_or(Self::NOTHING)
    }

    /// Refuses a WebSocket, whose body would never end, unless the handler takes them, and an announced body over the
    /// limit.
    pub(super) fn admit(&self, request: &ServiceRequest) -> Result<(), Problem> {
        let upgrade = request.headers().get(header::UPGRADE).map(HeaderValue::as_bytes);
        let is_websocket =
            upgrade.is_some_and(|protocol| protocol.trim_ascii().eq_ignore_ascii_case(b"websocket"));
        if is_websocket && !self.takes_upgrades {
            return Err(Problem::upgrade_refused());
        }
        let Some(announced) = request.headers().get(header::CONTENT_LENGTH) else { return Ok(()) };
        match announced.to_str().ok().and_then(|text| text.parse::<usize>().ok()) {
            None => Err(Problem::malformed_request()),
            Some(bytes) if bytes > self.body_bytes_max => Err(Problem::body_too_large()),
            Some(_) => Ok(()),
        }
    }
}
