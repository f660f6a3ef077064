//! One request as far as the gateway knows it, and what it becomes for the upstream.

use std::cell::OnceCell;
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::http::header::{COOKIE, HeaderValue};
use domain::security::SecurityEventKind;
use http::header::{self as upstream_side, HeaderName};
use inspect::Inspector;
use service::{Problem, prefers_page};
use tokio::time::Instant;

use crate::caller::Caller;
use crate::client_address::Client;
use crate::cookies;
use crate::csrf::Subject;
use crate::gate::Gate;
use crate::headers;
use crate::identity::Credential;
use crate::identity_cache::SignedIdentity;
use crate::proxy::{AnswerLimits, Onward};
use crate::refusal::Refusal;
use crate::routes::{Line, Route};
use crate::security_headers::Nonce;
use crate::settings::AUTH;
use crate::snapshot::Snapshot;
use crate::spool::Sighting;

const CLIENT_ADDRESS: HeaderName = HeaderName::from_static(api::headers::CLIENT_ADDRESS);
const DEVICE: HeaderName = HeaderName::from_static(api::headers::DEVICE);
const STEP: HeaderName = HeaderName::from_static(api::headers::STEP);
const CORRELATION_ID: HeaderName = HeaderName::from_static(api::headers::CORRELATION_ID);
const CSRF_TOKEN: HeaderName = HeaderName::from_static(api::headers::CSRF_TOKEN);
const DEADLINE_MS: HeaderName = HeaderName::from_static(api::headers::DEADLINE_MS);
const INTERNAL_KEY: HeaderName = HeaderName::from_static(api::headers::INTERNAL_KEY);
const NONCE: HeaderName = HeaderName::from_static(api::headers::NONCE);
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The upstream that writes the pages.
const WEB: &str = "web";

/// What ties a call to the request that causes it.
#[derive(Clone, Debug)]
pub(crate) struct Cause {
    correlation_id: upstream_side::HeaderValue,
    traceparent: Option<upstream_side::HeaderValue>,
}

impl Cause {
    fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let correlation_id = service::correlation_id(request).to_string();
        let traceparent = service::traceparent().map(upstream_side::HeaderValue::try_from).transpose();
        Ok(Self {
            correlation_id: upstream_side::HeaderValue::try_from(correlation_id).map_err(unfit)?,
            traceparent: traceparent.map_err(unfit)?,
        })
    }

    /// Adds it to a call's headers.
    pub(crate) fn apply(&self, headers: &mut upstream_side::HeaderMap) {
        headers.insert(CORRELATION_ID, self.correlation_id.clone());
        if let Some(traceparent) = &self.traceparent {
            headers.insert(TRACEPARENT, traceparent.clone());
        }
    }
}

/// What ties the forms of somebody who is not signed in to their browser.
#[derive(Clone, Debug)]
enum Mark<'a> {
    /// The browser sent it.
    Sent(&'a str),
    /// It leaves with this answer.
    New(String),
    /// A page would be needed to leave one.
    None,
}

/// One request at the door.
pub(crate) struct Visit<'a> {
    pub(crate) request: &'a HttpRequest,
    snapshot: &'a Snapshot,
    pub(crate) route: &'a Route,
    pub(crate) template: &'a Arc<str>,
    pub(crate) inspector: Option<&'a Inspector>,
    /// Who it is, once auth has said so.
    pub(crate) identity: OnceCell<Arc<SignedIdentity>>,
    pub(crate) credential: Credential<'a>,
    pub(crate) cause: Cause,
    pub(crate) client: Client,
    mark: Mark<'a>,
    deadline: Instant,
}

impl<'a> Visit<'a> {
    /// Finds route, client and credential of a guarded request.
    pub(crate) fn receive(
        request: &'a HttpRequest,
        gate: &'a Gate,
        snapshot: &'a Snapshot,
    ) -> Result<Self, Problem> {
        let table = &snapshot.table;
        let Line { route, template } = table.routes.find(request.path()).ok_or_else(Problem::not_found)?;
        service::name_route(request, Arc::clone(template));
        let client = gate.client_of(request)?;
        if !route.admits(client) {
            return Err(Problem::not_found());
        }
        let credential = Credential::of(request);
        Ok(Self {
            request,
            snapshot,
            route,
            template,
            inspector: table.inspectors.find(request.path()),
            identity: OnceCell::new(),
            credential,
            cause: Cause::of(request)?,
            client,
            mark: mark(request, credential)?,
            deadline: Instant::now() + gate.upstream_timeout,
        })
    }

    /// Who sends requests, as far as limits are concerned.
    pub(crate) fn caller(&self) -> Caller {
        self.identity.get().map_or_else(|| Caller::of_network(self.client.address), |who| who.caller)
    }

