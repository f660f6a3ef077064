//! Request bodies: how much, how fast, and how they reach the upstream whole or not at all.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll, ready};
use std::time::Duration;

use actix_web::error::PayloadError;
use actix_web::web;
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use hyper::body::{Frame, SizeHint};
use service::Problem;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, timeout_at};

use crate::inspection::Watch;
use crate::refusal::Refusal;

/// Pieces on their way between client and upstream; the next is read when one of them has left.
const PIECES_WAITING: usize = 2;

/// Bytes of an upload that are read before its token must have been among them.
const AHEAD_BYTES_MAX: usize = 65_536;

/// What a body may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimits {
    /// Bytes it may have.
    pub(crate) bytes_max: usize,
    /// Whether it may be passed on while it arrives.
    pub(crate) may_stream: bool,
    /// How long it may take.
    pub(crate) timeout: Duration,
    /// How long it may take before the rate counts.
    pub(crate) grace: Duration,
    /// Bytes that must arrive each second after that.
    pub(crate) bytes_per_second_min: u64,
}

/// A piece of a body. Its end is said, never concluded: a client that went away must not look like the end of a body.
pub(crate) enum Piece {
    /// The next of it.
    Bytes(Bytes),
    /// It is complete.
    End,
}

/// Memory for the bodies that are read whole, all of them together, in bytes.
#[derive(Debug)]
pub(crate) struct BodyMemory(Arc<Semaphore>);

impl BodyMemory {
    /// So much may be held at once.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes_max)))
    }

    fn hold(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
        let bytes = u32::try_from(bytes).map_err(|_too_many| Refusal::BodiesTooLarge)?;
        Arc::clone(&self.0).try_acquire_many_owned(bytes).map_err(|_none_left| Refusal::BodiesTooLarge)
    }
}

/// A body that was read whole, and the memory it holds.
pub(crate) struct WholeBody {
    /// The body.
    pub(crate) bytes: Bytes,
    _held: OwnedSemaphorePermit,
}

/// The upstream's end of a body in pieces.
pub(crate) struct Pieces {
    arriving: mpsc::Receiver<Piece>,
    length: Option<u64>,
}

/// What is sent to an upstream behind the head.
pub(crate) enum OutgoingBody {
    /// Nothing.
    Nothing,
    /// A body that is here already.
    Whole(Bytes),
    /// A body that is still arriving. It fails when its end is never said.
    Arriving(Pieces),
}

impl hyper::body::Body for OutgoingBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = match &mut *self {
            Self::Nothing => return Poll::Ready(None),
            Self::Whole(bytes) => Some(Piece::Bytes(std::mem::take(bytes))),
            Self::Arriving(pieces) => ready!(pieces.arriving.poll_recv(context)),
        };
        if matches!(&*self, Self::Whole(_)) {
            *self = Self::Nothing;
        }
        Poll::Ready(match piece {
            Some(Piece::Bytes(bytes)) => Some(Ok(Frame::data(bytes))),
            Some(Piece::End) => None,
            None => Some(Err(io::Error::from(io::ErrorKind::ConnectionAborted))),
        })
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Arriving(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Nothing => SizeHint::with_exact(0),
            Self::Whole(bytes) => SizeHint::with_exact(u64::try_from(bytes.len()).unwrap_or(u64::MAX)),
            Self::Arriving(pieces) => pieces.length.map_or_else(SizeHint::new, SizeHint::with_exact),
        }
    }
}

/// A body being read under limits.
pub(crate) struct Body {
    payload: web::Payload,
    limits: BodyLimits,
    started: Instant,
    received: usize,
    /// What was read already and must be passed on still.
    ahead: VecDeque<Bytes>,
    /// Who looks at it on its way.
    watch: Option<Box<Watch>>,
}

impl Body {
    /// Begins to read.
    pub(crate) fn new(payload: web::Payload, limits: BodyLimits) -> Self {
        Self { payload, limits, started: Instant::now(), received: 0, ahead: VecDeque::new(), watch: None }
    }

    /// Refuses a body that says itself that it is too large.
    pub(crate) fn announced(self, bytes: Option<u64>) -> Result<Self, Problem> {
        let bytes = bytes.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        if bytes.is_some_and(|bytes| bytes > self.limits.bytes_max) {
            return Err(Problem::body_too_large());
        }
        Ok(self)
    }

    /// Has it looked at on its way.
    pub(crate) fn watched(self, watch: Watch) -> Self {
        Self { watch: Some(Box::new(watch)), ..self }
    }

    /// Reads an upload as far as its first part, and gives the token in it. What was read is passed on with the rest.
    pub(crate) async fn token(&mut self) -> Result<Option<Vec<u8>>, Problem> {
        let mut bytes_ahead = 0;
        loop {
            let Some(watch) = &self.watch else {
                return Ok(None);
            };
            if watch.skim.knows_first() || bytes_ahead > AHEAD_BYTES_MAX {
                return Ok(watch.skim.token().map(<[u8]>::to_vec));
            }
            let Some(piece) = self.arriving().await? else {
                return Ok(None);
            };
            bytes_ahead += piece.len();
            self.ahead.push_back(piece);
        }
    }

    /// Whether it may be passed on while it arrives.
    pub(crate) fn may_stream(&self) -> bool {
        self.limits.may_stream
    }

