//! `POST /internal/events`: what gateways saw, into the log of security events.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::web::Data;
use api::security::{self, EVENTS_MAX, SecurityEvents};
use app::security::NewSecurityEvent;
use domain::{ClientId, FieldError};
use service::extract::Json;
use service::{Internal, Problem};

use crate::refusal::Refusal;
use crate::state::State;

/// Bytes the detail of an event may have as JSON.
const DETAIL_BYTES_MAX: usize = 4_096;

/// Writes an event that belongs to no transaction. What cannot be written is lost to the log of security events and stands in
/// the process's: who is refused is refused all the same.
pub(crate) async fn tell(state: &State, client: Option<ClientId>, event: NewSecurityEvent) {
    let kind = event.kind;
    let told = app::security::record(&state.store, client, std::slice::from_ref(&event));
    let reason = match tokio::time::timeout(state.database_answer, told).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => domain::fault::chain(&error),
        Err(_elapsed) => "the database did not answer in time".to_owned(),
    };
    tracing::warn!(event.kind = kind.as_str(), error.chain = reason, "a security event could not be written");
}

/// Writes events, those of each client for itself. A batch that comes again changes nothing, so that whoever got no answer
/// repeats it.
pub(crate) async fn record_events(
    _caller: Internal,
    body: Json<SecurityEvents>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let events = body.into_inner().events;
    let mistakes = mistakes(&events);
    if !mistakes.is_empty() {
        return Err(Refusal::Question(mistakes).into());
    }
    let mut by_client: BTreeMap<Option<ClientId>, Vec<NewSecurityEvent>> = BTreeMap::new();
    for event in events {
        by_client.entry(event.client_id).or_default().push(kept(event));
    }
    for (client, events) in by_client {
        state.ask(app::security::record(&state.store, client, &events)).await?;
    }
    Ok(HttpResponse::NoContent().finish())
}

fn mistakes(events: &[security::NewSecurityEvent]) -> Vec<FieldError> {
    let mut mistakes = Vec::new();
    if events.len() > EVENTS_MAX {
        mistakes.push(FieldError::new("/events", format!("send at most {EVENTS_MAX} at a time")));
    }
    for (index, event) in events.iter().enumerate().take(EVENTS_MAX) {
        if event.times == 0 || i32::try_from(event.times).is_err() {
            mistakes.push(FieldError::new(format!("/events/{index}/times"), "use 1 to 2,147,483,647"));
        }
        if !event.detail.is_object() || event.detail.to_string().len() > DETAIL_BYTES_MAX {
            mistakes.push(FieldError::new(
                format!("/events/{index}/detail"),
                format!("use an object of at most {DETAIL_BYTES_MAX} bytes"),
            ));
        }
    }
    mistakes
}

fn kept(event: security::NewSecurityEvent) -> NewSecurityEvent {
    NewSecurityEvent {
        id: event.id,
        at: event.at,
        kind: event.kind,
        person_id: event.person_id,
        session_id: event.session_id,
        login: event.login,
        address: event.address,
        route: event.route,
        times: event.times,
        correlation_id: event.correlation_id,
        detail: event.detail,
    }
}
