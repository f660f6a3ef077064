//! One connection to the broker, made anew for as long as the process lives.

use std::future::Future;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use rumqttc::v5::mqttbytes::v5::DisconnectReasonCode;
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, StateError};
use service::Drain;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

use crate::metrics;
use crate::settings::BrokerSettings;

/// How a connection stands.
#[derive(Clone, Debug, Default)]
pub(crate) enum LinkState {
    /// There is none; the reason is for operators.
    Down(String),
    /// Being made.
    #[default]
    Connecting,
    /// In use.
    Up(AsyncClient),
}

/// What a connection is used for. Clones share everything: one copy goes into each connection's own task.
pub(super) trait Role: Clone + Send + Sync + 'static {
    /// The connection's name in logs and metrics.
    const NAME: &'static str;

    /// Waits until a connection would be of use.
    fn wanted(&self) -> impl Future<Output = ()> + Send;

    /// Hears what happens on a connection, without waiting for anything: its task also carries the acknowledgements.
    fn hear(&mut self, event: Event, link: &LinkHandle) -> Result<(), End>;
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    /// The client or the network gave up.
    #[error("the connection broke: {0}")]
    Broken(Box<ConnectionError>),
    /// The broker refused the subscription.
    #[error("the broker refused the subscription")]
    SubscriptionRefused,
    /// More arrived than may be held; the broker sends the rest again.
    #[error("more messages arrived than may be held in memory")]
    Full,
    /// Whoever takes the messages has ended.
    #[error("nobody takes the messages")]
    Unread,
    /// Requests cannot be passed to the client.
    #[error("the client takes no more requests")]
    Jammed,
    /// Nothing was acknowledged for too long.
    #[error("the broker acknowledges nothing")]
    Unanswered,
    /// The event loop stood still.
    #[error("the connection's event loop stood still")]
    Stalled,
    /// The event loop panicked.
    #[error("the connection's event loop panicked")]
    Panicked(#[source] JoinError),
    /// We took our leave.
    #[error("left")]
    Left,
}

/// What a role may do with its connection.
#[derive(Clone, Debug)]
pub(super) struct LinkHandle {
    pub(super) client: AsyncClient,
    state: watch::Sender<LinkState>,
    drain: Drain,
}

impl LinkHandle {
    /// Says that the connection does its work. Too late for a process that is leaving.
    pub(super) fn set_up(&self) -> Result<(), End> {
        if self.drain.has_begun() {
            return Err(End::Left);
        }
        self.state.send_replace(LinkState::Up(self.client.clone()));
        Ok(())
    }
}

/// A connection seen from outside.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    state: watch::Receiver<LinkState>,
}

impl Link {
    /// Whether the connection does its work; if not, why.
    pub(crate) fn check(&self) -> Result<(), String> {
        match &*self.state.borrow() {
            LinkState::Up(_) => Ok(()),
            LinkState::Connecting => Err("connecting".to_owned()),
            LinkState::Down(reason) => Err(reason.clone()),
        }
    }

    /// The client of a connection that is up.
    pub(super) fn client(&self) -> Option<AsyncClient> {
        match &*self.state.borrow() {
            LinkState::Up(client) => Some(client.clone()),
            LinkState::Connecting | LinkState::Down(_) => None,
        }
    }

    /// Waits for a connection that is up.
    pub(super) async fn up(&self) -> AsyncClient {
        let mut state = self.state.clone();
        let client = match state.wait_for(|state| matches!(state, LinkState::Up(_))).await.as_deref() {
            Ok(LinkState::Up(client)) => Some(client.clone()),
            // The link itself has ended, and no connection will come.
            Ok(LinkState::Connecting | LinkState::Down(_)) | Err(_) => None,
        };
        match client {
            Some(client) => client,
            None => std::future::pending().await,
        }
    }

    /// Waits until the connection is not up.
    pub(super) async fn down(&self) {
        let mut state = self.state.clone();
        // An error means that the link itself has ended.
        drop(state.wait_for(|state| !matches!(state, LinkState::Up(_))).await);
    }

    /// Ends the connection after everything that was asked of it; the broker keeps the session.
    pub(crate) async fn leave(mut self) {
        if let Some(client) = self.client()
            && client.try_disconnect().is_ok()
        {
            // An error means that the link itself has ended, which is what we wait for.
            let ended = self.state.wait_for(|state| matches!(state, LinkState::Down(_))).await;
            drop(ended);
        }
    }
}