    /// Reads to the end. Memory is taken as the body arrives, so that announcing one costs others nothing.
    pub(crate) async fn read(mut self, memory: &BodyMemory) -> Result<WholeBody, Problem> {
        let mut held = memory.hold(0)?;
        let Some(first) = self.next_held(memory, &mut held).await? else {
            return Ok(WholeBody { bytes: Bytes::new(), _held: held });
        };
        let Some(second) = self.next_held(memory, &mut held).await? else {
            return Ok(WholeBody { bytes: first, _held: held });
        };
        let mut whole = BytesMut::from(first);
        whole.extend_from_slice(&second);
        while let Some(piece) = self.next_held(memory, &mut held).await? {
            whole.extend_from_slice(&piece);
        }
        Ok(WholeBody { bytes: whole.freeze(), _held: held })
    }

    async fn next_held(
        &mut self,
        memory: &BodyMemory,
        held: &mut OwnedSemaphorePermit,
    ) -> Result<Option<Bytes>, Problem> {
        let piece = self.next().await?;
        if let Some(bytes) = &piece {
            held.merge(memory.hold(bytes.len())?);
        }
        Ok(piece)
    }

    /// Splits into a reader to be driven beside the upstream's request, and what that request sends.
    pub(crate) fn split(self, length: Option<u64>) -> (impl Future<Output = Result<(), Problem>>, Pieces) {
        let (sender, arriving) = mpsc::channel(PIECES_WAITING);
        (self.forward(sender), Pieces { arriving, length })
    }

    /// An upstream that stopped listening has answered already; what is left of the body is of no use.
    async fn forward(mut self, upstream: mpsc::Sender<Piece>) -> Result<(), Problem> {
        while let Some(bytes) = self.next().await? {
            if upstream.send(Piece::Bytes(bytes)).await.is_err() {
                return Ok(());
            }
        }
        match upstream.send(Piece::End).await {
            Ok(()) | Err(_) => Ok(()),
        }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        match self.ahead.pop_front() {
            Some(piece) => Ok(Some(piece)),
            None => self.arriving().await,
        }
    }

    async fn arriving(&mut self) -> Result<Option<Bytes>, Problem> {
        let deadline = self.deadline();
        let payload = &mut self.payload;
        let piece = timeout_at(deadline, poll_fn(|context| Pin::new(&mut *payload).poll_next(context)))
            .await
            .map_err(|_elapsed| Problem::body_too_slow())?;
        let Some(piece) = piece else {
            self.watch.take().map_or(Ok(()), |watch| watch.finish())?;
            return Ok(None);
        };
        let bytes = piece.map_err(broken)?;
        if let Some(watch) = &mut self.watch {
            watch.skim.feed(&bytes);
        }
        self.received = self.received.saturating_add(bytes.len());
        if self.received > self.limits.bytes_max { Err(Problem::body_too_large()) } else { Ok(Some(bytes)) }
    }

    fn deadline(&self) -> Instant {
        self.started + self.limits.allowance(self.received)
    }
}

fn broken(error: PayloadError) -> Problem {
    if matches!(error, PayloadError::Overflow) {
        Problem::body_too_large()
    } else {
        Refusal::BodyIncomplete(error).into()
    }
}

impl BodyLimits {
    /// How long after its beginning a body of which this much has arrived may be silent.
    fn allowance(&self, received: usize) -> Duration {
        let received = u64::try_from(received).unwrap_or(u64::MAX);
        let earned = received.checked_div(self.bytes_per_second_min).unwrap_or(u64::MAX);
        self.grace.saturating_add(Duration::from_secs(earned)).min(self.timeout)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Collected};
    use hyper::body::Body as _;

    use super::*;

    #[test]
    fn a_body_earns_time_by_arriving_and_never_more_than_the_limit() {
        let limits = BodyLimits {
            bytes_max: 1 << 20,
            may_stream: true,
            timeout: Duration::from_secs(10),
            grace: Duration::from_secs(3),
            bytes_per_second_min: 8192,
        };
        assert_eq!(limits.allowance(0), Duration::from_secs(3));
        assert_eq!(limits.allowance(8191), Duration::from_secs(3));
        assert_eq!(limits.allowance(16_384), Duration::from_secs(5));
        assert_eq!(limits.allowance(1 << 20), Duration::from_secs(10));
    }

    #[test]
    fn bodies_share_the_memory_there_is() {
        let memory = BodyMemory::new(2000);
        let first = memory.hold(1500).unwrap();
        assert!(matches!(memory.hold(501), Err(Refusal::BodiesTooLarge)));
        let second = memory.hold(500).unwrap();
        drop(first);
        assert!(memory.hold(1500).is_ok());
        drop(second);
        assert!(memory.hold(usize::MAX).is_err());
    }

    async fn sent(pieces: Vec<Piece>) -> Result<Bytes, io::Error> {
        let (sender, arriving) = mpsc::channel(8);
        for piece in pieces {
            assert!(sender.send(piece).await.is_ok());
        }
        drop(sender);
        let body = OutgoingBody::Arriving(Pieces { arriving, length: None });
        body.collect().await.map(Collected::to_bytes)
    }

    #[tokio::test]
    async fn a_body_fails_unless_its_end_was_said() {
        let half = || Piece::Bytes(Bytes::from_static(b"half"));
        assert_eq!(sent(vec![half(), half(), Piece::End]).await.unwrap(), "halfhalf");
        assert!(sent(vec![half()]).await.is_err());
        assert!(sent(vec![]).await.is_err());
    }

    #[tokio::test]
    async fn a_whole_body_is_sent_once() {
        let body = OutgoingBody::Whole(Bytes::from_static(b"all"));
        assert_eq!(body.size_hint().exact(), Some(3));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "all");
    }
}
