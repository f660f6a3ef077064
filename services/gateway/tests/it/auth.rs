//! Auth, as far as the gateway speaks with it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix_web::{HttpRequest, HttpResponse, web};
use api::identity::{Identity, IdentityRequest, IdentityResponse, Revocation};
use api::rate::{Take, TakeTokens, Taken, TakenTokens};
use api::security::{NewSecurityEvent, SecurityEvents};
use bytes::Bytes;
use domain::account::SessionKind;
use domain::security::SecurityEventKind;
use domain::{Capability, ClientId, PersonId, SessionId};
use futures_util::StreamExt;
use testkit::identity::Signer;
use tokio::sync::broadcast;

use crate::upstream::{Upstream, bind, echo, never};
use crate::world::SOON;

/// The token auth never answers about.
pub(crate) const UNANSWERED: &str = "unanswered";

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) session_id: SessionId,
    pub(crate) client_id: ClientId,
    pub(crate) person_id: PersonId,
    pub(crate) kind: SessionKind,
    pub(crate) capabilities: Vec<Capability>,
    pub(crate) networks: Vec<String>,
}

/// A bucket of request tokens: when it is full again.
type Buckets = BTreeMap<String, Instant>;

/// Auth, all its replicas together.
#[derive(Clone)]
pub(crate) struct Auth {
    sessions: Arc<Mutex<BTreeMap<String, Known>>>,
    revocations: broadcast::Sender<Revocation>,
    questions: Arc<AtomicUsize>,
    rate_questions: Arc<AtomicUsize>,
    is_silent: Arc<AtomicBool>,
    keeps_books: Arc<AtomicBool>,
    buckets: Arc<Mutex<Buckets>>,
    events: Arc<Mutex<Vec<NewSecurityEvent>>>,
}

impl Auth {
    pub(crate) fn new() -> Self {
        Self {
            sessions: Arc::default(),
            revocations: broadcast::channel(16).0,
            questions: Arc::default(),
            rate_questions: Arc::default(),
            is_silent: Arc::default(),
            keeps_books: Arc::new(AtomicBool::new(true)),
            buckets: Arc::default(),
            events: Arc::default(),
        }
    }

    /// Starts a replica.
    pub(crate) fn start(&self) -> Upstream {
        let auth = self.clone();
        Upstream::start(bind(), move |config| {
            config
                .app_data(web::Data::new(auth.clone()))
                .service(web::resource("/internal/identity").route(web::post().to(exchange)))
                .service(web::resource("/internal/rates").route(web::post().to(take_tokens)))
                .service(web::resource("/internal/events").route(web::post().to(write_events)))
                .service(web::resource("/api/v1/session/never").to(never))
                .service(web::resource("/internal/revocations").route(web::get().to(revocations)))
                .default_service(web::to(|request, body| async move { echo("auth", &request, &body) }));
        })
    }

    /// Signs somebody in.
    pub(crate) fn sign_in(&self, token: &str) -> Known {
        self.sign_in_as(token, |_known| {})
    }

    /// Signs somebody in who differs from others.
    pub(crate) fn sign_in_as(&self, token: &str, change: impl FnOnce(&mut Known)) -> Known {
        let mut known = Known {
            session_id: SessionId::generate(),
            client_id: ClientId::generate(),
            person_id: PersonId::generate(),
            kind: SessionKind::Web,
            capabilities: vec![],
            networks: vec![],
        };
        change(&mut known);
        self.sessions.lock().unwrap().insert(token.to_owned(), known.clone());
        known
    }

    /// Ends a session and says so.
    pub(crate) fn revoke(&self, token: &str) {
        let known = self.sessions.lock().unwrap().remove(token).unwrap();
        self.tell(Revocation { session_id: Some(known.session_id), client_id: None });
    }

    /// Says that the rights of a client's people changed.
    pub(crate) fn rights_changed(&self, client: ClientId) {
        self.tell(Revocation { session_id: None, client_id: Some(client) });
    }

    fn tell(&self, revocation: Revocation) {
        self.revocations.send(revocation).unwrap();
    }

    /// Ends a session and says nothing.
    pub(crate) fn revoke_silently(&self, token: &str) {
        self.sessions.lock().unwrap().remove(token).unwrap();
    }

    /// Says nothing more about sessions, and does not even beat.
    pub(crate) fn fall_silent(&self) {
        self.is_silent.store(true, Ordering::SeqCst);
    }

    /// Counts no requests and writes no events any more, or does so again.
    pub(crate) fn books(&self, are: Books) {
        self.keeps_books.store(are == Books::Open, Ordering::SeqCst);
    }

    /// How often the gateway asked who somebody is.
    pub(crate) fn questions(&self) -> usize {
        self.questions.load(Ordering::SeqCst)
    }

    /// How often gateways asked for requests.
    pub(crate) fn rate_questions(&self) -> usize {
        self.rate_questions.load(Ordering::SeqCst)
    }

    /// How many gateways listen.
    pub(crate) fn listeners(&self) -> usize {
        self.revocations.receiver_count()
    }

    /// The security events of a kind that were written.
    pub(crate) fn events(&self, kind: SecurityEventKind) -> Vec<NewSecurityEvent> {
        self.events.lock().unwrap().iter().filter(|event| event.kind == kind).cloned().collect()
    }

