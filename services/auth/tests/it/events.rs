//! Security events, told by gateways.

use api::security::{EVENTS_MAX, PATH};
use domain::{ClientId, CorrelationId, SecurityEventId};
use serde_json::{Value, json};

use crate::stage::{Auth, Ground, problem};

fn event(client: Option<ClientId>) -> Value {
    let mut event = json!({
        "id": SecurityEventId::generate(),
        "at": "2026-01-02T03:04:05Z",
        "kind": "request_blocked",
        "address": "2001:db8::1",
        "route": "/api/v1/tickets/{id}",
        "times": 3,
        "correlation_id": CorrelationId::generate(),
        "detail": { "reason": "sql" },
    });
    if let Some(client) = client {
        event["client_id"] = json!(client);
    }
    event
}

async fn status(auth: &Auth, events: &[Value]) -> u16 {
    let sent = auth.internal("POST", PATH).json(&json!({ "events": events })).send().await.unwrap();
    sent.status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_client_gets_its_own_events_and_nobodys_are_nobodys() {
    let ground = Ground::lay().await;
    let globex = ground.db.client("GLOBEX").await;
    let auth = Auth::on(&ground).await;
    let events = [event(Some(ground.acme)), event(None), event(Some(globex)), event(Some(ground.acme))];
    assert_eq!(status(&auth, &events).await, 204);
    for (client, count) in [(ground.acme.to_string(), 2), (globex.to_string(), 1), (nil(), 1)] {
        let sql = format!(
            "select count(*) from security_event
              where client_id = '{client}' and kind = 'request_blocked' and times = 3 and host(address) = '2001:db8::1'
                and route = '/api/v1/tickets/{{id}}' and detail = '{{\"reason\": \"sql\"}}'
                and at = '2026-01-02T03:04:05Z'"
        );
        assert_eq!(ground.db.count(&sql).await, count, "{client}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_comes_again_changes_nothing() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let events = [event(Some(ground.acme)), event(None)];
    for _ in 0..2 {
        assert_eq!(status(&auth, &events).await, 204);
    }
    assert_eq!(ground.db.count("select count(*) from security_event").await, 2);
    let marks = "select count(*) from audit_mark where trail = 'SECURITY'";
    assert_eq!(ground.db.count(marks).await, 2, "and each is sealed once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_to_come_becomes_the_databases_own() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let mut ahead = event(None);
    ahead["at"] = json!("2199-01-01T00:00:00Z");
    assert_eq!(status(&auth, &[ahead]).await, 204);
    assert_eq!(ground.db.count("select count(*) from security_event where at <= now()").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_event_is_refused_and_nothing_of_its_batch_is_written() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let changed = |key: &str, value: Value| {
        let mut event = event(None);
        event[key] = value;
        event
    };
    for wrong in [
        changed("times", json!(0)),
        changed("times", json!(u32::MAX)),
        changed("kind", json!("of_no_kind")),
        changed("detail", json!("text")),
        changed("detail", json!({ "long": "x".repeat(5_000) })),
        changed("address", json!("here")),
        changed("unknown", json!(1)),
    ] {
        assert_eq!(status(&auth, &[event(None), wrong.clone()]).await, 400, "{wrong}");
    }
    assert_eq!(status(&auth, &vec![event(None); EVENTS_MAX + 1]).await, 400);
    assert_eq!(ground.db.count("select count(*) from security_event").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_internal_key_nobody_tells_events() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let body = json!({ "events": [event(Some(ground.acme))] });
    let (status, refused) = problem(auth.request("POST", PATH).json(&body).send().await.unwrap()).await;
    assert_eq!((status, &refused["type"]), (401, &json!("/problems/internal-only")));
}

fn nil() -> String {
    "00000000-0000-0000-0000-000000000000".to_owned()
}
