//! A request goes to its upstream, and the answer comes back.

use std::fmt;
use std::io;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::body::{BodyStream, BoxBody, SizedStream};
use actix_web::http::{Method, StatusCode};
use bytes::Bytes;
use futures_util::Stream;
use reqwest::header::{CONTENT_LENGTH, HeaderMap};
use reqwest::{Client, Request, Response, Url};
use service::Problem;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout, timeout_at};

use crate::body::Body;
use crate::headers;
use crate::refusal::Refusal;
use crate::send::{Repeat, SendError, send};
use crate::upstreams::{Address, Upstream};

/// An answer of a known length up to this is sent with its head, in one write.
const WHOLE_BYTES_MAX: u64 = 65_536;

/// What is sent to the upstream behind the head.
pub(crate) enum Outgoing {
    /// Nothing.
    Nothing,
    /// A body that is here already.
    Whole(Bytes),
    /// A body that is still arriving, with its length when that is known.
    Arriving(Body, Option<u64>),
}

/// A request as the upstream shall see it.
pub(crate) struct Onward<'a> {
    pub(crate) upstream: &'a Upstream,
    pub(crate) method: &'a Method,
    /// Path and query, checked.
    pub(crate) target: &'a str,
    pub(crate) headers: HeaderMap,
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
    pub(crate) async fn exchange(self, client: &Client, body: Outgoing) -> Result<HttpResponse, Problem> {
        let permit = self.upstream.admit().ok_or(Refusal::UpstreamBusy)?;
        let limits = self.limits;
        let method = self.method;
        let exchange = async {
            let response = self.send(client, body).await?;
            answer(response, permit, limits, method).await
        };
        timeout_at(limits.deadline, exchange)
            .await
            .unwrap_or_else(|_elapsed| Err(Problem::upstream_timeout().because("the upstream's answer did not begin in time")))
    }

    async fn send(self, client: &Client, body: Outgoing) -> Result<Response, Problem> {
        match body {
            Outgoing::Nothing => {
                let repeat = if self.method.is_idempotent() { Repeat::WhenBroken } else { Repeat::WhenUnsent };
                send(client, self.upstream, repeat, |address| self.request(address, None)).await.map_err(failed)
            }
            Outgoing::Whole(bytes) => {
                let make = |address: &Address| self.request(address, Some(bytes.clone().into()));
                send(client, self.upstream, Repeat::WhenUnsent, make).await.map_err(failed)
            }
            Outgoing::Arriving(body, length) => self.send_arriving(client, body, length).await,
        }
    }

    /// Reads the client's body beside the upstream's request. An upstream may answer before it has read everything.
    async fn send_arriving(mut self, client: &Client, body: Body, length: Option<u64>) -> Result<Response, Problem> {
        if let Some(length) = length {
            self.headers.insert(CONTENT_LENGTH, length.into());
        }
        let (reading, pieces) = body.split();
        let mut pieces = Some(pieces);
        let sending = send(client, self.upstream, Repeat::Never, |address| {
            let body = pieces.take().map(|pieces| reqwest::Body::wrap_stream(pieces.into_stream()));
            self.request(address, body)
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

    fn request(&self, address: &Address, body: Option<reqwest::Body>) -> anyhow::Result<Request> {
        let method = reqwest::Method::from_bytes(self.method.as_str().as_bytes())?;
        let url = Url::parse(&[address.origin(), self.target].concat())?;
        let mut request = Request::new(method, url);
        request.headers_mut().clone_from(&self.headers);
        *request.body_mut() = body;
        *request.timeout_mut() = Some(self.limits.timeout);
        Ok(request)
    }
}

fn failed(error: SendError) -> Problem {
    Problem::upstream_failed().because(format_args!("{:#}", anyhow::Error::from(error)))
}

async fn answer(
    response: Response,
    permit: OwnedSemaphorePermit,
    limits: AnswerLimits,
    method: &Method,
) -> Result<HttpResponse, Problem> {
    let status = StatusCode::from_u16(response.status().as_u16()).map_err(broken)?;
    if status.is_informational() {
        return Err(broken("the upstream asked for another protocol"));
    }
    let mut head = HttpResponse::new(status);
    headers::to_client(response.headers(), head.headers_mut());
    let length = if *method == Method::HEAD { announced_length(&response) } else { response.content_length() };
    let body = match length {
        Some(length) if *method == Method::HEAD => BoxBody::new(SizedStream::new(length, futures_util::stream::empty::<io::Result<Bytes>>())),
        None if *method == Method::HEAD => BoxBody::new(actix_web::body::None::new()),
        Some(length) if length <= WHOLE_BYTES_MAX => BoxBody::new(response.bytes().await.map_err(incomplete)?),
        Some(length) => BoxBody::new(SizedStream::new(length, pieces(response, permit, limits.silence))),
        None => BoxBody::new(BodyStream::new(pieces(response, permit, limits.silence))),
    };
    Ok(head.set_body(body))
}

/// The length of the body that a HEAD request does not get.
fn announced_length(response: &Response) -> Option<u64> {
    response.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The answer's body as it arrives. It holds the request's place at the upstream until it ends.
fn pieces(
    response: Response,
    permit: OwnedSemaphorePermit,
    silence: Duration,
) -> impl Stream<Item = io::Result<Bytes>> + 'static {
    futures_util::stream::unfold((response, permit), move |(mut response, permit)| async move {
        let piece = match timeout(silence, response.chunk()).await {
            Ok(Ok(piece)) => Ok(piece?),
            Ok(Err(error)) => Err(io::Error::other(error)),
            Err(elapsed) => Err(io::Error::from(elapsed)),
        };
        if let Err(error) = &piece {
            tracing::warn!(error.chain = %error, "an upstream cut an answer short");
        }
        Some((piece, (response, permit)))
    })
}

fn incomplete(error: reqwest::Error) -> Problem {
    broken(format_args!("{:#}", anyhow::Error::from(error)))
}

fn broken(reason: impl fmt::Display) -> Problem {
    Problem::upstream_failed().because(reason)
}
