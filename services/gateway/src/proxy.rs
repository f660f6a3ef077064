//! A request goes to its upstream, and the answer comes back.

use std::fmt;
use std::io;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::body::{BodyStream, BoxBody, SizedStream};
use actix_web::http::{Method, StatusCode};
use bytes::Bytes;
use http::Request;
use http::header::CONTENT_LENGTH;
use http::uri::PathAndQuery;
use http_body_util::{BodyExt, Collected};
use hyper::body::Body as _;
use service::Problem;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use crate::answer_body::pieces;
use crate::body::{Body, OutgoingBody, WholeBody};
use crate::client::{Answer, UpstreamClient};
use crate::gate::Gate;
use crate::headers;
use crate::identity_cache::SignedIdentity;
use crate::refusal::Refusal;
use crate::security_headers::Nonce;
use crate::send::{Repeat, SendError, send};
use crate::upstreams::{Address, Upstream};
use crate::visit::{Visit, unfit};

/// An answer of a known length up to this is sent with its head, in one write.
const WHOLE_BYTES_MAX: u64 = 65_536;

/// The body a client sends.
pub(crate) enum ClientBody {
    /// None.
    Nothing,
    /// One that is here already.
    Whole(WholeBody),
    /// One that is still arriving, with its length when that is known.
    Arriving(Body, Option<u64>),
}

/// A request as the upstream shall see it.
pub(crate) struct Onward<'a> {
    pub(crate) upstream: &'a Upstream,
    pub(crate) visit: &'a Visit<'a>,
    pub(crate) gate: &'a Gate,
    pub(crate) identity: Option<&'a SignedIdentity>,
    pub(crate) nonce: &'a Nonce,
    pub(crate) limits: AnswerLimits,
}

/// What an answer may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnswerLimits {
    /// When it must have begun.
    pub(crate) deadline: Instant,
    /// Longest gap inside it.
    pub(crate) silence: Duration,
    /// Longest time for the whole of it.
    pub(crate) timeout: Duration,
}

impl Onward<'_> {
    /// Sends the request and takes the answer.
    pub(crate) async fn exchange(
        &self,
        client: &UpstreamClient,
        body: ClientBody,
    ) -> Result<HttpResponse, Problem> {
        let permit = self.upstream.admit().ok_or(Refusal::UpstreamBusy)?;
        let exchange = async {
            let answer = self.send(client, body).await?;
            self.pass_back(answer, permit).await
        };
        timeout_at(self.limits.deadline, exchange).await.unwrap_or_else(|_elapsed| {
            Err(Problem::upstream_timeout().because("the answer did not begin in time"))
        })
    }

    async fn send(&self, client: &UpstreamClient, body: ClientBody) -> Result<Answer, Problem> {
        match body {
            ClientBody::Nothing => {
                let repeat =
                    if self.method().is_idempotent() { Repeat::WhenBroken } else { Repeat::WhenUnsent };
                let make = |address: &Address| self.request(address, OutgoingBody::Nothing);
                send(client, self.upstream, repeat, make).await.map_err(failed)
            }
            ClientBody::Whole(body) => {
                let make = |address: &Address| self.request(address, OutgoingBody::Whole(body.bytes.clone()));
                send(client, self.upstream, Repeat::WhenUnsent, make).await.map_err(failed)
            }
            ClientBody::Arriving(body, length) => self.send_arriving(client, body, length).await,
        }
    }

    /// Reads the client's body beside the upstream's request. An upstream may answer before it has read everything.
    async fn send_arriving(
        &self,
        client: &UpstreamClient,
        body: Body,
        length: Option<u64>,
    ) -> Result<Answer, Problem> {
        let (reading, pieces) = body.split(length);
        let mut pieces = Some(pieces);
        let sending = send(client, self.upstream, Repeat::Never, |address| {
            let pieces =
                pieces.take().ok_or_else(|| Problem::internal().because("a body was to be sent twice"))?;
            self.request(address, OutgoingBody::Arriving(pieces))
        });
        tokio::pin!(reading, sending);
        tokio::select! {
            biased;
            answered = &mut sending => answered.map_err(failed),
            read = &mut reading => {
                read?;
                sending.await.map_err(failed)
            }
        }
    }

    fn request(&self, address: &Address, body: OutgoingBody) -> Result<Request<OutgoingBody>, Problem> {
        let mut request = Request::new(body);
        *request.method_mut() = http::Method::from_bytes(self.method().as_str().as_bytes()).map_err(unfit)?;
        let target = self.visit.request.uri().path_and_query().map_or("/", |target| target.as_str());
        *request.uri_mut() = address.uri(PathAndQuery::try_from(target).map_err(unfit)?).map_err(unfit)?;
        *request.headers_mut() = self.visit.headers(self.gate, self.identity, self.nonce)?;
        Ok(request)
    }

    fn method(&self) -> &Method {
        self.visit.request.method()
    }

    async fn pass_back(&self, answer: Answer, permit: OwnedSemaphorePermit) -> Result<HttpResponse, Problem> {
        let status = StatusCode::from_u16(answer.status().as_u16()).map_err(broken)?;
        if status.is_informational() {
            return Err(broken("the upstream asked for another protocol"));
        }
        let mut head = HttpResponse::new(status);
        headers::to_client(answer.headers(), head.headers_mut());
        let body =
            if *self.method() == Method::HEAD { no_body(&answer) } else { self.body(answer, permit).await? };
        Ok(head.set_body(body))
    }

    async fn body(&self, answer: Answer, permit: OwnedSemaphorePermit) -> Result<BoxBody, Problem> {
        let body = answer.into_body();
        Ok(match body.size_hint().exact() {
            Some(length) if length <= WHOLE_BYTES_MAX => {
                BoxBody::new(body.collect().await.map(Collected::to_bytes).map_err(incomplete)?)
            }
            Some(length) => BoxBody::new(SizedStream::new(length, pieces(body, permit, self.limits))),
            None => BoxBody::new(BodyStream::new(pieces(body, permit, self.limits))),
        })
    }
}

/// What follows the head of an answer to HEAD: nothing, with the length the body would have had.
fn no_body(answer: &Answer) -> BoxBody {
    let length = answer.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    match length {
        Some(length) => {
            BoxBody::new(SizedStream::new(length, futures_util::stream::empty::<io::Result<Bytes>>()))
        }
        None => BoxBody::new(actix_web::body::None::new()),
    }
}

fn failed(error: SendError) -> Problem {
    match error {
        SendError::Request(problem) => problem,
        SendError::NoAddress(_) | SendError::Connect { .. } => {
            Problem::upstream_unavailable().because(format_args!("{:#}", anyhow::Error::from(error)))
        }
        SendError::Broken { .. } => broken(format_args!("{:#}", anyhow::Error::from(error))),
    }
}

fn incomplete(error: hyper::Error) -> Problem {
    broken(format_args!("{:#}", anyhow::Error::from(error)))
}

fn broken(reason: impl fmt::Display) -> Problem {
    Problem::upstream_failed().because(reason)
}