/// How connections are made.
#[derive(Clone)]
pub(super) struct Plan {
    options: MqttOptions,
    requests_max: usize,
    stalled_after: Duration,
    delay: ExponentialBuilder,
    delay_max: Duration,
}

impl Plan {
    /// A plan; `requests_max` bounds what may wait for the client.
    pub(super) fn new(settings: &BrokerSettings, options: MqttOptions, requests_max: usize) -> Self {
        let delay_max = Duration::from_millis(settings.reconnect_delay_max_ms);
        let delay = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(settings.reconnect_delay_min_ms))
            .with_max_delay(delay_max)
            .with_jitter()
            .without_max_times();
        Self { options, requests_max, stalled_after: settings.keep_alive() * 3, delay, delay_max }
    }
}

/// Prepares a link: the handle for others, and the work that keeps it up until the drain begins.
pub(super) fn link<R: Role>(
    plan: Plan,
    role: R,
    drain: Drain,
) -> (Link, impl Future<Output = ()> + Send + 'static) {
    let (state, observed) = watch::channel(LinkState::default());
    (Link { state: observed }, keep_up(plan, role, state, drain))
}

async fn keep_up<R: Role>(plan: Plan, role: R, state: watch::Sender<LinkState>, drain: Drain) {
    let mut delays = plan.delay.build();
    loop {
        tokio::select! {
            () = drain.begun() => return,
            () = role.wanted() => {}
        }
        state.send_replace(LinkState::Connecting);
        let end = connect(&plan, &role, &state, &drain).await;
        let was_up = matches!(&*state.borrow(), LinkState::Up(_));
        if was_up {
            delays = plan.delay.build();
        }
        let delay = next_delay(&plan, &mut delays, &end);
        let chain = domain::fault::chain(&end);
        metrics::link(R::NAME, 0);
        state.send_replace(LinkState::Down(chain.clone()));
        if drain.has_begun() {
            return;
        }
        if was_up {
            tracing::warn!(target: "mqtt", link = R::NAME, error.chain = chain, "the connection to the broker ended");
        } else {
            tracing::info!(target: "mqtt", link = R::NAME, error.chain = chain, "the broker cannot be reached");
        }
        tokio::select! {
            () = drain.begun() => return,
            () = sleep(delay) => {}
        }
    }
}

/// Somebody who uses our session name would lose it to us again at once: leave it to them for as long as possible.
fn next_delay(plan: &Plan, delays: &mut ExponentialBackoff, end: &End) -> Duration {
    if is_taken_over(end) { plan.delay_max } else { delays.next().unwrap_or(plan.delay_max) }
}

fn is_taken_over(end: &End) -> bool {
    let End::Broken(error) = end else { return false };
    let ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, .. }) = &**error else {
        return false;
    };
    *reason_code == DisconnectReasonCode::SessionTakenOver
}

/// Runs one connection in a task of its own, because polling must not be cancelled half-way; ends it when it stands
/// still.
async fn connect<R: Role>(plan: &Plan, role: &R, state: &watch::Sender<LinkState>, drain: &Drain) -> End {
    let (client, events) = AsyncClient::new(plan.options.clone(), plan.requests_max);
    let handle = LinkHandle { client, state: state.clone(), drain: drain.clone() };
    let pulse = watch::Sender::new(Instant::now());
    let mut beats = pulse.subscribe();
    let mut task = JoinSet::new();
    task.spawn(converse(events, role.clone(), handle, pulse));
    loop {
        let deadline = *beats.borrow_and_update() + plan.stalled_after;
        tokio::select! {
            ended = task.join_next() => return match ended {
                Some(Ok(end)) => end,
                Some(Err(panic)) => End::Panicked(panic),
                None => End::Stalled,
            },
            () = sleep_until(deadline) => {
                if !beats.has_changed().unwrap_or(true) {
                    return End::Stalled;
                }
            }
        }
    }
}

/// Polls until the connection ends. The event loop is never polled again after an error: it would connect again by
/// itself, with what it remembers of the broken connection.
async fn converse<R: Role>(
    mut events: EventLoop,
    mut role: R,
    handle: LinkHandle,
    pulse: watch::Sender<Instant>,
) -> End {
    loop {
        match events.poll().await {
            Ok(event) => {
                pulse.send_replace(Instant::now());
                if let Err(end) = role.hear(event, &handle) {
                    return end;
                }
            }
            Err(error) => return End::Broken(Box::new(error)),
        }
    }
}
