//! The connection that receives readings, and the bounded queue behind it.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use domain::CorrelationId;
use jiff::Timestamp;
use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Publish, SubAck, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, Event, Incoming};
use service::{Clock, Drain};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::link::{self, End, Link, LinkHandle, Plan, Role};
use super::options;
use crate::metrics;
use crate::settings::{BatchSettings, BrokerSettings};
use crate::topics::TELEMETRY_FILTER;

/// The user property that carries a correlation id.
pub(super) const CORRELATION_PROPERTY: &str = "correlation-id";

/// How often a full queue is looked at again before connecting.
const FULL_QUEUE_INTERVAL: Duration = Duration::from_millis(50);

/// A message as it came from the broker, not yet acknowledged.
#[derive(Debug)]
pub(crate) struct Delivery {
    /// Where it was published.
    pub(crate) topic: String,
    /// What was published.
    pub(crate) payload: Bytes,
    /// The correlation id the device gave it, or a new one.
    pub(crate) correlation_id: CorrelationId,
    /// When it arrived here.
    pub(crate) received_at: Timestamp,
    receipt: Receipt,
}

/// The right to acknowledge one message on the connection it came on.
#[derive(Debug)]
struct Receipt {
    client: AsyncClient,
    publish: Publish,
}

impl Delivery {
    /// Tells the broker that the message is stored. On a connection that has ended since this does nothing, and the
    /// broker delivers the message again.
    ///
    /// The order of calls is the order of acknowledgements, which must be the order of arrival.
    pub(crate) fn acknowledge(&self) {
        if self.receipt.client.try_ack(&self.receipt.publish).is_err() {
            tracing::debug!(target: "mqtt", "an acknowledgement met a connection that has ended");
        }
    }
}

/// Receives messages in batches.
#[derive(Debug)]
pub(crate) struct Inbox {
    queue: mpsc::Receiver<Delivery>,
    fill: Arc<Fill>,
    messages_max: usize,
    bytes_max: usize,
}

impl Inbox {
    /// Prepares the connection: the queue's end, its state, and the work that keeps it up.
    pub(crate) fn open(
        settings: &BrokerSettings,
        batch: &BatchSettings,
        clock: Clock,
        drain: Drain,
    ) -> Result<(Self, Link, impl Future<Output = ()> + Send + 'static)> {
        let (sender, queue) = mpsc::channel(settings.queue_messages_max);
        let fill = Arc::new(Fill { bytes: AtomicUsize::new(0), bytes_max: settings.queue_bytes_max });
        let receiver = Receiver {
            queue: sender,
            fill: Arc::clone(&fill),
            clock,
            drain: drain.clone(),
            unacknowledged: 0,
            is_full: false,
        };
        // Everything unacknowledged is in the queue or in one batch, so an acknowledgement always finds a place.
        let requests_max = settings.queue_messages_max + batch.messages_max + 16;
        let plan = Plan::new(settings, options::receiving(settings)?, requests_max);
        let (link, work) = link::link(plan, receiver, drain);
        Ok((Self { queue, fill, messages_max: batch.messages_max, bytes_max: batch.bytes_max }, link, work))
    }

    /// Waits for a message and takes it with all that has arrived behind it, up to the batch's limits.
    ///
    /// Nothing is lost when the wait is given up.
    pub(crate) async fn batch(&mut self) -> Option<Vec<Delivery>> {
        let first = self.queue.recv().await?;
        let mut bytes = first.payload.len();
        let mut batch = vec![first];
        while batch.len() < self.messages_max && bytes < self.bytes_max {
            let Ok(next) = self.queue.try_recv() else { break };
            bytes += next.payload.len();
            batch.push(next);
        }
        self.fill.release(bytes);
        Some(batch)
    }

    /// How many messages wait.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }
}

/// The bytes in the queue.
#[derive(Debug)]
struct Fill {
    bytes: AtomicUsize,
    bytes_max: usize,
}

