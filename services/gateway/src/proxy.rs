//! A request goes to its upstream, and the answer comes back.

use std::fmt;
use std::io;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::body::{BodyStream, BoxBody, SizedStream};
use actix_web::http::{Method, StatusCode};
use bytes::Bytes;
use futures_util::Stream;
use http::Request;
use http::header::{CONTENT_LENGTH, HeaderMap};
use http::uri::PathAndQuery;
use http_body_util::{BodyExt, Collected};
use hyper::body::{Body as _, Frame, Incoming};
use service::Problem;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use crate::body::{Body, OutgoingBody};
use crate::client::{Answer, UpstreamClient};
use crate::headers;
use crate::refusal::Refusal;
use crate::send::{Repeat, SendError, send};
use crate::upstreams::{Address, Upstream};
use crate::visit::unfit;

/// An answer of a known length up to this is sent with its head, in one write.
const WHOLE_BYTES_MAX: u64 = 65_536;

/// The body a client sends.
pub(crate) enum ClientBody {
    /// None.
    Nothing,
    /// One that is here already.
    Whole(Bytes),
    /// One that is still arriving, with its length when that is known.
    Arriving(Body, Option<u64>),
}

/// A request as the upstream shall see it.
pub(crate) struct Onward<'a> {
    pub(crate) upstream: &'a Upstream,
    pub(crate) method: &'a Method,
    /// Path and query, checked.
    pub(crate) target: &'a str,
    /// Makes the headers, for each address that is tried.
    pub(crate) headers: &'a dyn Fn() -> Result<HeaderMap, Problem>,
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
                    if self.method.is_idempotent() { Repeat::WhenBroken } else { Repeat::WhenUnsent };
                let make = |address: &Address| self.request(address, OutgoingBody::Nothing);
                send(client, self.upstream, repeat, make).await.map_err(failed)
            }
            ClientBody::Whole(bytes) => {
                let make = |address: &Address| self.request(address, OutgoingBody::Whole(bytes.clone()));
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
        *request.method_mut() = http::Method::from_bytes(self.method.as_str().as_bytes()).map_err(unfit)?;
        *request.uri_mut() =
            address.uri(PathAndQuery::try_from(self.target).map_err(unfit)?).map_err(unfit)?;
        *request.headers_mut() = (self.headers)()?;
        Ok(request)
    }

    async fn pass_back(&self, answer: Answer, permit: OwnedSemaphorePermit) -> Result<HttpResponse, Problem> {
        let status = StatusCode::from_u16(answer.status().as_u16()).map_err(broken)?;
        if status.is_informational() {
            return Err(broken("the upstream asked for another protocol"));
        }
        let mut head = HttpResponse::new(status);
        headers::to_client(answer.headers(), head.headers_mut());
        let body =
            if *self.method == Method::HEAD { no_body(&answer) } else { self.body(answer, permit).await? };
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

/// The answer's body as it arrives. It holds the request's place at the upstream until it ends.
fn pieces(
    body: Incoming,
    permit: OwnedSemaphorePermit,
    limits: AnswerLimits,
) -> impl Stream<Item = io::Result<Bytes>> + 'static {
    let end = Instant::now() + limits.timeout;
    futures_util::stream::unfold((body, permit), move |(mut body, permit)| async move {
        let deadline = end.min(Instant::now() + limits.silence);
        let piece = match timeout_at(deadline, body.frame()).await {
            Ok(Some(Ok(frame))) => Ok(data(frame)),
            Ok(Some(Err(error))) => Err(io::Error::other(error)),
            Ok(None) => return None,
            Err(elapsed) => Err(io::Error::from(elapsed)),
        };
        if let Err(error) = &piece {
            tracing::warn!(error.chain = %error, "an upstream cut an answer short");
        }
        Some((piece, (body, permit)))
    })
}

/// The bytes of a frame; trailers belong to the connection and end here.
fn data(frame: Frame<Bytes>) -> Bytes {
    frame.into_data().unwrap_or_else(|_trailers| Bytes::new())
}

fn failed(error: SendError) -> Problem {
    match error {
        SendError::Request(problem) => problem,
        SendError::NoAddress(_) | SendError::Connect { .. } | SendError::Broken { .. } => {
            broken(format_args!("{:#}", anyhow::Error::from(error)))
        }
    }
}

fn incomplete(error: hyper::Error) -> Problem {
    broken(format_args!("{:#}", anyhow::Error::from(error)))
}

fn broken(reason: impl fmt::Display) -> Problem {
    Problem::upstream_failed().because(reason)
}