    /// Waits for the first event of a kind.
    pub(crate) async fn event(&self, kind: SecurityEventKind) -> NewSecurityEvent {
        testkit::wait_until("the security event", SOON, || async { self.events(kind).into_iter().next() })
            .await
    }
}

/// Whether auth counts requests and writes events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Books {
    Open,
    Closed,
}

fn is_internal(request: &HttpRequest) -> bool {
    request.headers().get(api::headers::INTERNAL_KEY).is_some_and(|key| key == testkit::INTERNAL_KEY)
}

async fn exchange(request: HttpRequest, body: Bytes, auth: web::Data<Auth>) -> HttpResponse {
    auth.questions.fetch_add(1, Ordering::SeqCst);
    assert!(request.headers().contains_key("x-correlation-id"));
    if !is_internal(&request) {
        return refuse("internal-only");
    }
    let asked: IdentityRequest = serde_json::from_slice(&body).unwrap();
    if asked.token == UNANSWERED {
        return never().await;
    }
    let Some(known) = auth.sessions.lock().unwrap().get(&asked.token).cloned() else {
        return refuse("session-ended");
    };
    let identity = Identity {
        session_id: known.session_id,
        kind: known.kind,
        ..testkit::identity::of(known.client_id, known.person_id, &known.capabilities)
    };
    let answer = IdentityResponse {
        identity: Signer::shared().token(&identity),
        session_id: known.session_id,
        expires_at: identity.exp,
        client_id: Some(known.client_id),
        person_id: Some(known.person_id),
        networks: known.networks,
    };
    HttpResponse::Ok().json(answer)
}

fn refuse(code: &str) -> HttpResponse {
    let problem = api::Problem {
        r#type: format!("/problems/{code}"),
        title: "Unauthorized".to_owned(),
        status: 401,
        detail: String::new(),
        instance: String::new(),
        errors: Vec::new(),
    };
    HttpResponse::Unauthorized().content_type(api::problem::MEDIA_TYPE).json(problem)
}

/// Takes tokens as `take_request_tokens` does.
async fn take_tokens(request: HttpRequest, body: Bytes, auth: web::Data<Auth>) -> HttpResponse {
    auth.rate_questions.fetch_add(1, Ordering::SeqCst);
    if !is_internal(&request) {
        return refuse("internal-only");
    }
    if !auth.keeps_books.load(Ordering::SeqCst) {
        return HttpResponse::ServiceUnavailable().finish();
    }
    let asked: TakeTokens = serde_json::from_slice(&body).unwrap();
    let mut buckets = auth.buckets.lock().unwrap();
    let items = asked.items.iter().map(|item| take(&mut buckets, item)).collect();
    HttpResponse::Ok().json(TakenTokens { items })
}

fn take(buckets: &mut Buckets, item: &Take) -> Taken {
    let (burst, wanted) = (u32::try_from(item.burst).unwrap(), u32::try_from(item.wanted).unwrap());
    let interval = Duration::from_micros(u64::try_from(item.interval_us).unwrap());
    let now = Instant::now();
    let full_at = buckets.entry(item.key.clone()).or_insert(now);
    *full_at = (*full_at).max(now);
    let left = |full_at: Instant| {
        let room = (interval * burst).saturating_sub(full_at - now);
        u32::try_from(room.as_micros() / interval.as_micros()).unwrap()
    };
    let granted = wanted.min(left(*full_at));
    *full_at += interval * granted;
    let wait = (*full_at - now + interval).saturating_sub(interval * burst);
    Taken {
        granted: i32::try_from(granted).unwrap(),
        remaining: i32::try_from(left(*full_at)).unwrap(),
        retry_after_ms: if granted > 0 { 0 } else { u64::try_from(wait.as_millis()).unwrap().max(1) },
    }
}

async fn write_events(request: HttpRequest, body: Bytes, auth: web::Data<Auth>) -> HttpResponse {
    if !is_internal(&request) {
        return refuse("internal-only");
    }
    if !auth.keeps_books.load(Ordering::SeqCst) {
        return HttpResponse::ServiceUnavailable().finish();
    }
    let letter: SecurityEvents = serde_json::from_slice(&body).unwrap();
    auth.events.lock().unwrap().extend(letter.events);
    HttpResponse::NoContent().finish()
}

async fn revocations(request: HttpRequest, auth: web::Data<Auth>) -> HttpResponse {
    if !is_internal(&request) {
        return refuse("internal-only");
    }
    let revoked = futures_util::stream::unfold(auth.revocations.subscribe(), |mut receiver| async {
        receiver.recv().await.ok().map(|revocation| (revocation, receiver))
    });
    let ticks = tokio::time::interval(Duration::from_millis(50));
    let beats = futures_util::stream::unfold((ticks, auth), |(mut ticks, auth)| async {
        ticks.tick().await;
        (!auth.is_silent.load(Ordering::SeqCst)).then(|| (Revocation::default(), (ticks, auth)))
    });
    let lines = futures_util::stream::select(revoked.boxed_local(), beats.boxed_local()).map(|revocation| {
        Ok::<_, std::io::Error>(Bytes::from(serde_json::to_string(&revocation).unwrap() + "\n"))
    });
    HttpResponse::Ok().streaming(lines)
}
