//! How often one client may try.

use gateway::Settings;
use reqwest::Response;

use crate::world::{World, header, problem};

fn with_small_rates(settings: &mut Settings) {
    settings.trusted_proxies.networks = vec!["127.0.0.0/8".parse().unwrap()].into();
    settings.trusted_proxies.none_in_front = false;
    settings.rates.sign_in_burst = 3;
    settings.rates.sign_ins_per_second = 1;
    settings.rates.refusal_burst = 3;
    settings.rates.refusals_per_second = 1;
}

async fn sign_in(world: &World, address: &str) -> Response {
    let request = world.post("/api/v1/session").header("content-type", "application/json").body("{}");
    request.header("x-forwarded-for", address).send().await.unwrap()
}

async fn show(world: &World, token: &str, address: &str) -> Response {
    world.get("/api/v1/tickets").bearer_auth(token).header("x-forwarded-for", address).send().await.unwrap()
}

#[tokio::test]
async fn one_client_tries_to_sign_in_only_so_often() {
    let world = World::with(with_small_rates).await;
    for address in ["2001:db8::1", "2001:db8::2", "2001:db8::3"] {
        assert_eq!(sign_in(&world, address).await.status(), 200);
    }
    let limited = sign_in(&world, "2001:db8::4").await;
    assert_eq!(header(&limited, "retry-after"), Some("1"));
    assert_eq!(problem(limited).await, "429 too-many-requests");
    let page = world.post("/login").header("x-forwarded-for", "2001:db8::1").send().await.unwrap();
    assert_eq!(problem(page).await, "429 too-many-requests");
    let reading = world.get("/login").header("x-forwarded-for", "2001:db8::1").send().await.unwrap();
    assert_eq!(reading.status(), 200);
    assert_eq!(sign_in(&world, "2001:db8:0:1::1").await.status(), 200);
}

#[tokio::test]
async fn the_default_lets_hundreds_sign_in_at_once() {
    let world = World::start().await;
    let tries = (0..400)
        .map(|_| world.post("/api/v1/session").header("content-type", "application/json").body("{}").send());
    for answer in futures_util::future::join_all(tries).await {
        assert_eq!(answer.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn one_client_shows_credentials_of_nobody_only_so_often() {
    let world = World::with(with_small_rates).await;
    world.auth.sign_in("t");
    world.auth.sign_in("new");
    world.wait_for_cache("t").await;
    let client = "192.0.2.1";
    assert_eq!(show(&world, "t", client).await.status(), 200);
    for token in ["a", "b", "c"] {
        assert_eq!(show(&world, token, client).await.status(), 401);
    }
    let questions = world.auth.questions();
    let limited = show(&world, "d", client).await;
    assert!(limited.headers().contains_key("retry-after"));
    assert_eq!(problem(limited).await, "429 too-many-requests");
    assert_eq!(world.auth.questions(), questions);
    assert_eq!(show(&world, "t", client).await.status(), 200, "who is known passes all the same");
    assert_eq!(show(&world, "a", client).await.status(), 401, "what is known costs nothing");
    assert_eq!(show(&world, "new", "192.0.2.2").await.status(), 200);
}
