//! Websockets: on routes that declare it, a connection becomes a tunnel between client and upstream.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;

use actix_web::http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING, UPGRADE,
};
use actix_web::http::{ConnectionType, Method, StatusCode, Version};
use actix_web::{HttpRequest, HttpResponse, web};
use aws_lc_rs::digest;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use http::header as upstream_side;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use service::Problem;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use crate::answer_body::stream;
use crate::body::Piece;
use crate::client::Answer;
use crate::headers;
use crate::identity::Credential;
use crate::proof::is_own_page;
use crate::proxy::{StreamLimits, broken};
use crate::refusal::Refusal;

/// The only protocol there is a tunnel for.
const WEBSOCKET: &str = "websocket";

/// Its only version (RFC 6455).
const VERSION: &[u8] = b"13";

const SEC_KEY: HeaderName = HeaderName::from_static("sec-websocket-key");
const SEC_VERSION: HeaderName = HeaderName::from_static("sec-websocket-version");
const SEC_ACCEPT: &str = "sec-websocket-accept";

/// Bytes of a handshake's key.
const KEY_BYTES: usize = 16;

/// What the answer's key is made with (RFC 6455, section 1.3).
const KEY_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Bytes read from an upstream at once.
const READ_BYTES: usize = 16_384;

/// Pieces on their way to the client; the next is read when one of them has left.
const PIECES_WAITING: usize = 2;

/// Whether a request asks for another protocol.
pub(crate) fn is_asked(request: &HttpRequest) -> bool {
    request.headers().contains_key(UPGRADE)
}

/// Refuses what is not the beginning of a WebSocket, and one that a foreign page opens with our cookie: a browser sends the
/// cookie along, and no token can be asked for.
pub(crate) fn check(
    request: &HttpRequest,
    credential: Credential<'_>,
    origins: &[String],
) -> Result<(), Problem> {
    let headers = request.headers();
    let is_handshake = *request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && !headers.contains_key(CONTENT_LENGTH)
        && !headers.contains_key(TRANSFER_ENCODING)
        && only(headers, UPGRADE).is_some_and(|value| value.eq_ignore_ascii_case(WEBSOCKET.as_bytes()))
        && names_upgrade(headers)
        && only(headers, SEC_VERSION).is_some_and(|value| value == VERSION)
        && only(headers, SEC_KEY).is_some_and(is_key);
    if !is_handshake {
        return Err(Problem::upgrade_refused());
    }
    let is_program = matches!(credential, Credential::Bearer(_));
    if is_program || is_own_page(headers, origins) { Ok(()) } else { Err(Refusal::Forged.into()) }
}

/// The value of a header that stands there once.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&[u8]> {
    let mut values = headers.get_all(name);
    let value = values.next().map(HeaderValue::as_bytes);
    if values.next().is_none() { value.map(<[u8]>::trim_ascii) } else { None }
}

fn names_upgrade(headers: &HeaderMap) -> bool {
    let mut names = headers.get_all(CONNECTION).flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    names.any(|name| name.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
}

fn is_key(key: &[u8]) -> bool {
    BASE64_STANDARD.decode(key).is_ok_and(|key| key.len() == KEY_BYTES)
}

/// Adds what the upstream must see of the handshake; the rest of it are ordinary headers.
pub(crate) fn ask(headers: &mut upstream_side::HeaderMap) {
    headers.insert(upstream_side::CONNECTION, upstream_side::HeaderValue::from_static("upgrade"));
    headers.insert(upstream_side::UPGRADE, upstream_side::HeaderValue::from_static(WEBSOCKET));
}

/// Makes a tunnel out of an upstream's consent.
pub(crate) async fn open(
    request: &HttpRequest,
    mut answer: Answer,
    payload: web::Payload,
    place: OwnedSemaphorePermit,
    limits: StreamLimits,
) -> Result<HttpResponse, Problem> {
    let key = only(request.headers(), SEC_KEY).unwrap_or(&[]);
    let accepted = answer.headers().get(SEC_ACCEPT).map(upstream_side::HeaderValue::as_bytes);
    if accepted != Some(acceptance(key).as_bytes()) {
        return Err(broken("the upstream did not accept this handshake"));
    }
    let mut head = HttpResponse::new(StatusCode::SWITCHING_PROTOCOLS);
    headers::to_client(answer.headers(), head.headers_mut());
    head.head_mut().set_connection_type(ConnectionType::Upgrade);
    head.headers_mut().insert(UPGRADE, HeaderValue::from_static(WEBSOCKET));
    let upgrade = hyper::upgrade::on(&mut answer);
    let upgraded = answer.into_body().upgraded(upgrade).await.map_err(broken)?;
    let (client, arriving) = mpsc::channel(PIECES_WAITING);
    let (reading, writing) = tokio::io::split(TokioIo::new(upgraded));
    let tunnel = Tunnel { payload, reading, writing, client, limits };
    let dug = async move {
        tunnel.work().await;
        drop(place);
    };
    actix_web::rt::spawn(dug.in_current_span());
    let body = actix_web::body::BodyStream::new(stream(arriving));
    Ok(head.set_body(actix_web::body::BoxBody::new(body)))
}

fn acceptance(key: &[u8]) -> String {
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    context.update(key);
    context.update(KEY_SUFFIX);
    BASE64_STANDARD.encode(context.finish())
}

/// Bytes in both directions.
struct Tunnel {
    payload: web::Payload,
    reading: ReadHalf<TokioIo<Upgraded>>,
    writing: WriteHalf<TokioIo<Upgraded>>,
    client: mpsc::Sender<Piece>,
    limits: StreamLimits,
}

impl Tunnel {
    /// Works until one side ends it, nobody says anything for too long, its time is over, or the process ends.
    async fn work(mut self) {
        let end = Instant::now() + self.limits.lifetime;
        let mut buffer = BytesMut::with_capacity(READ_BYTES);
        loop {
            let quiet_until = end.min(Instant::now() + self.limits.silence);
            let moved = tokio::select! {
                () = self.client.closed() => return,
                () = self.limits.drain.begun() => break,
                sent = next(&mut self.payload) => match sent {
                    Some(Ok(bytes)) => timeout_at(quiet_until, self.writing.write_all(&bytes)).await,
                    Some(Err(_)) | None => break,
                },
                read = timeout_at(quiet_until, self.reading.read_buf(&mut buffer)) => match read {
                    Ok(Ok(0)) => break,
                    Ok(Ok(_bytes)) => {
                        let piece = Piece::Bytes(buffer.split().freeze());
                        buffer.reserve(READ_BYTES);
                        let sent = timeout_at(quiet_until, self.client.send(piece)).await;
                        sent.map(|sent| sent.map_err(|_gone| io::Error::from(io::ErrorKind::BrokenPipe)))
                    }
                    Ok(Err(error)) => Ok(Err(error)),
                    Err(elapsed) => Err(elapsed),
                },
            };
            if !matches!(moved, Ok(Ok(()))) {
                break;
            }
        }
        // Whoever does not listen any more needs not be told.
        drop(self.writing.shutdown().await);
        drop(self.client.try_send(Piece::End));
    }
}

async fn next(payload: &mut web::Payload) -> Option<Result<Bytes, actix_web::error::PayloadError>> {
    poll_fn(|context| Pin::new(&mut *payload).poll_next(context)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_accepted_as_the_standard_says() {
        assert_eq!(acceptance(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(is_key(b"dGhlIHNhbXBsZSBub25jZQ=="));
        assert!(!is_key(b"c2hvcnQ=") && !is_key(b"") && !is_key(b"no base64 at all!"));
    }
}
