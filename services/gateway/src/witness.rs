//! What the security log is told of requests that were refused, here or behind.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use domain::security::SecurityEventKind;
use serde_json::json;
use service::Problem;

use crate::gate::Gate;
use crate::spool::Sighting;
use crate::visit::Visit;

/// Tells of a request that two servers could read in two ways: nobody knows whose it is or where it would go.
pub(crate) fn tell_of_unreadable(request: &HttpRequest, gate: &Gate, problem: &Problem) {
    let Ok(client) = gate.client_of(request) else {
        return;
    };
    let sighting = Sighting {
        kind: SecurityEventKind::RequestBlocked,
        address: client.address,
        route: None,
        correlation_id: service::correlation_id(request),
        client_id: None,
        person_id: None,
        session_id: None,
        detail: json!({ "code": problem.code() }),
    };
    gate.spool.record(sighting, gate.clock.now());
}

/// Tells of a refusal. What the inspector refuses it tells itself, with its reason.
pub(crate) fn tell_of_refused(visit: &Visit<'_>, gate: &Gate, answer: &Result<HttpResponse, Problem>) {
    let (kind, detail) = match answer {
        Ok(answer) if answer.status() == StatusCode::FORBIDDEN => {
            (SecurityEventKind::AccessRefused, json!({ "by": visit.route.upstream }))
        }
        Ok(_passed) => return,
        Err(problem) => match kind_of(problem.code()) {
            Some(kind) => (kind, json!({ "by": "gateway", "code": problem.code() })),
            None => return,
        },
    };
    gate.spool.record(visit.sighting(kind, detail), gate.clock.now());
}

fn kind_of(code: &str) -> Option<SecurityEventKind> {
    match code {
        "csrf-refused" => Some(SecurityEventKind::CsrfRefused),
        "forbidden" | "network-refused" => Some(SecurityEventKind::AccessRefused),
        "rate-limited" | "too-many-requests" => Some(SecurityEventKind::RateLimited),
        _other => None,
    }
}
