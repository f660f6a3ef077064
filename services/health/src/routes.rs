//! The URL table and its answers. Nothing here waits for anybody.

use std::collections::BTreeMap;
use std::time::Instant;

use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder, web};
use api::health::{AliveReport, HealthReport, HealthStatus, Readiness};
use serde::Serialize;
use serde_json::{Value, json};
use service::Clock;

use crate::board::Board;
use crate::report::{self, Audience};

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct State {
    /// What is known.
    pub(crate) board: Board,
    /// What time it is.
    pub(crate) clock: Clock,
    /// When the process started.
    pub(crate) started: Instant,
    /// Version of this process.
    pub(crate) version: &'static str,
}

/// Registers the URLs.
pub(crate) fn configure(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/health/").get(get_health))
        .service(web::resource("/health/detailed/").get(get_detailed_health))
        .service(web::resource("/ready/").get(get_ready))
        .service(web::resource("/alive/").get(get_alive));
}

/// Says how everything does; 503 when a critical check fails.
async fn get_health(state: web::Data<State>) -> HttpResponse {
    let report = state.report(Audience::Everyone);
    let answer = match report.status {
        HealthStatus::Healthy | HealthStatus::Degraded => HttpResponse::Ok(),
        HealthStatus::Unhealthy => HttpResponse::ServiceUnavailable(),
    };
    fresh(answer, &report)
}

/// Says everything that is known, always with 200: a reader wants to read it most when all is broken.
async fn get_detailed_health(state: web::Data<State>) -> HttpResponse {
    let mut report = state.report(Audience::Operators);
    report.system_info = Some(state.system_info());
    fresh(HttpResponse::Ok(), &report)
}

/// Says whether work can be sent here.
async fn get_ready(state: web::Data<State>) -> HttpResponse {
    let report = report::ready(&state.board.standings(Instant::now()), state.clock.now());
    let answer = match report.status {
        Readiness::Ready => HttpResponse::Ok(),
        Readiness::NotReady => HttpResponse::ServiceUnavailable(),
    };
    fresh(answer, &report)
}

/// Says that this process answers.
async fn get_alive(state: web::Data<State>) -> HttpResponse {
    let report = AliveReport {
        status: "alive".to_owned(),
        timestamp: state.clock.now(),
        uptime_seconds: state.started.elapsed().as_secs(),
    };
    fresh(HttpResponse::Ok(), &report)
}

fn fresh(mut answer: HttpResponseBuilder, body: &impl Serialize) -> HttpResponse {
    answer.insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store"))).json(body)
}

impl State {
    fn report(&self, audience: Audience) -> HealthReport {
        let mut report = report::health(&self.board.standings(Instant::now()), self.clock.now(), audience);
        report.uptime_seconds = self.started.elapsed().as_secs();
        report
    }

    fn system_info(&self) -> BTreeMap<String, Value> {
        let processors = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
        [
            ("version", json!(self.version)),
            ("process_id", json!(std::process::id())),
            ("processors", json!(processors)),
            ("operating_system", json!(std::env::consts::OS)),
            ("architecture", json!(std::env::consts::ARCH)),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }
}
