//! Who calls: the credential a client sends, exchanged at auth for a signed identity.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{self, AUTHORIZATION, COOKIE};
use anyhow::{Context, bail};
use api::headers::INTERNAL_KEY;
use api::{IdentityRequest, IdentityResponse};
use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Body, Client, Method, Request, Response, StatusCode, Url};
use service::Clock;
use tokio::time::timeout;

use crate::cookies;
use crate::identity_cache::{Entry, IdentityCache, Lookup, SignedIdentity};
use crate::pulse::Pulse;
use crate::refusal::Refusal;
use crate::send::{Repeat, send};
use crate::upstreams::Upstream;
use crate::visit::Cause;

/// The largest answer auth may give.
const ANSWER_BYTES_MAX: u64 = 65_536;

/// What a service says to who does not show the internal key.
const INTERNAL_ONLY: &str = "internal-only";

/// An identity is not forwarded in its last second: it has a way to go.
const EXPIRY_MARGIN_SECONDS: i64 = 1;

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
    /// Longest use of an answer.
    pub(crate) cache: Duration,
}

/// Exchanges credentials for identities.
pub(crate) struct Identities {
    pub(crate) auth: Arc<Upstream>,
    pub(crate) cache: Arc<IdentityCache>,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) internal_key: HeaderValue,
    pub(crate) clock: Clock,
    pub(crate) limits: IdentityLimits,
}

impl Identities {
    /// Finds who sent the credential; `None` when it is nobody's. `cause` goes along when auth is asked.
    pub(crate) async fn identify(
        &self,
        client: &Client,
        credential: Credential<'_>,
        cause: &Cause,
    ) -> Result<Option<Arc<SignedIdentity>>, Refusal> {
        let Some(token) = credential.token() else {
            return Ok(None);
        };
        let answer = timeout(self.limits.timeout, self.exchange(client, token, cause)).await;
        answer.context("auth took too long").and_then(std::convert::identity).map_err(Refusal::AuthUnavailable)
    }

    /// The cache is used only while auth would tell that an entry in it is dead.
    async fn exchange(
        &self,
        client: &Client,
        token: &str,
        cause: &Cause,
    ) -> anyhow::Result<Option<Arc<SignedIdentity>>> {
        if !self.pulse.is_felt() {
            return Ok(self.ask(client, token, cause).await?.identity);
        }
        match self.cache.look_up(token).await {
            Lookup::Known(entry) => Ok(entry.identity),
            Lookup::Unknown(vacancy) => {
                let entry = self.ask(client, token, cause).await?;
                vacancy.fill(entry.clone());
                Ok(entry.identity)
            }
        }
    }

    async fn ask(&self, client: &Client, token: &str, cause: &Cause) -> anyhow::Result<Entry> {
        metrics::counter!("gateway_identity_exchanges_total").increment(1);
        let _place = self.auth.admit().context("auth holds as many requests as it may")?;
        let question = serde_json::to_vec(&IdentityRequest { token: token.to_owned() }).context("writing the question")?;
        let answer = send(client, &self.auth, Repeat::WhenBroken, |address| {
            let url = Url::parse(&format!("{}/internal/identity", address.origin()))?;
            let mut request = Request::new(Method::POST, url);
            cause.apply(request.headers_mut());
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            request.headers_mut().insert(INTERNAL_KEY, self.internal_key.clone());
            *request.body_mut() = Some(Body::from(question.clone()));
            Ok(request)
        })
        .await?;
        match answer.status() {
            StatusCode::OK => self.read(answer).await,
            StatusCode::UNAUTHORIZED if is_about_us(answer).await? => bail!("auth does not accept the internal key"),
            StatusCode::UNAUTHORIZED => Ok(Entry::new(None, self.limits.cache)),
            other => bail!("auth answered {other}"),
        }
    }

    async fn read(&self, answer: Response) -> anyhow::Result<Entry> {
        let answer: IdentityResponse = serde_json::from_slice(&body(answer).await?).context("reading auth's answer")?;
        let expires_at = i64::try_from(answer.expires_at).context("auth's answer never expires")?;
        let seconds_left = expires_at.saturating_sub(self.clock.now().as_second()).saturating_sub(EXPIRY_MARGIN_SECONDS);
        let lifetime = Duration::from_secs(u64::try_from(seconds_left).unwrap_or(0));
        let identity = SignedIdentity::new(&answer).context("auth's answer cannot stand in a header")?;
        Ok(Entry::new(Some(Arc::new(identity)), lifetime.min(self.limits.cache)))
    }
}

/// Whether a refusal is about the gateway and not about the token: then nobody is known, instead of everybody nobody.
async fn is_about_us(answer: Response) -> anyhow::Result<bool> {
    let problem: api::Problem = serde_json::from_slice(&body(answer).await?).context("reading auth's refusal")?;
    Ok(problem.code() == INTERNAL_ONLY)
}

async fn body(answer: Response) -> anyhow::Result<Bytes> {
    if answer.content_length().is_none_or(|length| length > ANSWER_BYTES_MAX) {
        bail!("auth answered without a length or more than {ANSWER_BYTES_MAX} bytes");
    }
    answer.bytes().await.context("receiving auth's answer")
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
