//! How many requests one caller may send of a class, over all gateways.

use std::time::Duration;

use domain::account::SessionKind;
use domain::security::SecurityEventKind;
use futures_util::future::join_all;
use gateway::{ClassSettings, Settings};
use reqwest::Response;
use service::Running;
use testkit::wait_until;

use crate::auth::Books;
use crate::world::{SOON, World, client, header, problem};

const BURST: usize = 40;

/// Forty at once, and then hardly any.
fn small(settings: &mut Settings) {
    settings.rates.classes.insert("page".to_owned(), ClassSettings { per_minute: 1, burst: 40 });
    settings.rates.lease_ms = 60_000;
    settings.rates.gateways = 1;
}

/// The same for two gateways.
fn small_for_two(settings: &mut Settings) {
    small(settings);
    settings.rates.gateways = 2;
}

async fn read(world: &World, token: &str) -> Response {
    world.get("/tickets").bearer_auth(token).send().await.unwrap()
}

async fn passed(world: &World, token: &str, requests: usize) -> usize {
    let answers = join_all((0..requests).map(|_| read(world, token))).await;
    answers.iter().filter(|answer| answer.status() == 200).count()
}

#[tokio::test]
async fn a_caller_may_send_as_many_as_the_limit_says_and_no_more() {
    let world = World::with(small).await;
    let known = world.auth.sign_in("t");
    assert_eq!(passed(&world, "t", 100).await, BURST);
    let refused = read(&world, "t").await;
    let wait: u64 = header(&refused, "retry-after").unwrap().parse().unwrap();
    assert!((1..=600).contains(&wait), "{wait}");
    assert_eq!(header(&refused, "ratelimit-policy"), Some("\"page\";q=40;w=2400"));
    assert!(header(&refused, "ratelimit").unwrap().starts_with("\"page\";r=0;t="));
    assert_eq!(problem(refused).await, "429 rate-limited");
    let event = world.auth.event(SecurityEventKind::RateLimited).await;
    assert_eq!(event.person_id, Some(known.person_id));
    assert_eq!(world.get("/assets/app.js").send().await.unwrap().status(), 200, "files are not counted");
}

#[tokio::test]
async fn an_answer_tells_what_is_left() {
    let world = World::with(small).await;
    world.auth.sign_in("t");
    let mut left = Vec::new();
    for _ in 0..BURST {
        let answer = read(&world, "t").await;
        assert_eq!(answer.status(), 200);
        let limit = header(&answer, "ratelimit").unwrap();
        let remaining: u64 = limit.split("r=").nth(1).unwrap().split(';').next().unwrap().parse().unwrap();
        left.push(remaining);
    }
    assert_eq!(left.first(), Some(&39));
    assert!(left.is_sorted_by(|before, after| before >= after), "{left:?}");
    assert_eq!(left.last(), Some(&0));
    assert_eq!(read(&world, "t").await.status(), 429);
    let free = world.get("/assets/app.js").send().await.unwrap();
    assert_eq!(header(&free, "ratelimit"), None);
}

/// Another gateway before the same services.
async fn second_gateway(world: &World, change: fn(&mut Settings)) -> Running {
    let urls =
        [("AUTH", world.auth_upstream.url()), ("WEB", world.web.url()), ("HEALTH", world.health.url())];
    let mut settings = crate::world::settings(&urls);
    change(&mut settings);
    service::spawn(gateway::about(), settings, gateway::start).await.unwrap()
}

/// All of the limit is at auth, and nothing is asked for ahead.
fn exact(settings: &mut Settings) {
    small(settings);
    settings.rates.own_share_percent = 0;
    settings.rates.lease_requests_max = 0;
}

#[tokio::test]
async fn two_gateways_share_one_limit_exactly() {
    let world = World::with(exact).await;
    let second = second_gateway(&world, exact).await;
    world.auth.sign_in("t");
    let client = client();
    let addresses = [world.address(), second.address.unwrap()];
    let requests = (0..120).map(|number| {
        let url = format!("http://{}/tickets", addresses[number % 2]);
        client.get(url).bearer_auth("t").send()
    });
    let answers = join_all(requests).await;
    let passed = answers.into_iter().filter(|answer| answer.as_ref().unwrap().status() == 200).count();
    assert_eq!(passed, BURST);
}

