//! Bodies whose length nobody announced.

use std::cell::RefCell;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::{HttpMessage, HttpResponse, ResponseError};
use bytes::Bytes;
use futures_util::{StreamExt, stream};

use crate::Problem;
use crate::connection::InHand;

/// An answer up to this leaves in one write: its request is in hand no longer.
const WHOLE_BYTES_MAX: u64 = 65_536;

/// A chunked body, kept until the answer has left.
///
/// The server waits without limit for the rest of a chunked body that was dropped before its end, to use the connection
/// again. Whose body is still there when the answer has left loses the connection instead, after a short linger.
#[derive(Clone)]
pub(super) struct Held(Rc<RefCell<Payload>>);

/// Takes a chunked body and puts a counted one in its place: it fails with [`PayloadError::Overflow`] over the limit.
pub(super) fn hold(request: &mut ServiceRequest, bytes_max: usize) -> Option<Held> {
    if !request.headers().contains_key(header::TRANSFER_ENCODING) {
        return None;
    }
    let held = Held(Rc::new(RefCell::new(request.take_payload())));
    let source = held.0.clone();
    let mut arrived = 0_usize;
    let counted =
        stream::poll_fn(move |context| source.borrow_mut().poll_next_unpin(context)).map(move |chunk| {
            let chunk = chunk?;
            arrived = arrived.saturating_add(chunk.len());
            if arrived > bytes_max { Err(PayloadError::Overflow) } else { Ok(chunk) }
        });
    request.set_payload(Payload::Stream { payload: Box::pin(counted) });
    Some(held)
}

/// Makes an answer's body keep the request's.
pub(super) fn keep(held: Option<Held>, body: BoxBody) -> BoxBody {
    match held {
        Some(held) => BoxBody::new(Holding { body, _held: held }),
        None => body,
    }
}

/// Makes an answer that is streamed keep its request in hand until it has left.
pub(super) fn mark(in_hand: Option<InHand>, body: BoxBody) -> BoxBody {
    let is_streamed = match body.size() {
        BodySize::None => false,
        BodySize::Sized(bytes) => bytes > WHOLE_BYTES_MAX,
        BodySize::Stream => true,
    };
    match in_hand {
        Some(in_hand) if is_streamed => BoxBody::new(Holding { body, _held: in_hand }),
        Some(_) | None => body,
    }
}

/// A body that keeps something until it has left.
struct Holding<T> {
    body: BoxBody,
    _held: T,
}

impl<T: Unpin> MessageBody for Holding<T> {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}

/// A problem that takes the place of the handler's answer.
#[derive(Clone)]
pub(super) struct Refused {
    pub(super) problem: Problem,
    pub(super) held: Option<Held>,
}

impl ResponseError for Refused {
    fn error_response(&self) -> HttpResponse {
        self.problem.error_response().map_body(|_head, body| keep(self.held.clone(), body))
    }
}

impl fmt::Debug for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(formatter)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(formatter)
    }
}
