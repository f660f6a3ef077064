//! From the log of security events to what the contract promises; for page and API.

use api::security::{SecurityEvent, SecurityQuery};
use domain::security::SecurityEventKind;
use domain::{Actor, FieldError, SecurityEventId};
use jiff::Timestamp;
use service::Problem;
use uuid::Uuid;

use crate::cursor;
use crate::refusal::Refusal;
use crate::state::State;

/// Events of one page.
const PAGE: u16 = 50;

/// Whose events are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Those of the reader's client.
    Ours,
    /// Those of nobody in particular, for operators.
    OfNobody,
}

/// Events of a page, the latest first, and the cursor of the next.
pub(crate) async fn events(
    state: &State,
    actor: &Actor,
    whose: Whose,
    query: &SecurityQuery,
) -> Result<(Vec<SecurityEvent>, Option<String>), Problem> {
    let (place, kind) = parse(query)?;
    let end = (Timestamp::MAX, SecurityEventId::from_uuid(Uuid::max()));
    let before = place.map_or(end, |(at, id)| (at, SecurityEventId::from_uuid(id)));
    let mut found = match whose {
        Whose::Ours => app::security::list(&state.store, actor, before, kind, PAGE + 1).await?,
        Whose::OfNobody => app::security::list_of_nobody(&state.store, actor, before.0, PAGE + 1).await?,
    };
    let more = found.len() > usize::from(PAGE);
    found.truncate(usize::from(PAGE));
    let next = found.last().filter(|_| more).map(|last| cursor::encode(last.at, last.id.as_uuid()));
    Ok((found.into_iter().map(event).collect(), next))
}

/// A place in the log, and the kind that is looked for.
type Wish = (Option<(Timestamp, Uuid)>, Option<SecurityEventKind>);

fn parse(query: &SecurityQuery) -> Result<Wish, Refusal> {
    let typed = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let mut broken = Vec::new();
    let before = typed(&query.before).and_then(|text| {
        let place = cursor::decode(&text);
        if place.is_none() {
            broken.push(FieldError::new("/before", "take the cursor from the page before"));
        }
        place
    });
    let kind = typed(&query.kind).and_then(|text| {
        let kind = text.parse().ok();
        if kind.is_none() {
            broken.push(FieldError::new("/kind", "choose one of the kinds"));
        }
        kind
    });
    if broken.is_empty() { Ok((before, kind)) } else { Err(Refusal::SecurityFilter(broken)) }
}

fn event(event: app::security::SecurityEvent) -> SecurityEvent {
    SecurityEvent {
        id: event.id,
        at: event.at,
        kind: event.kind,
        person_id: event.person_id,
        person_name: event.person_name,
        login: event.login,
        address: event.address,
        route: event.route,
        times: u32::try_from(event.times).unwrap_or(1),
        correlation_id: event.correlation_id,
        detail: event.detail,
    }
}
