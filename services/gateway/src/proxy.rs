//! A request goes to its upstream, and the answer comes back.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::{BodyStream, BoxBody, SizedStream};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpResponse, web};
use bytes::Bytes;
use http::Request;
use http::Uri;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::uri::PathAndQuery;
use hyper::body::Body as _;
use service::{Drain, Problem};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::answer_body::{Pace, pieces};
use crate::body::{Body, OutgoingBody, WholeBody};
use crate::client::{Answer, UpstreamClient};
use crate::gate::Gate;
use crate::headers;
use crate::identity_cache::SignedIdentity;
use crate::refusal::Refusal;
use crate::security_headers::Nonce;
use crate::send::{Manner, Repeat, SendError, send};
use crate::upgrade;
use crate::upstreams::Upstream;
use crate::visit::{Visit, unfit};

/// An answer of a known length up to this is sent with its head, in one write.
const WHOLE_BYTES_MAX: u64 = 65_536;

/// Server-sent events.
const EVENT_STREAM: &[u8] = b"text/event-stream";

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

/// What events and websockets may cost.
#[derive(Clone, Debug)]
pub(crate) struct StreamLimits {
    /// Longest time without a byte.
    pub(crate) silence: Duration,
    /// Longest time for the whole of one.
    pub(crate) lifetime: Duration,
    /// They end with the process.
    pub(crate) drain: Drain,
}

/// Places for events and websockets, and what one may cost.
#[derive(Debug)]
pub(crate) struct Streams {
    pub(crate) places: Arc<Semaphore>,
    pub(crate) limits: StreamLimits,
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
        let answer = self.send(client, body).await?;
        self.pass_back(answer, permit).await
    }

    /// Asks the upstream for a WebSocket and makes a tunnel, when it consents.
    pub(crate) async fn upgrade(
        &self,
        client: &UpstreamClient,
        payload: web::Payload,
    ) -> Result<HttpResponse, Problem> {
        let place = self.stream_place()?;
        let answer = send(client, self.upstream, self.manner(Repeat::WhenUnsent), || {
            let mut request = self.request(OutgoingBody::Nothing)?;
            upgrade::ask(request.headers_mut());
            Ok(request)
        })
        .await
        .map_err(failed)?;
        if answer.status() != http::StatusCode::SWITCHING_PROTOCOLS {
            return self.pass_back(answer, place).await;
        }
        let limits = self.gate.streams.limits.clone();
        upgrade::open(self.visit.request, answer, payload, place, limits).await
    }

    fn manner(&self, repeat: Repeat) -> Manner {
        Manner { repeat, deadline: self.limits.deadline }
    }

    fn stream_place(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let places = Arc::clone(&self.gate.streams.places);
        places.try_acquire_owned().map_err(|_none_left| Refusal::UpstreamBusy)
    }

    async fn send(&self, client: &UpstreamClient, body: ClientBody) -> Result<Answer, Problem> {
        match body {
            ClientBody::Nothing => {
                let repeat =
                    if self.method().is_idempotent() { Repeat::WhenBroken } else { Repeat::WhenUnsent };
                let make = || self.request(OutgoingBody::Nothing);
                send(client, self.upstream, self.manner(repeat), make).await.map_err(failed)
            }
            ClientBody::Whole(body) => {
                let make = || self.request(OutgoingBody::Whole(body.bytes.clone()));
                send(client, self.upstream, self.manner(Repeat::WhenUnsent), make).await.map_err(failed)
            }
            ClientBody::Arriving(body, length) => Box::pin(self.send_arriving(client, body, length)).await,
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
        let sending = send(client, self.upstream, self.manner(Repeat::Never), || {
            let pieces =
                pieces.take().ok_or_else(|| Problem::internal().because("a body was to be sent twice"))?;
            self.request(OutgoingBody::Arriving(pieces))
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

    fn request(&self, body: OutgoingBody) -> Result<Request<OutgoingBody>, Problem> {
        let mut request = Request::new(body);
        *request.method_mut() = http::Method::from_bytes(self.method().as_str().as_bytes()).map_err(unfit)?;
        let target = self.visit.request.uri().path_and_query().map_or("/", |target| target.as_str());
        *request.uri_mut() = Uri::from(PathAndQuery::try_from(target).map_err(unfit)?);
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
        let body = if *self.method() == Method::HEAD {
            no_body(&answer)
        } else if is_event_stream(&answer) {
            self.events(answer)?
        } else {
            self.body(answer, permit).await?
        };
        Ok(head.set_body(body))
    }

    async fn body(&self, answer: Answer, permit: OwnedSemaphorePermit) -> Result<BoxBody, Problem> {
        let body = answer.into_body();
        Ok(match body.size_hint().exact() {
            Some(length) if length <= WHOLE_BYTES_MAX => {
                let whole = timeout_at(self.limits.deadline, body.whole()).await;
                let whole = whole.map_err(|_elapsed| late("the answer did not arrive in time"))?;
                BoxBody::new(whole.map_err(incomplete)?)
            }
            Some(length) => BoxBody::new(SizedStream::new(length, pieces(body, permit, self.pace()))),
            None => BoxBody::new(BodyStream::new(pieces(body, permit, self.pace()))),
        })
    }

    /// Events come when they come, so they hold a place of their own instead of one at the upstream.
    fn events(&self, answer: Answer) -> Result<BoxBody, Problem> {
        if !self.visit.route.stream {
            return Err(broken("the upstream sends events on a route that does not declare it"));
        }
        let place = self.stream_place()?;
        let limits = &self.gate.streams.limits;
        let tempo =
            Pace { silence: limits.silence, timeout: limits.lifetime, drain: Some(limits.drain.clone()) };
        Ok(BoxBody::new(BodyStream::new(pieces(answer.into_body(), place, tempo))))
    }

    fn pace(&self) -> Pace {
        Pace { silence: self.limits.silence, timeout: self.limits.timeout, drain: None }
    }
}

fn is_event_stream(answer: &Answer) -> bool {
    let media_type = answer.headers().get(CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    media_type.is_some_and(|value| {
        let name = value.split(|byte| *byte == b';').next().unwrap_or(&[]);
        name.trim_ascii().eq_ignore_ascii_case(EVENT_STREAM)
    })
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
        SendError::Open { retry_after_ms, .. } => Problem::upstream_unavailable()
            .retry_after(retry_after_ms.div_ceil(1000).max(1))
            .because(format_args!("{:#}", anyhow::Error::from(error))),
        SendError::NoAddress(_) | SendError::Connect { .. } => {
            Problem::upstream_unavailable().because(format_args!("{:#}", anyhow::Error::from(error)))
        }
        SendError::Broken { .. } => broken(format_args!("{:#}", anyhow::Error::from(error))),
        SendError::Late { .. } => late(format_args!("{:#}", anyhow::Error::from(error))),
    }
}

fn incomplete(error: hyper::Error) -> Problem {
    broken(format_args!("{:#}", anyhow::Error::from(error)))
}

fn late(reason: impl fmt::Display) -> Problem {
    Problem::upstream_timeout().because(reason)
}

/// An answer that is none.
pub(crate) fn broken(reason: impl fmt::Display) -> Problem {
    Problem::upstream_failed().because(reason)
}
