//! `POST /internal/rates`: tokens of buckets that all gateways share.
//!
//! One statement at a time goes to the database. Whoever asks meanwhile waits, and the next statement carries all who wait:
//! the busier it is, the more of them share one. A question that cannot be asked in time is answered 503, and gateways
//! count for themselves until it can.

mod batch;

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use api::rate::{ITEMS_MAX, Take, TakeTokens, Taken, TakenTokens};
use app::rates::TokenRequest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::FieldError;
use service::extract::Json;
use service::{Context, Internal, Problem};
use store::Store;
use tokio::sync::{mpsc, oneshot};

use crate::machine_settings::RateSettings;
use crate::rates::batch::Batch;
use crate::refusal::Refusal;
use crate::settings::Settings;
use crate::state::State;
use crate::telemetry::{RATE_QUESTIONS, RATE_STATEMENTS};

/// The longest time of one token: a day.
const INTERVAL_US_MAX: i64 = 86_400_000_000;

/// The largest bucket.
const BURST_MAX: i32 = 1_000_000;

/// One gateway's question, and where its answer goes; `None` when there is none.
struct Question {
    wanted: Vec<TokenRequest>,
    answer: oneshot::Sender<Option<Vec<Taken>>>,
}

/// Who takes tokens. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Rates {
    questions: mpsc::Sender<Question>,
}

impl Rates {
    /// Starts taking in the background.
    pub(crate) fn start(store: &Store, ctx: &Context<Settings>) -> Self {
        let settings = ctx.settings.rates;
        let (questions, waiting) = mpsc::channel(settings.waiting_max);
        let (store, drain) = (store.clone(), ctx.drain.clone());
        ctx.tasks.spawn("rates", async move {
            drain.token().run_until_cancelled(answer_all(store, settings, waiting)).await;
        });
        Self { questions }
    }

    /// Takes tokens together with all who ask at the moment.
    async fn take(&self, wanted: Vec<TokenRequest>) -> Result<Vec<Taken>, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.questions.try_send(Question { wanted, answer }).map_err(|_full| Refusal::Rates)?;
        answered.await.ok().flatten().ok_or(Refusal::Rates)
    }
}

/// Answers questions for ever: all that wait in one statement.
async fn answer_all(store: Store, settings: RateSettings, mut waiting: mpsc::Receiver<Question>) {
    while let Some(first) = waiting.recv().await {
        let questions = gather(first, &mut waiting, settings.keys_max);
        let mut batch = Batch::new();
        for question in &questions {
            batch.add(&question.wanted);
        }
        let taken = take(&store, settings.answer(), &batch.requests()).await;
        let mut shares = taken.map(|taken| batch.share(&taken));
        for question in questions {
            let share = shares.as_mut().map(|shares| shares.give(&question.wanted));
            // Whoever hung up meanwhile has no use for an answer.
            drop(question.answer.send(share));
        }
    }
}

/// Everything that waits, up to so many keys. Who hung up wants nothing any more.
fn gather(first: Question, waiting: &mut mpsc::Receiver<Question>, keys_max: usize) -> Vec<Question> {
    let mut keys = first.wanted.len();
    let mut questions = vec![first];
    while keys < keys_max
        && let Ok(next) = waiting.try_recv()
    {
        keys += next.wanted.len();
        questions.push(next);
    }
    questions.retain(|question| !question.answer.is_closed());
    questions
}

async fn take(
    store: &Store,
    limit: Duration,
    requests: &[TokenRequest],
) -> Option<Vec<app::rates::TokenGrant>> {
    if requests.is_empty() {
        return Some(Vec::new());
    }
    metrics::counter!(RATE_STATEMENTS).increment(1);
    match tokio::time::timeout(limit, app::rates::take(store, requests)).await {
        Ok(Ok(taken)) => Some(taken),
        Ok(Err(error)) => {
            tracing::warn!(error.chain = domain::fault::chain(&error), "request tokens cannot be taken");
            None
        }
        Err(_elapsed) => {
            tracing::warn!("request tokens were not taken in time");
            None
        }
    }
}

/// Takes tokens for a gateway.
pub(crate) async fn take_tokens(
    _caller: Internal,
    body: Json<TakeTokens>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    metrics::counter!(RATE_QUESTIONS).increment(1);
    let items = state.rates.take(parse(&body.items)?).await?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(TakenTokens { items }))
}

fn parse(items: &[Take]) -> Result<Vec<TokenRequest>, Refusal> {
    let mut mistakes = Vec::new();
    if items.is_empty() || items.len() > ITEMS_MAX {
        mistakes.push(FieldError::new("/items", format!("ask for 1 to {ITEMS_MAX} keys at a time")));
    }
    let mut requests = Vec::with_capacity(items.len().min(ITEMS_MAX));
    for (index, item) in items.iter().enumerate().take(ITEMS_MAX) {
        match parse_one(item) {
            Ok(request) => requests.push(request),
            Err((field, what)) => mistakes.push(FieldError::new(format!("/items/{index}/{field}"), what)),
        }
    }
    if mistakes.is_empty() { Ok(requests) } else { Err(Refusal::Question(mistakes)) }
}

fn parse_one(item: &Take) -> Result<TokenRequest, (&'static str, &'static str)> {
    let key = STANDARD.decode(&item.key).ok().and_then(|bytes| bytes.try_into().ok());
    let key = key.ok_or(("key", "use 16 bytes in base 64"))?;
    if !(1..=INTERVAL_US_MAX).contains(&item.interval_us) {
        return Err(("interval_us", "use 1 to 86,400,000,000 microseconds"));
    }
    if !(1..=BURST_MAX).contains(&item.burst) {
        return Err(("burst", "use 1 to 1,000,000"));
    }
    if !(1..=item.burst).contains(&item.wanted) {
        return Err(("wanted", "use 1 to the burst"));
    }
    Ok(TokenRequest { key, interval_us: item.interval_us, burst: item.burst, wanted: item.wanted })
}
