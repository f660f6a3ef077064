//! The admin listener: `/livez`, `/readyz`, `/metrics`, `PUT /log`.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use domain::{Fault, FaultKind};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::entrance::Entrance;
use crate::listener::{Audience, Listener};
use crate::problem::Problem;
use crate::server::Exposure;
use crate::telemetry::{FilterError, LogFilter};
use crate::{HttpSettings, Readiness};

const WORKERS: usize = 1;
const CONNECTIONS_MAX: usize = 64;
const BODY_BYTES_MAX: usize = 4096;
const REQUEST_TIMEOUT_MS: u64 = 2000;
const KEEP_ALIVE_MS: u64 = 15_000;
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// What the admin listener shows and changes.
#[derive(Clone, Debug)]
pub(crate) struct Admin {
    pub(crate) readiness: Readiness,
    pub(crate) metrics: PrometheusHandle,
    pub(crate) filter: LogFilter,
}

impl Admin {
    /// Binds the admin port.
    pub(crate) fn bind(self, bind: SocketAddr) -> anyhow::Result<Listener> {
        let settings = HttpSettings {
            bind,
            workers: WORKERS,
            connections_max: CONNECTIONS_MAX,
            body_bytes_max: BODY_BYTES_MAX,
            request_timeout_ms: REQUEST_TIMEOUT_MS,
            header_timeout_ms: REQUEST_TIMEOUT_MS,
            keep_alive_ms: KEEP_ALIVE_MS,
        };
        let admin = Data::new(self);
        let audience =
            Audience { exposure: Exposure::Internal, decorate: None, entrance: Entrance::default() };
        Listener::bind(&settings, STOP_TIMEOUT, audience, move |routes: &mut ServiceConfig| {
            routes
                .app_data(admin.clone())
                .service(web::resource("/livez").get(live))
                .service(web::resource("/readyz").get(ready))
                .service(web::resource("/metrics").get(metrics))
                .service(web::resource("/log").put(log));
        })
    }
}

/// The process runs. Asks nothing else, so that a lost database restarts nobody.
async fn live() -> &'static str {
    "alive\n"
}

/// Whether the process takes work, from memory.
async fn ready(admin: Data<Admin>) -> HttpResponse {
    let report = admin.readiness.report();
    if report.ready {
        HttpResponse::Ok().json(report)
    } else {
        HttpResponse::ServiceUnavailable().json(report)
    }
}

async fn metrics(admin: Data<Admin>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(admin.metrics.render())
}

/// Changes the log filter; from the same machine only.
async fn log(request: HttpRequest, body: String, admin: Data<Admin>) -> Result<HttpResponse, Problem> {
    if !request.peer_addr().is_some_and(|peer| peer.ip().is_loopback()) {
        return Err(Problem::internal_only());
    }
    admin.filter.set(body.trim())?;
    tracing::info!(log_filter = body.trim(), "the log filter changed");
    Ok(HttpResponse::NoContent().finish())
}

impl Fault for FilterError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Malformed(_) => FaultKind::Invalid,
            Self::NotOurs => FaultKind::Conflict,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "log-filter-invalid",
            Self::NotOurs => "log-filter-fixed",
        }
    }

    fn public(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Malformed(_) => "Give a filter such as `info,store=debug`.",
            Self::NotOurs => "The log of this process is set up elsewhere and cannot change.",
        })
    }
}
