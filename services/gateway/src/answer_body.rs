//! Answers that are too long to be sent in one write.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http_body_util::BodyExt;
use hyper::body::Frame;
use service::Drain;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use crate::body::Piece;
use crate::client::AnswerBody;

/// Pieces on their way between upstream and client; the next is read when one of them has left.
const PIECES_WAITING: usize = 2;

/// How an answer's body may arrive.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    /// Longest gap inside it.
    pub(crate) silence: Duration,
    /// Longest time for the whole of it.
    pub(crate) timeout: Duration,
    /// It has no end of its own, and ends with the process.
    pub(crate) drain: Option<Drain>,
}

/// The answer's body as it arrives.
///
/// A task of its own takes it in: nobody asks for the next piece while a client reads nothing, and the request's place
/// at the upstream must not be held for as long as the client likes. It stays on the thread of the client's connection,
/// for which the drain waits, and ends with it.
pub(crate) fn pieces(
    body: AnswerBody,
    place: OwnedSemaphorePermit,
    tempo: Pace,
) -> impl Stream<Item = io::Result<Bytes>> + 'static {
    let (client, arriving) = mpsc::channel(PIECES_WAITING);
    let forward = async move {
        forward(body, tempo, client).await;
        drop(place);
    };
    actix_web::rt::spawn(forward.in_current_span());
    stream(arriving)
}

/// Pieces as the body of an answer. It fails when their end is never said.
pub(crate) fn stream(arriving: mpsc::Receiver<Piece>) -> impl Stream<Item = io::Result<Bytes>> + 'static {
    futures_util::stream::unfold(Some(arriving), |arriving| async {
        let mut arriving = arriving?;
        match arriving.recv().await {
            Some(Piece::Bytes(bytes)) => Some((Ok(bytes), Some(arriving))),
            Some(Piece::End) => None,
            None => Some((Err(io::Error::from(io::ErrorKind::ConnectionAborted)), None)),
        }
    })
}

/// Hands the body on. Unless its end is said, the client's connection is cut.
async fn forward(mut body: AnswerBody, pace: Pace, client: mpsc::Sender<Piece>) {
    let end = Instant::now() + pace.timeout;
    let gap_end = || end.min(Instant::now() + pace.silence);
    loop {
        let frame = tokio::select! {
            () = client.closed() => return,
            () = begun(pace.drain.as_ref()) => Ok(None),
            frame = timeout_at(gap_end(), body.frame()) => frame,
        };
        let piece = match frame {
            Ok(Some(Ok(frame))) => Piece::Bytes(data(frame)),
            Ok(Some(Err(error))) => {
                tracing::warn!(error.chain = %error, "an upstream cut an answer short");
                return;
            }
            Ok(None) => Piece::End,
            Err(elapsed) => {
                tracing::warn!(error.chain = %elapsed, "an upstream cut an answer short");
                return;
            }
        };
        let is_end = matches!(piece, Piece::End);
        match timeout_at(gap_end(), client.send(piece)).await {
            Ok(Ok(())) if !is_end => {}
            Ok(Ok(()) | Err(_)) => return,
            Err(elapsed) => {
                tracing::info!(error.chain = %elapsed, "a client did not read its answer");
                return;
            }
        }
    }
}

async fn begun(drain: Option<&Drain>) {
    match drain {
        Some(drain) => drain.begun().await,
        None => std::future::pending().await,
    }
}

/// The bytes of a frame; trailers belong to the connection and end here.
fn data(frame: Frame<Bytes>) -> Bytes {
    frame.into_data().unwrap_or_else(|_trailers| Bytes::new())
}
