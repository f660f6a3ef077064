//! The connection that publishes what tasks want said, and hears what the broker made of each message.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{PubAckReason, PublishProperties};
use rumqttc::v5::{AsyncClient, Event, Incoming};
use service::Drain;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use super::link::{self, End, Link, LinkHandle, Plan, Role};
use super::options;
use crate::metrics;
use crate::settings::{BrokerSettings, TaskSettings};

/// Bytes of a packet beside topic, payload and user properties, with room to spare.
const PACKET_OVERHEAD_BYTES: usize = 512;

/// Publishes messages one by one and tells what the broker answered to each.
#[derive(Clone, Debug)]
pub(crate) struct Publisher {
    link: Link,
    ledger: Arc<Mutex<Ledger>>,
    patience: Duration,
    answer_timeout: Duration,
}

/// A message to publish at quality of service 1.
#[derive(Debug)]
pub(crate) struct Post {
    pub(crate) topic: String,
    pub(crate) payload: String,
    pub(crate) retain: bool,
    /// How long it is of use.
    pub(crate) expiry_seconds: Option<u32>,
    pub(crate) user_properties: Vec<(String, String)>,
}

/// What the broker did with a message it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Somebody subscribed to the topic.
    Heard,
    /// Nobody did.
    Unheard,
}

/// Why a message was not published, as far as is known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unpublished {
    /// There was no connection to the broker for as long as one is waited for.
    #[error("there is no connection to the broker")]
    Away,
    /// The client takes no more messages.
    #[error("the connection to the broker is jammed")]
    Jammed,
    /// The connection ended before the broker answered.
    #[error("the connection ended before the broker answered")]
    Lost,
    /// The broker did not answer in time.
    #[error("the broker did not answer in time")]
    Unanswered,
    /// It is larger than the broker takes.
    #[error("the message has {bytes} bytes and the broker takes {max}")]
    TooLarge {
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        max: usize,
    },
    /// The broker refused it.
    #[error("the broker refused the message: {0:?}")]
    Refused(PubAckReason),
}

impl Unpublished {
    /// Whether another attempt must end in the same way.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::TooLarge { .. } => true,
            Self::Refused(reason) => match reason {
                PubAckReason::NotAuthorized
                | PubAckReason::TopicNameInvalid
                | PubAckReason::PayloadFormatInvalid => true,
                PubAckReason::Success
                | PubAckReason::NoMatchingSubscribers
                | PubAckReason::UnspecifiedError
                | PubAckReason::ImplementationSpecificError
                | PubAckReason::PacketIdentifierInUse
                | PubAckReason::QuotaExceeded => false,
            },
            Self::Away | Self::Jammed | Self::Lost | Self::Unanswered => false,
        }
    }
}

/// Who waits for which answer on the connection that is up.
#[derive(Debug, Default)]
struct Ledger {
    /// Given to the client, which numbers them in this order.
    asked: VecDeque<oneshot::Sender<PubAckReason>>,
    /// Sent under a number.
    sent: HashMap<u16, oneshot::Sender<PubAckReason>>,
    /// The largest packet the broker takes.
    packet_bytes_max: Option<u32>,
}

impl Publisher {
    /// Prepares the connection: its state, and the work that keeps it up.
    pub(crate) fn open(
        settings: &BrokerSettings,
        tasks: &TaskSettings,
        drain: Drain,
    ) -> Result<(Self, Link, impl Future<Output = ()> + Send + 'static)> {
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let answer_timeout = Duration::from_millis(tasks.publish_answer_timeout_ms);
        let watch = Watch { ledger: Arc::clone(&ledger), timeout: answer_timeout, since: None };
        let requests_max = usize::from(tasks.publish_in_flight_max).saturating_mul(2);
        let plan =
            Plan::new(settings, options::publishing(settings, tasks.publish_in_flight_max)?, requests_max);
        let (link, work) = link::link(plan, watch, drain);
        let patience = Duration::from_millis(tasks.publish_patience_ms);
        Ok((Self { link: link.clone(), ledger, patience, answer_timeout }, link, work))
    }

