//! A client's connection: plain or TLS, and closed when its client is too slow.
//!
//! The HTTP server limits how long the first head on a connection may take, and nothing else: a client could send one
//! request and then half of another, or ask and never read. Both hold a connection for nothing.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_rustls::server::TlsStream;

use crate::entrance::Place;
use crate::grammar::Grammar;

/// How slow a client may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Longest time for a request's head to arrive.
    pub(crate) head: Duration,
    /// Longest time without any byte while no request is being answered.
    pub(crate) idle: Duration,
    /// Longest time in which the client takes no byte of its answer.
    pub(crate) write: Duration,
}

/// Whether requests of a connection are being answered; shared by the connection and its requests.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    in_hand: Cell<usize>,
    begun: Cell<u64>,
}

impl Activity {
    /// A request was read and is being answered until the mark is dropped.
    pub(crate) fn begin(activity: &Rc<Self>) -> InHand {
        activity.in_hand.set(activity.in_hand.get() + 1);
        activity.begun.set(activity.begun.get().wrapping_add(1));
        InHand(Rc::clone(activity))
    }

    fn is_idle(&self) -> bool {
        self.in_hand.get() == 0
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(crate) struct InHand(Rc<Activity>);

impl Drop for InHand {
    fn drop(&mut self) {
        self.0.in_hand.set(self.0.in_hand.get().saturating_sub(1));
    }
}

/// The bytes of a connection.
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A client's connection.
pub(crate) struct Connection {
    stream: Stream,
    activity: Rc<Activity>,
    watchdog: Watchdog,
    grammar: Grammar,
    _place: Option<Place>,
}

impl Connection {
    /// A connection without TLS.
    pub(crate) fn plain(stream: TcpStream, place: Option<Place>, patience: Patience) -> Self {
        Self::new(Stream::Plain(stream), place, patience)
    }

    /// A connection whose handshake is done.
    pub(crate) fn tls(stream: TlsStream<TcpStream>, place: Option<Place>, patience: Patience) -> Self {
        Self::new(Stream::Tls(Box::new(stream)), place, patience)
    }

    fn new(stream: Stream, place: Option<Place>, patience: Patience) -> Self {
        let (watchdog, grammar) = (Watchdog::new(patience), Grammar::new());
        Self { stream, activity: Rc::default(), watchdog, grammar, _place: place }
    }

    /// What its requests tell about.
    pub(crate) fn activity(&self) -> Rc<Activity> {
        Rc::clone(&self.activity)
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        };
        match read {
            Poll::Ready(Ok(())) => {
                if let Some(arrived) = buffer.filled_mut().get_mut(before..).filter(|new| !new.is_empty()) {
                    this.grammar.follow(arrived);
                    this.watchdog.has_read(&this.activity);
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => this.watchdog.poll_read(context, &this.activity),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        };
        if written.is_pending() {
            return this.watchdog.poll_stalled(context);
        }
        this.watchdog.has_written();
        this.grammar.answered(bytes);
        written
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(context),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(context),
        };
        if flushed.is_pending() { this.watchdog.poll_stalled(context) } else { flushed }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

/// Notices a client that is too slow. It has one timer, which is moved only when it went off: moving it with each
/// request would cost every request.
struct Watchdog {
    patience: Patience,
    /// A head is arriving: since when, and how many requests had begun before it.
    head: Option<(u64, Instant)>,
    /// The last byte went to or came from the client.
    heard: Instant,
    /// The client takes nothing since then.
    stalled: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Watchdog {
    fn new(patience: Patience) -> Self {
        Self { patience, head: None, heard: Instant::now(), stalled: None, timer: None }
    }

    fn has_read(&mut self, activity: &Activity) {
        self.heard = Instant::now();
        let begun = activity.begun.get();
        if activity.is_idle() && self.head.is_none_or(|(before, _since)| before != begun) {
            self.head = Some((begun, self.heard));
        }
    }

    fn has_written(&mut self) {
        self.heard = Instant::now();
        self.stalled = None;
    }

    fn poll_read(&mut self, context: &mut Context<'_>, activity: &Activity) -> Poll<io::Result<()>> {
        if !activity.is_idle() {
            return Poll::Pending;
        }
        let arriving = self.head.filter(|(before, _since)| *before == activity.begun.get());
        let deadline =
            arriving.map_or(self.heard + self.patience.idle, |(_before, since)| since + self.patience.head);
        self.poll_deadline(context, deadline)
    }

    fn poll_stalled<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        let since = *self.stalled.get_or_insert_with(Instant::now);
        self.poll_deadline(context, since + self.patience.write)
    }

    fn poll_deadline<T>(&mut self, context: &mut Context<'_>, deadline: Instant) -> Poll<io::Result<T>> {
        if deadline <= Instant::now() {
            return Poll::Ready(Err(io::Error::from(io::ErrorKind::TimedOut)));
        }
        let is_new = self.timer.is_none();
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        let is_of_use = !is_new && !timer.is_elapsed() && timer.deadline() <= deadline;
        if !is_of_use {
            timer.as_mut().reset(deadline);
            // A deadline that passes in between is noticed by the next poll.
            if timer.as_mut().poll(context).is_ready() {
                context.waker().wake_by_ref();
            }
        }
        Poll::Pending
    }
}
