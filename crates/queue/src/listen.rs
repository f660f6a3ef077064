//! Hearing of new tasks on a connection of its own.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt, TryFutureExt};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{AsyncMessage, Client, Config, Socket};
use tokio_util::sync::CancellationToken;

use crate::error::chain;
use crate::worker::{Pacing, Worker, pause};
use crate::{CANCEL_CHANNEL, CHANNEL, Error, LIMITS_CHANNEL};

type Messages = BoxStream<'static, Result<AsyncMessage, tokio_postgres::Error>>;
type Connecting = BoxFuture<'static, Result<(Client, Messages), tokio_postgres::Error>>;

/// Opens listening connections, whatever their TLS.
pub(crate) struct Listener {
    connect: Box<dyn Fn() -> Connecting + Send + Sync>,
}

impl Listener {
    pub(crate) fn new<T>(config: Config, tls: T) -> Self
    where
        T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
        T::Stream: Send + 'static,
        T::TlsConnect: Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let connect = move || {
            let (config, tls) = (config.clone(), tls.clone());
            async move {
                let (client, mut connection) = config.connect(tls).await?;
                let messages = futures_util::stream::poll_fn(move |context| connection.poll_message(context));
                Ok((client, messages.boxed()))
            }
            .boxed()
        };
        Self { connect: Box::new(connect) }
    }
}

/// Listens until told to stop; reconnects with growing pauses.
pub(crate) async fn run(listener: Listener, worker: Arc<Worker>, stop: CancellationToken) {
    let mut pacing = Pacing::new(&worker.settings);
    loop {
        let lost = tokio::select! {
            () = stop.cancelled() => return,
            lost = session(&listener, &worker, &mut pacing) => lost,
        };
        match lost {
            Ok(()) => tracing::warn!("the listening connection was closed; polling goes on"),
            Err(error) => {
                tracing::warn!(
                    error.chain = chain(&error),
                    "the listening connection was lost; polling goes on"
                );
            }
        }
        if !pause(pacing.step(), &stop).await {
            return;
        }
    }
}

/// One connection, from its opening to its loss.
async fn session(listener: &Listener, worker: &Worker, pacing: &mut Pacing) -> Result<(), Error> {
    let limit = Duration::from_millis(worker.settings.connect_timeout_ms);
    let opened = tokio::time::timeout(limit, (listener.connect)()).await;
    let (client, mut messages) = opened.map_err(|_elapsed| Error::Unanswered)??;
    // The answer to `listen` arrives only while the messages are read.
    let listening = client
        .batch_execute("listen queue_ready; listen queue_cancel; listen queue_limits")
        .map_ok(|()| tracing::debug!("listening for tasks"));
    tokio::pin!(listening);
    let mut established = false;
    loop {
        tokio::select! {
            answer = &mut listening, if !established => {
                answer?;
                established = true;
                pacing.reset();
                // Whatever was announced while nobody listened.
                worker.ready.notify_one();
                worker.delayed.notify_one();
            }
            message = messages.next() => match message {
                Some(message) => hear(worker, &message?),
                None => return Ok(()),
            },
        }
    }
}

fn hear(worker: &Worker, message: &AsyncMessage) {
    let AsyncMessage::Notification(notification) = message else { return };
    match notification.channel() {
        CHANNEL => {
            let ours = |queue| worker.settings.queues.contains_key(queue);
            if notification.payload().split(',').any(ours) {
                worker.ready.notify_one();
                worker.delayed.notify_one();
            }
        }
        CANCEL_CHANNEL => {
            if let Ok(id) = notification.payload().parse()
                && worker.cancels.try_send(id).is_err()
            {
                tracing::warn!("too many cancellations at once; the others are seen when leases are renewed");
            }
        }
        LIMITS_CHANNEL => worker.limits.notify_one(),
        _ => {}
    }
}