    /// What the security log is to know about it.
    pub(crate) fn sighting(&self, kind: SecurityEventKind, detail: serde_json::Value) -> Sighting {
        let identity = self.identity.get();
        Sighting {
            kind,
            address: self.client.address,
            route: Some(Arc::clone(self.template)),
            correlation_id: service::correlation_id(self.request),
            client_id: identity.and_then(|identity| identity.client_id),
            person_id: identity.and_then(|identity| identity.person_id),
            session_id: identity.map(|identity| identity.session_id),
            detail,
        }
    }

    /// What the request's CSRF token is bound to.
    pub(crate) fn subject(&self) -> Option<Subject<'_>> {
        match (self.credential, &self.mark) {
            (Credential::Session(token), _) => Some(Subject::Session(token)),
            (Credential::Nothing, Mark::Sent(mark)) => Some(Subject::Visitor(mark)),
            (Credential::Nothing, Mark::New(mark)) => Some(Subject::Visitor(mark)),
            (Credential::Nothing, Mark::None) | (Credential::Bearer(_), _) => None,
        }
    }

    /// The mark to leave with the browser.
    pub(crate) fn new_mark(&self) -> Option<&str> {
        match &self.mark {
            Mark::New(mark) => Some(mark),
            Mark::Sent(_) | Mark::None => None,
        }
    }

    /// The request as the upstream shall see it.
    pub(crate) fn onward(
        &'a self,
        gate: &'a Gate,
        identity: Option<&'a SignedIdentity>,
        nonce: &'a Nonce,
    ) -> Result<Onward<'a>, Problem> {
        let upstream = self
            .snapshot
            .upstream(&self.route.upstream)
            .ok_or_else(|| Problem::internal().because("the route's upstream is not in the settings"))?;
        Ok(Onward {
            upstream,
            visit: self,
            gate,
            identity,
            nonce,
            limits: AnswerLimits {
                deadline: self.deadline,
                silence: gate.answer_silence,
                timeout: gate.answer_timeout,
            },
        })
    }

    /// The client's headers without what it says about itself, and what the gateway says about it.
    pub(crate) fn headers(
        &self,
        gate: &Gate,
        identity: Option<&SignedIdentity>,
        nonce: &Nonce,
    ) -> Result<upstream_side::HeaderMap, Problem> {
        let mut headers = headers::to_upstream(self.request.headers());
        self.cause.apply(&mut headers);
        headers.insert(INTERNAL_KEY, gate.internal_key.clone());
        headers.insert(
            CLIENT_ADDRESS,
            upstream_side::HeaderValue::try_from(self.client.address.to_string()).map_err(unfit)?,
        );
        headers.insert(NONCE, upstream_side::HeaderValue::from_str(nonce.as_str()).map_err(unfit)?);
        if let Some(subject) = self.subject() {
            let token = gate.csrf.token(subject);
            headers.insert(CSRF_TOKEN, upstream_side::HeaderValue::try_from(token).map_err(unfit)?);
        }
        if let Some(identity) = identity {
            headers.insert(SignedIdentity::HEADER, identity.header.clone());
        }
        if matches!(self.route.upstream.as_str(), AUTH | WEB) {
            self.hand_on_cookies(&mut headers)?;
        }
        let left = self.deadline.saturating_duration_since(Instant::now()).as_millis();
        headers.insert(DEADLINE_MS, u64::try_from(left).unwrap_or(u64::MAX).into());
        Ok(headers)
    }

    /// The cookies of a sign-in under way and of a known browser mean something to auth, and to web, which asks auth.
    fn hand_on_cookies(&self, headers: &mut upstream_side::HeaderMap) -> Result<(), Problem> {
        let lines = || self.request.headers().get_all(COOKIE).map(HeaderValue::as_bytes);
        for (name, value) in [(STEP, cookies::step(lines())), (DEVICE, cookies::device(lines()))] {
            if let Some(value) = value {
                let mut value = upstream_side::HeaderValue::from_str(value).map_err(unfit)?;
                value.set_sensitive(true);
                headers.insert(name, value);
            }
        }
        Ok(())
    }
}

/// Only who is not signed in needs a mark, and only a page can leave one.
fn mark<'a>(request: &'a HttpRequest, credential: Credential<'_>) -> Result<Mark<'a>, Refusal> {
    if credential != Credential::Nothing {
        return Ok(Mark::None);
    }
    if let Some(mark) = cookies::visitor(request.headers().get_all(COOKIE).map(HeaderValue::as_bytes)) {
        return Ok(Mark::Sent(mark));
    }
    if *request.method() == Method::GET && prefers_page(request) {
        return cookies::new_visitor().map(Mark::New).map_err(|_unspecified| Refusal::NoRandomness);
    }
    Ok(Mark::None)
}

/// What cannot be put into a request, though it was checked: a mistake of ours.
pub(crate) fn unfit(error: impl std::fmt::Display) -> Problem {
    Problem::internal().because(error)
}
