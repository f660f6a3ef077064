//! What the security log is told.

use domain::security::SecurityEventKind;
use testkit::wait_until;

use crate::auth::Books;
use crate::world::{SOON, World, problem};

#[tokio::test]
async fn every_refusal_of_an_upstream_is_told_with_who_and_where() {
    let world = World::start().await;
    let known = world.auth.sign_in("t");
    let answer = world.get("/tickets/forbidden").bearer_auth("t").send().await.unwrap();
    assert_eq!(answer.status(), 403);
    let event = world.auth.event(SecurityEventKind::AccessRefused).await;
    assert_eq!(event.client_id, Some(known.client_id));
    assert_eq!(event.person_id, Some(known.person_id));
    assert_eq!(event.session_id, Some(known.session_id));
    assert_eq!(event.address, Some("127.0.0.1".parse().unwrap()));
    assert_eq!(event.route.as_deref(), Some("/tickets"));
    assert_eq!(event.detail["by"], "web");
    let correlation = answer.headers().get("x-correlation-id").unwrap().to_str().unwrap();
    assert_eq!(event.correlation_id.to_string(), correlation);
}

#[tokio::test]
async fn forged_and_unreadable_requests_are_told_as_nobodys() {
    let world = World::start().await;
    let forged = world.post("/login").header("cookie", "theme=dark").body("x").send().await.unwrap();
    assert_eq!(problem(forged).await, "403 csrf-refused");
    let event = world.auth.event(SecurityEventKind::CsrfRefused).await;
    assert_eq!((event.client_id, event.route.as_deref()), (None, Some("/login")));
    assert_eq!(world.status_of("GET", "/assets/%2e%2e/x", "").await, "400");
    let event = world.auth.event(SecurityEventKind::RequestBlocked).await;
    assert_eq!((event.client_id, event.route), (None, None));
    assert_eq!(event.detail["code"], "request-refused");
}

#[tokio::test]
async fn a_flood_is_a_few_events_with_a_count() {
    let world = World::with(|settings| settings.spool.merge_ms = 300).await;
    world.auth.sign_in("t");
    let ask = || world.get("/tickets/forbidden").bearer_auth("t").send();
    for answer in futures_util::future::join_all((0..200).map(|_| ask())).await {
        assert_eq!(answer.unwrap().status(), 403);
    }
    let events = wait_until("all of them to be told", SOON, || async {
        let events = world.auth.events(SecurityEventKind::AccessRefused);
        (events.iter().map(|event| event.times).sum::<u32>() == 200).then_some(events)
    })
    .await;
    assert!(events.len() <= 20, "{} events", events.len());
}

#[tokio::test]
async fn events_wait_until_auth_writes_again_and_come_once() {
    let world = World::start().await;
    world.auth.sign_in("t");
    world.auth.books(Books::Closed);
    for path in ["/tickets/forbidden", "/api/v1/users"] {
        assert_eq!(world.get(path).bearer_auth("t").send().await.unwrap().status(), 403);
    }
    world.auth.books(Books::Open);
    let events = wait_until("the events", SOON, || async {
        let events = world.auth.events(SecurityEventKind::AccessRefused);
        (events.len() >= 2).then_some(events)
    })
    .await;
    let ids: std::collections::BTreeSet<_> = events.iter().map(|event| event.id).collect();
    assert_eq!((events.len(), ids.len()), (2, 2));
}

#[tokio::test]
async fn what_is_left_is_told_when_the_gateway_stops() {
    let world = World::with(|settings| settings.spool.pause_ms = 60_000).await;
    let World { auth, gateway, client, auth_upstream: _auth, web: _web, health: _health } = world;
    auth.sign_in("t");
    let url = format!("http://{}/tickets/forbidden", gateway.address.unwrap());
    assert_eq!(client.get(url).bearer_auth("t").send().await.unwrap().status(), 403);
    drop(client);
    assert!(auth.events(SecurityEventKind::AccessRefused).is_empty());
    tokio::time::timeout(SOON, gateway.stop()).await.expect("the gateway stops soon").unwrap();
    assert_eq!(auth.events(SecurityEventKind::AccessRefused).len(), 1);
}
