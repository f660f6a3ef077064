//! Who calls: the credential a client sends, exchanged at auth for a signed identity.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::http::header::{self, AUTHORIZATION, COOKIE};
use anyhow::{Context, anyhow, bail};
use api::headers::INTERNAL_KEY;
use api::{IdentityRequest, IdentityResponse};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Collected, Limited};
use service::Clock;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::body::OutgoingBody;
use crate::client::{Answer, UpstreamClient};
use crate::cookies;
use crate::identity_cache::{Entry, IdentityCache, Lookup, SignedIdentity};
use crate::proof::is_safe;
use crate::pulse::Pulse;
use crate::rate::Buckets;
use crate::refusal::Refusal;
use crate::send::{Manner, Repeat, send};
use crate::upstreams::Upstream;
use crate::visit::{Cause, Visit};

/// The largest answer auth may give.
const ANSWER_BYTES_MAX: usize = 65_536;

/// Where auth exchanges tokens.
const EXCHANGE_PATH: &str = "/internal/identity";

/// What a service says to who does not show the internal key.
const INTERNAL_ONLY: &str = "internal-only";

/// An identity is not forwarded in its last second: it has a way to go.
const EXPIRY_MARGIN_SECONDS: u64 = 1;

/// How much longer a caller waits than the question itself may take, so that it is the question that is found too slow.
const SLACK: Duration = Duration::from_millis(50);

/// What a client sends to be recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credential<'a> {
    /// `Authorization: Bearer`: no browser sends it by itself.
    Bearer(&'a str),
    /// The session cookie.
    Session(&'a str),
    /// Nothing.
    Nothing,
}

impl<'a> Credential<'a> {
    /// Finds the credential of a request.
    pub(crate) fn of(request: &'a HttpRequest) -> Self {
        let headers = request.headers();
        if let Some(token) = headers.get(AUTHORIZATION).and_then(|value| bearer(value.as_bytes())) {
            return Self::Bearer(token);
        }
        let lines = headers.get_all(COOKIE).map(header::HeaderValue::as_bytes);
        cookies::session(lines).map_or(Self::Nothing, Self::Session)
    }

    fn token(self) -> Option<&'a str> {
        match self {
            Self::Bearer(token) | Self::Session(token) => Some(token),
            Self::Nothing => None,
        }
    }
}

fn bearer(value: &[u8]) -> Option<&str> {
    let (scheme, token) = std::str::from_utf8(value).ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && cookies::is_credential(token)).then_some(token)
}

/// How auth is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IdentityLimits {
    /// Longest wait for auth's answer.
    pub(crate) timeout: Duration,
    /// Longest use of an answer, and how long after auth's last sign of life reads go on.
    pub(crate) cache: Duration,
    /// Pause before an auth that did not answer is asked again by who can go on without.
    pub(crate) pause: Duration,
}

/// Exchanges credentials for identities.
pub(crate) struct Identities {
    pub(crate) auth: Arc<Upstream>,
    /// Questions that may be under way: apart from the places of proxied requests, which anybody can take.
    pub(crate) places: Semaphore,
    /// What each client may cost by credentials that are nobody's.
    pub(crate) refusals: Buckets,
    pub(crate) cache: Arc<IdentityCache>,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) internal_key: HeaderValue,
    pub(crate) clock: Clock,
    pub(crate) limits: IdentityLimits,
    pub(crate) grace: Grace,
}

impl Identities {
    /// Finds whose credential a request carries; `None` when it is nobody's.
    pub(crate) async fn identify(
        &self,
        client: &UpstreamClient,
        visit: &Visit<'_>,
    ) -> Result<Option<Arc<SignedIdentity>>, Refusal> {
        let Some(token) = visit.credential.token() else {
            return Ok(None);
        };
        let recalled = self.recall(token, visit);
        if recalled.is_some() && self.grace.holds() {
            return Ok(recalled);
        }
        let exchange = timeout(self.limits.timeout + SLACK, self.exchange(client, token, visit)).await;
        let known = exchange.context("auth took too long").map_err(Refusal::AuthUnavailable).flatten();
        match (known, recalled) {
            (Err(Refusal::AuthUnavailable(error)), Some(identity)) => {
                tracing::debug!(error.chain = format!("{error:#}"), "a read goes on while auth is away");
                self.grace.begin(self.limits.pause);
                Ok(Some(identity))
            }
            (known, _recalled) => known,
        }
    }

    /// Who it was when auth could be asked, while nobody tells about ended sessions: good for reads alone, and for a
    /// moment only (`docs/adr/0016-reads-while-auth-is-away.md`).
    fn recall(&self, token: &str, visit: &Visit<'_>) -> Option<Arc<SignedIdentity>> {
        let is_in_question = !self.pulse.is_felt() && self.pulse.was_felt_within(self.limits.cache);
        (is_in_question && is_safe(visit.request.method())).then(|| self.cache.recall(token)).flatten()
    }

    /// The cache is used only while auth would tell that an entry in it is dead.
    async fn exchange(
        &self,
        client: &UpstreamClient,
        token: &str,
        visit: &Visit<'_>,
    ) -> Result<Option<Arc<SignedIdentity>>, Refusal> {
        if !self.pulse.is_felt() {
            return Ok(Box::pin(self.ask_for(client, token, visit)).await?.identity);
        }
        match self.cache.look_up(token).await {
            Lookup::Known(entry) => Ok(entry.identity),
            Lookup::Unknown(vacancy) => {
                let entry = Box::pin(self.ask_for(client, token, visit)).await?;
                vacancy.fill(entry.clone());
                Ok(entry.identity)
            }
        }
    }

