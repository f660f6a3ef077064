//! What a page takes from the request around its own input.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use app::Error;
use domain::{Actor, Capability};
use service::{Caller, Problem};

use crate::answer;
use crate::state::State;
use crate::view::{Shell, Visitor, Zone};

/// The frame of a page for somebody who is signed in and may use pages at all; 401 and 403 without.
pub(crate) struct Frame {
    /// Around the page.
    pub(crate) shell: Shell,
    /// Who acts.
    pub(crate) actor: Actor,
    /// Unix seconds at which the person last proved who they are.
    pub(crate) proven_at: u64,
    /// Whether the person has to set up a second factor before anything else.
    pub(crate) owes_factor: bool,
}

/// The frame of a page about the reader's own account: whoever is signed in may use it, also who owes a second factor
/// and therefore may do nothing else.
pub(crate) struct OwnFrame(pub(crate) Frame);

/// The frame of a page for nobody in particular.
pub(crate) struct PublicFrame {
    /// Around the page.
    pub(crate) shell: Shell,
}

/// Whether a script asks, and for what.
#[derive(Clone, Debug, Default)]
pub(crate) struct Htmx {
    /// htmx asks.
    pub(crate) asks: bool,
    /// htmx wants a region only.
    pub(crate) region: bool,
    /// The element that asks, such as `form#move`; it may be gone after the swap.
    pub(crate) source: String,
    /// The local path of the page that asks.
    pub(crate) page: Option<String>,
}

fn header<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

fn shell(request: &HttpRequest, visitor: Option<Visitor>, zone: Zone) -> Shell {
    let text = |name| header(request, name).map_or_else(String::new, str::to_owned);
    Shell::new(text(api::headers::NONCE), text(api::headers::CSRF_TOKEN), visitor, zone)
}

impl FromRequest for Frame {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let caller = Caller::from_request(request, payload).into_inner();
        ready(caller.and_then(|caller| {
            let frame = Self::around(request, caller);
            frame.require(Capability::Web)?;
            Ok(frame)
        }))
    }
}

impl FromRequest for OwnFrame {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let caller = Caller::from_request(request, payload).into_inner();
        ready(caller.map(|caller| Self(Frame::around(request, caller))))
    }
}

impl Frame {
    fn around(request: &HttpRequest, Caller { identity, actor }: Caller) -> Self {
        let zone = Zone::named(&identity.time_zone);
        let visitor = Visitor {
            person_name: identity.person_name,
            client_name: identity.client_name,
            capabilities: identity.capabilities,
            demo: identity.demo,
            looks_into_another: identity.elevation_id.is_some(),
        };
        Self {
            shell: shell(request, Some(visitor), zone),
            actor,
            proven_at: identity.auth_time,
            owes_factor: identity.owes_factor,
        }
    }

    /// Where to prove first who sits there, when the last proof is older than a form takes it that leads to `next`.
    pub(crate) fn step_up_for(&self, state: &State, next: &str) -> Option<HttpResponse> {
        let now = u64::try_from(state.clock.now().as_second()).unwrap_or(0);
        let is_fresh = now.saturating_sub(self.proven_at) <= state.step_up.fresh_seconds;
        (!is_fresh).then(|| answer::see_other(&step_up_path(next)))
    }

    /// Refuses who lacks a capability the page is for.
    pub(crate) fn require(&self, capability: Capability) -> Result<(), Error> {
        if self.actor.may(capability) { Ok(()) } else { Err(Error::Forbidden(capability)) }
    }
}

impl FromRequest for PublicFrame {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(Ok(Self { shell: shell(request, None, Zone::UTC) }))
    }
}

impl FromRequest for Htmx {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let asks = header(request, "hx-request") == Some("true");
        ready(Ok(Self {
            asks,
            region: asks && header(request, "hx-request-type") == Some("partial"),
            source: header(request, "hx-source").unwrap_or_default().to_owned(),
            page: header(request, "hx-current-url").and_then(local_path),
        }))
    }
}

/// The page that asks who sits there, and leads on to `next`.
pub(crate) fn step_up_path(next: &str) -> String {
    format!("/step-up?{}", pair("next", next))
}

/// One pair of a query.
pub(crate) fn pair(name: &str, value: &str) -> String {
    serde_urlencoded::to_string([(name, value)]).expect("a pair of texts can be encoded")
}

/// A path of ours to go on to, or the start.
pub(crate) fn local_or_start(next: &str) -> String {
    if is_local(next) { next.to_owned() } else { "/".to_owned() }
}

/// Path and query of an absolute address.
fn local_path(address: &str) -> Option<String> {
    let (_, rest) = address.split_once("://")?;
    let (_, path) = rest.split_once('/')?;
    Some(format!("/{path}"))
}

/// Whether a path leads to a page of ours, and so may be followed after sign-in.
pub(crate) fn is_local(path: &str) -> bool {
    path.starts_with('/')
        && !path.starts_with("//")
        && path.len() <= 2_000
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_ours_are_local() {
        for path in ["/", "/tickets?state=OPEN&q=a%20b", "/tickets/1#history"] {
            assert!(is_local(path), "{path}");
        }
        for path in
            ["", "tickets", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nx: y", "/ä"]
        {
            assert!(!is_local(path), "{path:?}");
        }
    }

    #[test]
    fn the_page_that_asks_is_known_by_path_and_query() {
        assert_eq!(
            local_path("https://here.example/tickets?state=NEW").as_deref(),
            Some("/tickets?state=NEW")
        );
        assert_eq!(local_path("nonsense"), None);
    }
}
