//! `youtility device simulate`: publishes readings as a device does, with its own name and password.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use api::device::TelemetryMessage;
use domain::MessageId;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, Packet};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use tokio::time::{interval, timeout};

use crate::args::SimulateOptions;
use crate::home::Home;
use crate::keys::Keys;
use crate::say;

/// How long the broker may take to let the device in, and to take a message.
const BROKER_MAX: Duration = Duration::from_secs(10);

/// Requests that may wait inside the client.
const REQUESTS_MAX: usize = 64;

/// Publishes readings until the count is reached or Ctrl-C ends it.
pub(crate) async fn simulate(options: &SimulateOptions) -> Result<()> {
    let home = Home::open(&options.place)?;
    let Some(system) = home.running()? else { bail!("nothing runs here; start it with `make up`") };
    let keys = Keys::load_or_create(&home)?;
    let (user, password) = match &options.device {
        Some(name) => keys.devices.get_key_value(name),
        None => keys.devices.first_key_value(),
    }
    .with_context(|| format!("no such device; there are: {}", names(&keys)))?;
    let topic = format!("yt/v1/{}/telemetry", user.replacen('.', "/", 1));

    let (host, port) = system.broker.rsplit_once(':').context("the broker's address has a port")?;
    let mut settings =
        MqttOptions::new(format!("{user}:simulator"), host, port.parse().context("the broker's port")?);
    settings.set_credentials(user, password);
    let (client, mut events) = AsyncClient::new(settings, REQUESTS_MAX);
    timeout(BROKER_MAX, wait_for_admission(&mut events)).await.context("the broker did not answer")??;
    say::done(&format!("publishing {} as {user} on {topic}", options.metric));

    let mut ticks = interval(Duration::from_millis(options.interval_ms.max(1)));
    let mut published: u64 = 0;
    while options.count.is_none_or(|count| published < count) {
        ticks.tick().await;
        let message = reading(options, published);
        let payload = serde_json::to_vec(&message).context("writing the message")?;
        client.publish(topic.clone(), QoS::AtLeastOnce, false, payload).await.context("publishing")?;
        timeout(BROKER_MAX, wait_for_taken(&mut events))
            .await
            .context("the broker did not take the message")??;
        published += 1;
        say::line(&format!("  {}  {:?}", message.at, message.values));
    }
    client.disconnect().await.context("leaving the broker")?;
    Ok(())
}

fn names(keys: &Keys) -> String {
    keys.devices.keys().cloned().collect::<Vec<_>>().join(", ")
}

/// The value swings around its middle, once in twenty readings.
fn reading(options: &SimulateOptions, number: u64) -> TelemetryMessage {
    let turn = u32::try_from(number % 20).map_or(0.0, f64::from) / 20.0;
    let value = options.value + options.swing * (turn * std::f64::consts::TAU).sin();
    TelemetryMessage {
        id: MessageId::generate(),
        at: service::Clock::system().now(),
        values: BTreeMap::from([(options.metric.clone(), (value * 100.0).round() / 100.0)]),
    }
}

async fn wait_for_admission(events: &mut EventLoop) -> Result<()> {
    loop {
        if let Event::Incoming(Packet::ConnAck(answer)) =
            events.poll().await.context("connecting to the broker")?
        {
            if answer.code == ConnectReturnCode::Success {
                return Ok(());
            }
            bail!("the broker refused the device: {:?}", answer.code);
        }
    }
}

async fn wait_for_taken(events: &mut EventLoop) -> Result<()> {
    loop {
        if let Event::Incoming(Packet::PubAck(_)) = events.poll().await.context("publishing to the broker")? {
            return Ok(());
        }
    }
}
