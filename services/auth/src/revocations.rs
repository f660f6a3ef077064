//! The stream of ended sessions, for those who cache identities.
//!
//! One connection listens to the database and tells every subscriber. A subscriber may believe its cache as long as its
//! stream lives and beats: when the listening connection is lost, or a subscriber cannot keep up, its stream ends, and it
//! must forget everything before it subscribes again. While nothing is listened to, nobody can subscribe.

use std::convert::Infallible;
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use api::identity::Revocation;
use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;
use service::{Context, Drain, Internal, Problem};
use store::{Heard, Listener, Store};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, watch};
use tokio::time::{Interval, MissedTickBehavior};

use crate::refusal::Refusal;
use crate::settings::{RevocationSettings, Settings};
use crate::state::State;
use crate::telemetry::{REVOCATION_SUBSCRIBERS, REVOCATIONS};

/// The channel a trigger notifies with the id of an ended session.
const SESSIONS: &str = "session_revoked";

/// The channel a trigger notifies with the id of a client whose people may do something else from here on.
const RIGHTS: &str = "rights_changed";

/// Where subscribers are told; `None` while nothing is listened to.
type Speaker = Option<broadcast::Sender<Revocation>>;

/// Ended sessions. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Revocations {
    speaker: watch::Receiver<Speaker>,
    seats: Arc<Semaphore>,
    settings: RevocationSettings,
    drain: Drain,
}

impl Revocations {
    /// Starts listening in the background.
    pub(crate) fn start(store: &Store, ctx: &Context<Settings>) -> Self {
        let settings = ctx.settings.revocations;
        let (announce, speaker) = watch::channel(None);
        let (listener, drain) = (store.listen(&[SESSIONS, RIGHTS]), ctx.drain.clone());
        ctx.tasks.spawn("revocations", async move {
            drain.token().run_until_cancelled(pass_on(listener, announce, settings.backlog_max)).await;
        });
        let seats = Arc::new(Semaphore::new(settings.subscribers_max));
        Self { speaker, seats, settings, drain: ctx.drain.clone() }
    }

    /// Takes a seat and follows.
    fn subscribe(&self) -> Result<Subscription, Refusal> {
        let seat = Arc::clone(&self.seats).try_acquire_owned().map_err(|_full| Refusal::Stream)?;
        let events =
            self.speaker.borrow().as_ref().map(broadcast::Sender::subscribe).ok_or(Refusal::Stream)?;
        let mut beats = tokio::time::interval(self.settings.heartbeat());
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        metrics::gauge!(REVOCATION_SUBSCRIBERS).increment(1.0);
        Ok(Subscription { events, beats, drain: self.drain.clone(), _seat: seat })
    }
}

/// Passes notifications on for ever. Dropping a speaker ends the streams of everyone who listened to it.
async fn pass_on(mut listener: Listener, announce: watch::Sender<Speaker>, backlog_max: usize) {
    loop {
        match listener.next().await {
            Heard::Connected => {
                announce.send_replace(Some(broadcast::Sender::new(backlog_max)));
            }
            Heard::Lost => {
                announce.send_replace(None);
            }
            Heard::Notification { channel, payload } => {
                if let Some(event) = read(&channel, &payload) {
                    tell(&announce, event);
                } else {
                    // Something ended and nobody knows what: all caches must go.
                    tracing::warn!(channel, "a notification cannot be read");
                    announce.send_replace(Some(broadcast::Sender::new(backlog_max)));
                }
            }
        }
    }
}

/// What a notification says.
fn read(channel: &str, payload: &str) -> Option<Revocation> {
    if channel == RIGHTS {
        payload.parse().ok().map(|client| Revocation { client_id: Some(client), ..Revocation::default() })
    } else {
        payload.parse().ok().map(|session| Revocation { session_id: Some(session), ..Revocation::default() })
    }
}

fn tell(announce: &watch::Sender<Speaker>, event: Revocation) {
    metrics::counter!(REVOCATIONS).increment(1);
    if let Some(speaker) = announce.borrow().as_ref() {
        let subscribers = speaker.send(event).unwrap_or(0);
        tracing::debug!(subscribers, "identities are revoked");
    }
}

/// One subscriber's view.
struct Subscription {
    events: broadcast::Receiver<Revocation>,
    beats: Interval,
    drain: Drain,
    _seat: OwnedSemaphorePermit,
}

impl Subscription {
    /// The next line; `None` ends the stream: the listening connection is lost, the subscriber is too slow, or the
    /// process stops.
    async fn next(&mut self) -> Option<Revocation> {
        tokio::select! {
            biased;
            () = self.drain.begun() => None,
            event = self.events.recv() => event.ok(),
            _ = self.beats.tick() => Some(Revocation::default()),
        }
    }

    /// The lines as chunks of a body.
    fn lines(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        unfold(self, |mut subscription| async move {
            let line = subscription.next().await?;
            let mut text = serde_json::to_vec(&line).ok()?;
            text.push(b'\n');
            Some((Ok(Bytes::from(text)), subscription))
        })
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        metrics::gauge!(REVOCATION_SUBSCRIBERS).decrement(1.0);
    }
}

/// Streams ended sessions, one JSON object a line, an empty object as heartbeat.
pub(crate) async fn follow_revocations(
    _caller: Internal,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let subscription = state.revocations.subscribe()?;
    Ok(HttpResponse::Ok()
        .content_type("application/x-ndjson")
        .insert_header((CACHE_CONTROL, "no-store"))
        .streaming(subscription.lines()))
}