    /// Asks for a client that did not show too many credentials of nobody. Asked at once, it may show more of them: as
    /// many as there are places.
    async fn ask_for(
        &self,
        client: &UpstreamClient,
        token: &str,
        visit: &Visit<'_>,
    ) -> Result<Entry, Refusal> {
        self.refusals.look(visit.client.address)?;
        let entry = self.ask(client, token, &visit.cause).await.map_err(Refusal::AuthUnavailable)?;
        if entry.identity.is_none() {
            self.refusals.take(visit.client.address)?;
        }
        Ok(entry)
    }

    async fn ask(&self, client: &UpstreamClient, token: &str, cause: &Cause) -> anyhow::Result<Entry> {
        metrics::counter!("gateway_identity_exchanges_total").increment(1);
        let _place = self.places.try_acquire().context("taking a place for a question to auth")?;
        let question = serde_json::to_vec(&IdentityRequest { token: token.to_owned() })
            .context("writing the question")?;
        let question = Bytes::from(question);
        let deadline = tokio::time::Instant::now() + self.limits.timeout;
        let manner = Manner { repeat: Repeat::WhenBroken, deadline };
        let answer = send(client, &self.auth, manner, || {
            let mut request = Request::new(OutgoingBody::Whole(question.clone()));
            *request.method_mut() = Method::POST;
            *request.uri_mut() = Uri::from_static(EXCHANGE_PATH);
            cause.apply(request.headers_mut());
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            request.headers_mut().insert(INTERNAL_KEY, self.internal_key.clone());
            Ok(request)
        })
        .await?;
        match answer.status() {
            StatusCode::OK => self.read(answer).await,
            StatusCode::UNAUTHORIZED if is_about_us(answer).await? => {
                bail!("auth does not accept the internal key")
            }
            StatusCode::UNAUTHORIZED => Ok(Entry::new(None, self.limits.cache, self.limits.cache)),
            other => bail!("auth answered {other}"),
        }
    }

    async fn read(&self, answer: Answer) -> anyhow::Result<Entry> {
        let answer: IdentityResponse =
            serde_json::from_slice(&body(answer).await?).context("reading auth's answer")?;
        let identity = SignedIdentity::new(&answer).context("reading who it is")?;
        let left = seconds_left(answer.expires_at, self.clock.now().as_second());
        Ok(Entry::new(Some(Arc::new(identity)), self.limits.cache, Duration::from_secs(left)))
    }
}

/// Whether auth was asked in vain a moment ago, so that who can go on without need not wait for it again.
#[derive(Debug)]
pub(crate) struct Grace {
    started: Instant,
    /// Milliseconds since the start.
    until: AtomicU64,
}

impl Grace {
    /// Auth was not asked yet.
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), until: AtomicU64::new(0) }
    }

    fn holds(&self) -> bool {
        self.elapsed_ms() < self.until.load(Ordering::Acquire)
    }

    fn begin(&self, pause: Duration) {
        let pause = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        self.until.store(self.elapsed_ms().saturating_add(pause), Ordering::Release);
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// For how long an identity may still be kept.
fn seconds_left(expires_at: u64, now: i64) -> u64 {
    let now = u64::try_from(now).unwrap_or(0);
    expires_at.saturating_sub(now).saturating_sub(EXPIRY_MARGIN_SECONDS)
}

/// Whether a refusal is about the gateway and not about the token: then nobody is known, instead of everybody nobody.
async fn is_about_us(answer: Answer) -> anyhow::Result<bool> {
    let problem: api::Problem =
        serde_json::from_slice(&body(answer).await?).context("reading auth's refusal")?;
    Ok(problem.code() == INTERNAL_ONLY)
}

async fn body(answer: Answer) -> anyhow::Result<Bytes> {
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
    body.map(Collected::to_bytes).map_err(|error| anyhow!(error)).context("receiving auth's answer")
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn credential(headers: &[(&'static str, &str)]) -> String {
        let mut request = TestRequest::get();
        for header in headers {
            request = request.append_header(*header);
        }
        format!("{:?}", Credential::of(&request.to_http_request()))
    }

    #[test]
    fn an_identity_is_not_kept_past_its_end() {
        assert_eq!(seconds_left(1_060, 1_000), 59);
        assert_eq!(seconds_left(1_001, 1_000), 0);
        assert_eq!(seconds_left(999, 1_000), 0);
    }

    #[test]
    fn a_bearer_token_goes_before_a_cookie() {
        let cookie = ("cookie", "__Host-session=c");
        assert_eq!(credential(&[]), "Nothing");
        assert_eq!(credential(&[cookie]), "Session(\"c\")");
        assert_eq!(credential(&[cookie, ("authorization", "Bearer b")]), "Bearer(\"b\")");
        assert_eq!(credential(&[("authorization", "bearer  b ")]), "Bearer(\"b\")");
        assert_eq!(credential(&[cookie, ("authorization", "Basic b")]), "Session(\"c\")");
        assert_eq!(credential(&[("authorization", "Bearer a b")]), "Nothing");
        assert_eq!(credential(&[("authorization", "Bearer ")]), "Nothing");
    }
}
