//! Connections to upstreams.
//!
//! Each thread has its own, and a request polls the connection it uses: no other task has to wake up for it
//! (`docs/adr/0020-transport.md`).

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use anyhow::anyhow;
use bytes::{Bytes, BytesMut};
use http::header::HOST;
use http::{Request, Response};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use service::HttpClientSettings;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::body::OutgoingBody;
use crate::line_waker::LineWaker;
use crate::upstreams::Address;

/// How long an idle connection is kept: less than the services' `http.keep_alive_ms`, so that they never close first.
const IDLE: Duration = Duration::from_mins(1);

/// How often connections that were idle too long are looked for.
const SWEEP: Duration = Duration::from_secs(10);

/// What an upstream answers.
pub(crate) type Answer = Response<AnswerBody>;

/// Sends requests and keeps connections; each thread has its own.
#[derive(Clone)]
pub(crate) struct UpstreamClient(Rc<Pool>);

/// Why there is no answer.
#[derive(Debug, Error)]
pub(crate) enum ClientError {
    /// Nobody answered at the address: nothing was sent.
    #[error("connecting")]
    Connect(#[source] anyhow::Error),
    /// The connection broke after the request had been sent.
    #[error("the connection broke")]
    Broken(#[source] hyper::Error),
}

/// The work of a connection, which has no name in its library.
type Connection = Pin<Box<dyn Future<Output = hyper::Result<()>>>>;

struct Pool {
    connect_timeout: Duration,
    idle_max: usize,
    /// By the number of the address, the longest idle first.
    idle: RefCell<HashMap<u64, Vec<Idle>>>,
}

struct Idle {
    line: Box<Line>,
    since: Instant,
}

/// A connection and the way to send on it.
struct Line {
    sender: SendRequest<OutgoingBody>,
    work: Work,
    waker: LineWaker,
}

/// What a connection does while somebody polls it.
struct Work {
    connection: Connection,
    has_ended: bool,
}

impl UpstreamClient {
    /// A client of the current thread.
    pub(crate) fn new(settings: &HttpClientSettings) -> Self {
        let pool = Rc::new(Pool {
            connect_timeout: Duration::from_millis(settings.connect_timeout_ms),
            idle_max: settings.idle_connections_max,
            idle: RefCell::default(),
        });
        actix_web::rt::spawn(sweep(Rc::downgrade(&pool)));
        Self(pool)
    }

    /// Sends a request, whose target is path and query, and waits until its answer begins. A kept connection that turns out to be closed before anything
    /// was sent on it is replaced.
    pub(crate) async fn request(
        &self,
        address: &Address,
        mut request: Request<OutgoingBody>,
    ) -> Result<Answer, ClientError> {
        request.headers_mut().insert(HOST, address.host().clone());
        loop {
            let kept = self.0.take(address.number());
            let is_kept = kept.is_some();
            let mut line = match kept {
                Some(line) => line,
                // Rare: boxed, so that an ordinary request is not as large as this one.
                None => Box::pin(self.connect(address)).await?,
            };
            let mut error = match line.exchange(request).await {
                Ok(answer) => {
                    let lease = Lease { line, number: address.number(), pool: Rc::clone(&self.0) };
                    return Ok(answer.map(|incoming| AnswerBody { incoming, lease: Some(lease) }));
                }
                Err(error) => error,
            };
            match error.take_message() {
                Some(unsent) if is_kept => request = unsent,
                Some(_unsent) => return Err(ClientError::Connect(anyhow!(error.into_error()))),
                None => return Err(ClientError::Broken(error.into_error())),
            }
        }
    }

    async fn connect(&self, address: &Address) -> Result<Box<Line>, ClientError> {
        let connecting = async {
            let stream = TcpStream::connect(address.endpoint()).await?;
            stream.set_nodelay(true)?;
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            let work = Work { connection: Box::pin(connection.with_upgrades()), has_ended: false };
            Ok(Box::new(Line { sender, work, waker: LineWaker::new() }))
        };
        match timeout(self.0.connect_timeout, connecting).await {
            Ok(connected) => connected.map_err(ClientError::Connect),
            Err(elapsed) => Err(ClientError::Connect(elapsed.into())),
        }
    }
}

impl Line {
    async fn exchange(
        &mut self,
        request: Request<OutgoingBody>,
    ) -> Result<Response<Incoming>, TrySendError<Request<OutgoingBody>>> {
        let mut answering = pin!(self.sender.try_send_request(request));
        let (work, waker) = (&mut self.work, &self.waker);
        poll_fn(|task| {
            waker.poll(task, |context| {
                work.drive(context);
                answering.as_mut().poll(context)
            })
        })
        .await
    }

    /// Whether the next request may be sent on it.
    fn is_ready(&mut self) -> bool {
        let task = Context::from_waker(Waker::noop());
        let driven = self.waker.poll(&task, |context| {
            self.work.drive(context);
            Poll::<()>::Pending
        });
        driven.is_pending() && !self.work.has_ended && self.sender.is_ready()
    }
}

impl Work {
    /// Lets the connection work. What goes wrong with it is told to the request or answer that uses it.
    fn drive(&mut self, context: &mut Context<'_>) {
        if !self.has_ended && self.connection.as_mut().poll(context).is_ready() {
            self.has_ended = true;
        }
    }
}

impl Pool {
    /// The connection that was used last: the others may grow old and be closed.
    fn take(&self, number: u64) -> Option<Box<Line>> {
        let mut idle = self.idle.borrow_mut();
        let kept = idle.get_mut(&number)?;
        while let Some(Idle { mut line, since }) = kept.pop() {
            if since.elapsed() < IDLE && line.is_ready() {
                return Some(line);
            }
        }
        None
    }

    fn keep(&self, number: u64, mut line: Box<Line>) {
        if !line.is_ready() {
            return;
        }
        let mut idle = self.idle.borrow_mut();
        let kept = idle.entry(number).or_default();
        if kept.len() < self.idle_max {
            kept.push(Idle { line, since: Instant::now() });
        }
    }
}

/// Closes what was idle too long, until the client is gone.
async fn sweep(pool: Weak<Pool>) {
    let mut ticks = tokio::time::interval(SWEEP);
    loop {
        ticks.tick().await;
        let Some(pool) = pool.upgrade() else { return };
        pool.idle.borrow_mut().retain(|_number, kept| {
            kept.retain_mut(|idle| idle.since.elapsed() < IDLE && idle.line.is_ready());
            !kept.is_empty()
        });
    }
}

/// A connection in use; dropped, it goes back to the pool, unless an answer is still arriving on it.
struct Lease {
    line: Box<Line>,
    number: u64,
    pool: Rc<Pool>,
}

/// The body of an upstream's answer, with the connection it arrives on.
pub(crate) struct AnswerBody {
    incoming: Incoming,
    lease: Option<Lease>,
}

impl AnswerBody {
    /// All of a body whose length is known and small.
    pub(crate) async fn whole(mut self) -> hyper::Result<Bytes> {
        let Some(first) = self.next_data().await? else {
            return Ok(Bytes::new());
        };
        if self.is_end_stream() {
            return Ok(first);
        }
        let mut whole = BytesMut::from(first);
        while let Some(data) = self.next_data().await? {
            whole.extend_from_slice(&data);
        }
        Ok(whole.freeze())
    }

    async fn next_data(&mut self) -> hyper::Result<Option<Bytes>> {
        loop {
            let frame = poll_fn(|context| Pin::new(&mut *self).poll_frame(context)).await;
            let Some(frame) = frame.transpose()? else { return Ok(None) };
            // Trailers belong to the connection and end here.
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
    }

    /// The bare connection, when the upstream changed to another protocol.
    pub(crate) async fn upgraded(mut self, upgrade: hyper::upgrade::OnUpgrade) -> hyper::Result<Upgraded> {
        let mut upgrade = pin!(upgrade);
        poll_fn(|task| {
            let Some(Lease { line, .. }) = &mut self.lease else {
                return upgrade.as_mut().poll(task);
            };
            let Line { work, waker, .. } = &mut **line;
            waker.poll(task, |context| {
                work.drive(context);
                upgrade.as_mut().poll(context)
            })
        })
        .await
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    /// Asks the body first: only a body that is asked for is read from the connection.
    fn poll_frame(
        self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Self { incoming, lease } = self.get_mut();
        let Some(Lease { line, .. }) = lease else {
            return Pin::new(incoming).poll_frame(task);
        };
        let Line { work, waker, .. } = &mut **line;
        waker.poll(task, |context| {
            if let Poll::Ready(frame) = Pin::new(&mut *incoming).poll_frame(context) {
                return Poll::Ready(frame);
            }
            work.drive(context);
            Pin::new(&mut *incoming).poll_frame(context)
        })
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        if let Some(Lease { line, number, pool }) = self.lease.take()
            && self.incoming.is_end_stream()
        {
            pool.keep(number, line);
        }
    }
}