impl Fill {
    /// Takes room for a payload; only the connection's own task does.
    fn reserve(&self, bytes: usize) -> bool {
        let fits = self.bytes.load(Ordering::Relaxed) + bytes <= self.bytes_max;
        if fits {
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        fits
    }

    fn release(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn is_half_empty(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) <= self.bytes_max / 2
    }
}

/// The connection's side of the queue.
#[derive(Clone)]
struct Receiver {
    queue: mpsc::Sender<Delivery>,
    fill: Arc<Fill>,
    clock: Clock,
    drain: Drain,
    /// Messages of this connection that were queued and not acknowledged yet.
    unacknowledged: usize,
    /// Whether a message of this connection found no place and was skipped.
    is_full: bool,
}

impl Role for Receiver {
    const NAME: &'static str = "inbox";

    /// The broker would fill the rest of a queue that is half full at once.
    async fn wanted(&self) {
        while self.queue.capacity() < self.queue.max_capacity() / 2 || !self.fill.is_half_empty() {
            sleep(FULL_QUEUE_INTERVAL).await;
        }
    }

    fn hear(&mut self, event: Event, link: &LinkHandle) -> Result<(), End> {
        if self.queue.is_closed() && !self.drain.has_begun() {
            return Err(End::Unread);
        }
        match event {
            Event::Incoming(Incoming::ConnAck(answer)) => {
                metrics::session(if answer.session_present { "session" } else { "nothing" });
                // Also on a session that was there before: it may have been left before its subscription was made.
                link.client.try_subscribe(TELEMETRY_FILTER, QoS::AtLeastOnce).map_err(|_full| End::Jammed)
            }
            Event::Incoming(Incoming::SubAck(answer)) => subscribed(&answer, link),
            Event::Incoming(Incoming::Publish(publish)) => {
                self.take(publish, &link.client);
                self.end_when_full()
            }
            Event::Outgoing(Outgoing::PubAck(_)) => {
                self.unacknowledged = self.unacknowledged.saturating_sub(1);
                self.end_when_full()
            }
            Event::Outgoing(Outgoing::Disconnect) => Err(End::Left),
            Event::Incoming(_) | Event::Outgoing(_) => Ok(()),
        }
    }
}

fn subscribed(answer: &SubAck, link: &LinkHandle) -> Result<(), End> {
    if !answer.return_codes.iter().all(|code| matches!(code, SubscribeReasonCode::Success(_))) {
        return Err(End::SubscriptionRefused);
    }
    link.set_up()?;
    metrics::link(Receiver::NAME, 1);
    tracing::info!(target: "mqtt", link = Receiver::NAME, "subscribed at the broker");
    Ok(())
}

impl Receiver {
    /// Queues a message, or skips it when there is no place: what is not acknowledged comes again.
    fn take(&mut self, publish: Publish, client: &AsyncClient) {
        if self.drain.has_begun() {
            return;
        }
        let bytes = publish.payload.len();
        let is_acknowledged = publish.qos != QoS::AtMostOnce;
        if self.is_full || !self.fill.reserve(bytes) {
            return self.skip();
        }
        let delivery = Delivery {
            topic: String::from_utf8_lossy(&publish.topic).into_owned(),
            payload: publish.payload.clone(),
            correlation_id: correlation_id(&publish),
            received_at: self.clock.now(),
            receipt: Receipt { client: client.clone(), publish },
        };
        if self.queue.try_send(delivery).is_ok() {
            self.unacknowledged += usize::from(is_acknowledged);
        } else {
            self.fill.release(bytes);
            self.skip();
        }
    }

    /// Once a message was skipped, all that follow are, so that the order of acknowledgements has no gap.
    fn skip(&mut self) {
        if !self.is_full {
            tracing::warn!(target: "mqtt", "the queue in memory is full; the broker will send the rest again");
        }
        self.is_full = true;
        metrics::messages("skipped", 1);
    }

    /// Ends the connection after a skip, but not before everything queued is acknowledged. A broker that does not hold
    /// to the receive maximum would otherwise send the same messages for ever.
    fn end_when_full(&self) -> Result<(), End> {
        if self.is_full && self.unacknowledged == 0 { Err(End::Full) } else { Ok(()) }
    }
}

fn correlation_id(publish: &Publish) -> CorrelationId {
    publish
        .properties
        .iter()
        .flat_map(|properties| &properties.user_properties)
        .find(|(name, _)| name == CORRELATION_PROPERTY)
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or_else(CorrelationId::generate)
}