    /// Publishes a message and waits for the broker's answer.
    pub(crate) async fn publish(&self, post: Post) -> Result<Taken, Unpublished> {
        let client = timeout(self.patience, self.link.up()).await.map_err(|_elapsed| Unpublished::Away)?;
        let answer = self.ask(&client, post)?;
        tokio::select! {
            biased;
            reason = answer => taken(reason.map_err(|_dropped| Unpublished::Lost)?),
            () = self.link.down() => Err(Unpublished::Lost),
            () = sleep(self.answer_timeout) => Err(Unpublished::Unanswered),
        }
    }

    /// Hands a message to the client; the ledger keeps the order in which that happens.
    fn ask(&self, client: &AsyncClient, post: Post) -> Result<oneshot::Receiver<PubAckReason>, Unpublished> {
        let mut ledger = lock(&self.ledger);
        let (bytes, max) = (post.bytes(), ledger.packet_bytes_max.map_or(usize::MAX, to_usize));
        if bytes > max {
            return Err(Unpublished::TooLarge { bytes, max });
        }
        let properties = PublishProperties {
            message_expiry_interval: post.expiry_seconds,
            user_properties: post.user_properties,
            payload_format_indicator: Some(1),
            ..PublishProperties::default()
        };
        client
            .try_publish_with_properties(post.topic, QoS::AtLeastOnce, post.retain, post.payload, properties)
            .map_err(|_full| Unpublished::Jammed)?;
        let (sender, answer) = oneshot::channel();
        ledger.asked.push_back(sender);
        Ok(answer)
    }
}

fn taken(reason: PubAckReason) -> Result<Taken, Unpublished> {
    match reason {
        PubAckReason::Success => Ok(Taken::Heard),
        PubAckReason::NoMatchingSubscribers => Ok(Taken::Unheard),
        PubAckReason::UnspecifiedError
        | PubAckReason::ImplementationSpecificError
        | PubAckReason::NotAuthorized
        | PubAckReason::TopicNameInvalid
        | PubAckReason::PacketIdentifierInUse
        | PubAckReason::QuotaExceeded
        | PubAckReason::PayloadFormatInvalid => Err(Unpublished::Refused(reason)),
    }
}

impl Post {
    /// The size of its packet, rather too large than too small: the client drops a connection over a packet that is
    /// larger than the broker takes.
    fn bytes(&self) -> usize {
        let properties: usize =
            self.user_properties.iter().map(|(key, value)| key.len() + value.len() + 5).sum();
        PACKET_OVERHEAD_BYTES + self.topic.len() + self.payload.len() + properties
    }
}

/// The connection's side of the ledger.
#[derive(Clone)]
struct Watch {
    ledger: Arc<Mutex<Ledger>>,
    timeout: Duration,
    /// Since when answers are due and none came.
    since: Option<Instant>,
}

impl Role for Watch {
    const NAME: &'static str = "publisher";

    async fn wanted(&self) {}

    fn hear(&mut self, event: Event, link: &LinkHandle) -> Result<(), End> {
        match event {
            Event::Incoming(Incoming::ConnAck(answer)) => {
                let packet_bytes_max = answer.properties.and_then(|properties| properties.max_packet_size);
                // Who waits for an answer on the connection before learns that there will be none.
                *lock(&self.ledger) = Ledger { packet_bytes_max, ..Ledger::default() };
                link.set_up()?;
                metrics::link(Self::NAME, 1);
            }
            Event::Incoming(Incoming::PubAck(answer)) => {
                let mut ledger = lock(&self.ledger);
                let waiting = ledger.sent.remove(&answer.pkid);
                self.since = (!ledger.sent.is_empty()).then(Instant::now);
                drop(ledger);
                if waiting.is_none_or(|waiting| waiting.send(answer.reason).is_err()) {
                    tracing::debug!(target: "mqtt", "the broker answered when nobody waited any more");
                }
            }
            Event::Outgoing(Outgoing::Publish(number)) => {
                let mut ledger = lock(&self.ledger);
                if let Some(waiting) = ledger.asked.pop_front() {
                    ledger.sent.insert(number, waiting);
                }
                self.since.get_or_insert_with(Instant::now);
            }
            Event::Outgoing(Outgoing::Disconnect) => return Err(End::Left),
            Event::Incoming(_) | Event::Outgoing(_) => {}
        }
        match self.since {
            Some(since) if since.elapsed() > self.timeout => Err(End::Unanswered),
            Some(_) | None => Ok(()),
        }
    }
}

/// A panic elsewhere leaves the ledger whole: each change is one insertion or removal.
fn lock(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

fn to_usize(bytes: u32) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
