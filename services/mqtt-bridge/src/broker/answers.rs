//! The connection that tells devices what became of their messages.

use std::future::Future;
use std::time::Duration;

use anyhow::Result;
use domain::CorrelationId;
use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::PublishProperties;
use rumqttc::v5::{Event, Incoming};
use service::Drain;
use tokio::time::Instant;

use super::inbox::CORRELATION_PROPERTY;
use super::link::{self, End, Link, LinkHandle, Plan, Role};
use super::options;
use crate::metrics;
use crate::settings::BrokerSettings;

/// Publishes answers. One that is lost does no harm: the device repeats its message and is answered then.
#[derive(Debug)]
pub(crate) struct Answers {
    link: Link,
    expiry_seconds: u32,
}

impl Answers {
    /// Prepares the connection: its state, and the work that keeps it up.
    pub(crate) fn open(
        settings: &BrokerSettings,
        drain: Drain,
    ) -> Result<(Self, Link, impl Future<Output = ()> + Send + 'static)> {
        let requests_max = settings.queue_messages_max;
        let plan = Plan::new(settings, options::answering(settings)?, requests_max);
        let sender =
            Sender { timeout: Duration::from_millis(settings.answer_timeout_ms), waiting: 0, since: None };
        let (link, work) = link::link(plan, sender, drain);
        Ok((Self { link: link.clone(), expiry_seconds: settings.answer_expiry_seconds }, link, work))
    }

    /// Publishes an answer, if the connection is up and takes it.
    pub(crate) fn send(&self, topic: String, payload: Vec<u8>, correlation_id: CorrelationId) {
        let properties = PublishProperties {
            message_expiry_interval: Some(self.expiry_seconds),
            content_type: Some("application/json".to_owned()),
            user_properties: vec![(CORRELATION_PROPERTY.to_owned(), correlation_id.to_string())],
            ..PublishProperties::default()
        };
        let sent = self.link.client().is_some_and(|client| {
            client.try_publish_with_properties(topic, QoS::AtLeastOnce, false, payload, properties).is_ok()
        });
        metrics::answer(if sent { "sent" } else { "dropped" });
    }
}

/// Watches that the broker acknowledges what is published.
#[derive(Clone)]
struct Sender {
    timeout: Duration,
    waiting: usize,
    since: Option<Instant>,
}

impl Role for Sender {
    const NAME: &'static str = "answers";

    async fn wanted(&self) {}

    fn hear(&mut self, event: Event, link: &LinkHandle) -> Result<(), End> {
        match event {
            Event::Incoming(Incoming::ConnAck(_)) => {
                link.set_up()?;
                metrics::link(Self::NAME, 1);
            }
            Event::Incoming(Incoming::PubAck(_)) => {
                self.waiting = self.waiting.saturating_sub(1);
                self.since = (self.waiting > 0).then(Instant::now);
            }
            Event::Outgoing(Outgoing::Publish(_)) => {
                self.waiting += 1;
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