#[tokio::test]
async fn two_gateways_with_shares_and_leases_never_pass_more_than_the_limit() {
    let world = World::with(small_for_two).await;
    let second = second_gateway(&world, small_for_two).await;
    world.auth.sign_in("t");
    let client = client();
    let addresses = [world.address(), second.address.unwrap()];
    let mut passed = 0;
    for number in 0..200_usize {
        let url = format!("http://{}/tickets", addresses[number % 2]);
        let answer = client.get(url).bearer_auth("t").send().await.unwrap();
        passed += usize::from(answer.status() == 200);
    }
    assert!((BURST - 4..=BURST).contains(&passed), "{passed}");
}

#[tokio::test]
async fn a_person_has_one_limit_and_a_key_and_a_network_have_their_own() {
    let world = World::with(small).await;
    let known = world.auth.sign_in("browser");
    let same = |kind| {
        move |other: &mut crate::auth::Known| {
            (other.client_id, other.person_id, other.kind) = (known.client_id, known.person_id, kind);
        }
    };
    world.auth.sign_in_as("handset", same(SessionKind::Mobile));
    world.auth.sign_in_as("key", same(SessionKind::Key));
    world.auth.sign_in("colleague");
    assert_eq!(passed(&world, "browser", 60).await, BURST);
    assert_eq!(read(&world, "handset").await.status(), 429);
    assert_eq!(read(&world, "key").await.status(), 200);
    assert_eq!(read(&world, "colleague").await.status(), 200);
    assert_eq!(world.get("/login").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_quiet_caller_costs_auth_no_question_and_a_busy_one_few() {
    let world = World::start().await;
    world.auth.sign_in("t");
    for _ in 0..20 {
        assert_eq!(read(&world, "t").await.status(), 200);
    }
    assert_eq!(world.auth.rate_questions(), 0);
    for _ in 0..15 {
        assert_eq!(passed(&world, "t", 100).await, 100);
    }
    let questions = world.auth.rate_questions();
    assert!((1..100).contains(&questions), "{questions}");
}

fn degraded_soon(settings: &mut Settings) {
    small(settings);
    settings.rates.gateways = 4;
    settings.rates.rest_ms = 100;
}

#[tokio::test]
async fn without_auth_each_gateway_gives_out_its_part_and_nobody_tries_a_password() {
    let world = World::with(degraded_soon).await;
    world.auth.sign_in("t");
    world.auth.books(Books::Closed);
    assert_eq!(passed(&world, "t", 60).await, BURST / 4);
    let refused = read(&world, "t").await;
    assert_eq!(header(&refused, "ratelimit-policy"), Some("\"page\";q=10;w=2400;degraded"));
    assert_eq!(problem(refused).await, "429 rate-limited");
    let sign_in = world.post("/api/v1/session").header("content-type", "application/json").body("{}");
    let closed = sign_in.send().await.unwrap();
    assert!(closed.headers().contains_key("retry-after"));
    assert_eq!(problem(closed).await, "503 rates-unavailable");
    world.auth.books(Books::Open);
    wait_until("auth to count again", SOON, || async {
        (read(&world, "t").await.status() == 200).then_some(())
    })
    .await;
    let passed = passed(&world, "t", 60).await;
    assert!(passed <= 36, "{passed}");
}

#[tokio::test]
async fn after_a_while_without_auth_nothing_is_changed() {
    let world = World::with(|settings| {
        settings.rates.own_share_percent = 0;
        settings.rates.degraded_ms = 300;
    })
    .await;
    world.auth.sign_in("t");
    world.auth.books(Books::Closed);
    let change = || {
        world.post("/tickets").bearer_auth("t").header("content-type", "application/json").body("{}").send()
    };
    assert_eq!(change().await.unwrap().status(), 200);
    let refused = wait_until("changes to be refused", SOON, || async {
        let answer = change().await.unwrap();
        (answer.status() != 200).then_some(answer)
    })
    .await;
    assert_eq!(problem(refused).await, "503 rates-unavailable");
    assert_eq!(read(&world, "t").await.status(), 200);
}

#[tokio::test]
async fn an_auth_that_does_not_answer_holds_nobody_up_for_long() {
    let world = World::with(|settings| {
        settings.rates.own_share_percent = 0;
        settings.upstreams.insert("auth".to_owned(), vec!["http://192.0.2.1:9".parse().unwrap()].into());
    })
    .await;
    let started = std::time::Instant::now();
    for _ in 0..50 {
        assert_eq!(world.get("/login").send().await.unwrap().status(), 200);
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}
