//! Credentials that may be used from some networks only.

use domain::account::SessionKind;
use domain::security::SecurityEventKind;
use gateway::Settings;
use reqwest::Response;

use crate::world::{World, problem};

fn behind_a_proxy(settings: &mut Settings) {
    settings.trusted_proxies.networks = vec!["127.0.0.0/8".parse().unwrap()].into();
    settings.trusted_proxies.none_in_front = false;
}

async fn use_from(world: &World, token: &str, address: &str) -> Response {
    world.get("/api/v1/tickets").bearer_auth(token).header("x-forwarded-for", address).send().await.unwrap()
}

#[tokio::test]
async fn a_key_of_one_network_is_refused_from_another_though_it_is_known() {
    let world = World::with(behind_a_proxy).await;
    let key = world.auth.sign_in_as("key", |known| {
        known.kind = SessionKind::Key;
        known.networks = vec!["10.0.0.0/8".to_owned(), "2001:db8::/32".to_owned()];
    });
    world.auth.sign_in("anywhere");
    world.wait_for_cache("anywhere").await;
    assert_eq!(use_from(&world, "key", "10.1.2.3").await.status(), 200);
    let questions = world.auth.questions();
    assert_eq!(problem(use_from(&world, "key", "192.0.2.1").await).await, "403 network-refused");
    assert_eq!(use_from(&world, "key", "2001:db8::1").await.status(), 200);
    assert_eq!(use_from(&world, "anywhere", "192.0.2.1").await.status(), 200);
    assert_eq!(world.auth.questions(), questions, "nobody was asked again");
    let event = world.auth.event(SecurityEventKind::AccessRefused).await;
    assert_eq!(event.client_id, Some(key.client_id));
    assert_eq!(event.session_id, Some(key.session_id));
    assert_eq!(event.address, Some("192.0.2.1".parse().unwrap()));
    assert_eq!(event.detail["code"], "network-refused");
}

#[tokio::test]
async fn a_key_that_is_new_to_the_gateway_is_refused_from_the_wrong_network() {
    let world = World::with(behind_a_proxy).await;
    world.auth.sign_in_as("key", |known| known.networks = vec!["10.0.0.0/8".to_owned()]);
    assert_eq!(problem(use_from(&world, "key", "192.0.2.1").await).await, "403 network-refused");
    let optional = world.get("/login").bearer_auth("key").header("x-forwarded-for", "192.0.2.1");
    assert_eq!(problem(optional.send().await.unwrap()).await, "403 network-refused");
}

#[tokio::test]
async fn who_comes_through_an_unknown_proxy_is_in_no_network_of_a_key() {
    let world = World::start().await;
    world.auth.sign_in_as("key", |known| known.networks = vec!["127.0.0.0/8".to_owned()]);
    let straight = world.get("/api/v1/tickets").bearer_auth("key").send().await.unwrap();
    assert_eq!(straight.status(), 200);
    assert_eq!(problem(use_from(&world, "key", "127.0.0.1").await).await, "403 network-refused");
}

#[tokio::test]
async fn networks_that_cannot_be_read_let_nobody_in() {
    let world = World::start().await;
    world.auth.sign_in_as("key", |known| known.networks = vec!["everywhere".to_owned()]);
    let answer = world.get("/api/v1/tickets").bearer_auth("key").send().await.unwrap();
    assert_eq!(problem(answer).await, "503 auth-unavailable");
}
