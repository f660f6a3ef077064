//! Auth is away: what is read goes on for a moment, and nothing else.

use std::time::{Duration, Instant};

use reqwest::{Response, StatusCode};
use testkit::wait_until;

use crate::world::{SOON, World, problem, received};

const CACHE: Duration = Duration::from_secs(3);

async fn signed_in(token: &str) -> World {
    let cache_ms = u64::try_from(CACHE.as_millis()).unwrap();
    let world = World::with(|settings| settings.identity.cache_ms = cache_ms).await;
    world.auth.sign_in(token);
    world.wait_for_cache(token).await;
    world
}

async fn read(world: &World, token: &str) -> Response {
    world.get("/api/v1/tickets").bearer_auth(token).send().await.unwrap()
}

#[tokio::test]
async fn reads_go_on_for_the_cache_time_and_end_then() {
    let world = signed_in("t").await;
    world.auth_upstream.stop().await;
    let stopped = Instant::now();
    let answer = received(read(&world, "t").await).await;
    assert!(answer.header("x-youtility-identity").is_some(), "web knows who reads");
    let head = world.request(reqwest::Method::HEAD, "/tickets").bearer_auth("t").send().await.unwrap();
    assert_eq!(head.status(), 200);
    let refused = wait_until("the end of the grace", SOON, || async {
        let answer = read(&world, "t").await;
        (answer.status() != 200).then_some(answer)
    })
    .await;
    let lasted = stopped.elapsed();
    assert!(lasted <= CACHE + Duration::from_secs(2), "{lasted:?}");
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(problem(refused).await, "503 auth-unavailable");
}

#[tokio::test]
async fn nothing_is_changed_nobody_signs_in_and_no_stranger_is_let_in_without_auth() {
    let world = signed_in("t").await;
    world.auth_upstream.stop().await;
    let refused = wait_until("the loss of auth to be noticed", SOON, || async {
        let change = world.post("/api/v1/tickets").bearer_auth("t").body("{}").send().await.unwrap();
        (change.status() != 200).then_some(change)
    })
    .await;
    assert_eq!(problem(refused).await, "503 auth-unavailable");
    assert_eq!(problem(read(&world, "stranger").await).await, "503 auth-unavailable");
    let program = world.post("/api/v1/session").header("content-type", "application/json").body("{}");
    assert_eq!(program.send().await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    let nobody = world.get("/api/v1/tickets").send().await.unwrap();
    assert_eq!(problem(nobody).await, "401 sign-in-required");
    assert_eq!(read(&world, "t").await.status(), 200, "the grace still held");
}

#[tokio::test]
async fn who_was_revoked_before_auth_stopped_is_not_revived() {
    let world = signed_in("t").await;
    world.auth.revoke("t");
    wait_until("the revocation to arrive", SOON, || async {
        (read(&world, "t").await.status() == 401).then_some(())
    })
    .await;
    world.auth_upstream.stop().await;
    let refused = wait_until("the loss of auth to be noticed", SOON, || async {
        let answer = read(&world, "t").await;
        assert_ne!(answer.status(), 200);
        (answer.status() != 401).then_some(answer)
    })
    .await;
    assert_eq!(problem(refused).await, "503 auth-unavailable");
}

#[tokio::test]
async fn who_signed_in_while_nobody_told_about_ended_sessions_has_no_grace() {
    let world = signed_in("known").await;
    world.auth.fall_silent();
    wait_until("the silence to be noticed", SOON, || async {
        let before = world.auth.questions();
        assert_eq!(read(&world, "known").await.status(), 200);
        (world.auth.questions() == before + 1).then_some(())
    })
    .await;
    world.auth.sign_in("late");
    assert_eq!(read(&world, "late").await.status(), 200);
    world.auth_upstream.stop().await;
    assert_eq!(problem(read(&world, "late").await).await, "503 auth-unavailable");
}
