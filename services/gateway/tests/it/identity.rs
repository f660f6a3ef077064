//! Who somebody is, and for how long the gateway believes it.

use std::time::Duration;

use testkit::wait_until;

use crate::upstream::UNANSWERED;
use crate::world::{SOON, World, problem, received};

const FORGED: &str = "x-youtility-identity";

#[tokio::test]
async fn cookie_and_bearer_become_a_signed_identity_and_go_no_further() {
    let world = World::signed_in("token").await;
    let cookie =
        world.get("/tickets").header("cookie", "theme=dark; __Host-session=token").send().await.unwrap();
    let bearer = world.get("/tickets").bearer_auth("token").send().await.unwrap();
    for answer in [cookie, bearer] {
        let received = received(answer).await;
        let identity = received.header("x-youtility-identity").unwrap();
        assert_eq!(identity.split('.').count(), 3, "{identity}");
        assert!(received.header("authorization").is_none());
        assert!(!received.header("cookie").unwrap_or_else(String::new).contains("session"));
    }
}

#[tokio::test]
async fn what_a_client_claims_to_be_is_dropped() {
    let world = World::start().await;
    let answer = world
        .get("/login")
        .header(FORGED, "forged")
        .header("x-youtility-internal-key", "forged")
        .header("x-youtility-client-address", "203.0.113.9")
        .header("x-youtility-deadline-ms", "999999999")
        .header("x-youtility-other", "forged")
        .header("x-correlation-id", "0197c3a0-0000-7000-8000-000000000000")
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .header("x-forwarded-for", "203.0.113.9")
        .header("x-forwarded-host", "evil.example")
        .header("forwarded", "for=203.0.113.9")
        .send()
        .await
        .unwrap();
    let received = received(answer).await;
    assert_eq!(received.header("x-youtility-identity"), None);
    assert_eq!(received.header("x-youtility-internal-key").as_deref(), Some(testkit::INTERNAL_KEY));
    assert_eq!(received.header("x-youtility-client-address").as_deref(), Some("127.0.0.1"));
    assert_eq!(received.header("x-youtility-other"), None);
    assert_eq!(received.header("x-forwarded-for"), None);
    assert_eq!(received.header("x-forwarded-host"), None);
    assert_eq!(received.header("forwarded"), None);
    let deadline: u64 = received.header("x-youtility-deadline-ms").unwrap().parse().unwrap();
    assert!((1..=14_000).contains(&deadline), "{deadline}");
    assert_ne!(received.header("x-correlation-id").as_deref(), Some("0197c3a0-0000-7000-8000-000000000000"));
    assert!(
        !received
            .header("traceparent")
            .unwrap_or_else(String::new)
            .contains("0af7651916cd43dd8448eb211c80319c")
    );
}

#[tokio::test]
async fn an_unknown_token_is_nobody() {
    let world = World::start().await;
    let answer = world.get("/api/v1/tickets").bearer_auth("unknown").send().await.unwrap();
    assert_eq!(problem(answer).await, "401 sign-in-required");
    let optional = world.get("/api/v1/session").bearer_auth("unknown").send().await.unwrap();
    assert_eq!(received(optional).await.header("x-youtility-identity"), None);
}

#[tokio::test]
async fn public_routes_ask_nobody() {
    let world = World::start().await;
    world.auth.sign_in("t");
    let received = received(world.get("/problems/x").bearer_auth("t").send().await.unwrap()).await;
    assert_eq!(received.header("x-youtility-identity"), None);
    assert_eq!(world.auth.questions(), 0);
}

#[tokio::test]
async fn the_sign_in_page_knows_who_signs_in_again() {
    let world = World::start().await;
    world.auth.sign_in("t");
    let answer = world.get("/login").header("cookie", "__Host-session=t").send().await.unwrap();
    assert!(received(answer).await.header("x-youtility-identity").is_some());
}

#[tokio::test]
async fn who_takes_all_places_of_auth_keeps_nobody_from_being_recognised() {
    let world = World::with(|settings| {
        settings.limits.upstream_requests_max = 1;
    })
    .await;
    world.auth.sign_in("t");
    let holding = async {
        loop {
            drop(world.get("/api/v1/session/never").send().await);
        }
    };
    let held = wait_until("the place to be taken", SOON, || async {
        (world.get("/api/v1/session").send().await.unwrap().status() == 503).then_some(())
    });
    let recognised = async {
        held.await;
        world.get("/tickets").bearer_auth("t").send().await.unwrap().status()
    };
    tokio::select! {
        () = holding => panic!("nothing ends the loop"),
        status = recognised => assert_eq!(status, 200),
    }
}

#[tokio::test]
async fn no_more_questions_are_under_way_than_may_be() {
    let world = World::with(|settings| {
        settings.identity.requests_max = 1;
        settings.identity.cache_ms = 0;
    })
    .await;
    world.auth.sign_in("t");
    let ask = |token: &str| world.get("/tickets").bearer_auth(token).send();
    let refused = wait_until("the question to be under way", SOON, || async {
        let answer = ask("t").await.unwrap();
        (answer.status() != 200).then_some(answer)
    });
    let asking = async {
        loop {
            drop(ask(UNANSWERED).await);
        }
    };
    let refused = tokio::select! {
        () = asking => panic!("nothing ends the loop"),
        refused = refused => refused,
    };
    assert_eq!(problem(refused).await, "503 auth-unavailable");
    wait_until("the place to be free again", SOON, || async {
        (ask("t").await.unwrap().status() == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_revocation_ends_a_kept_identity() {
    let world = World::signed_in("t").await;
    world.auth.revoke("t");
    wait_until("the revocation to arrive", SOON, || async {
        let answer = world.get("/api/v1/tickets").bearer_auth("t").send().await.unwrap();
        (answer.status() == 401).then_some(())
    })
    .await;
}

#[tokio::test]
async fn nothing_is_kept_while_auth_does_not_tell_about_ended_sessions() {
    let world = World::signed_in("t").await;
    world.auth.fall_silent();
    let questions = || async {
        let before = world.auth.questions();
        assert_eq!(world.get("/tickets").bearer_auth("t").send().await.unwrap().status(), 200);
        world.auth.questions() - before
    };
    wait_until("the silence to be noticed", SOON, || async { (questions().await == 1).then_some(()) }).await;
    for _ in 0..3 {
        assert_eq!(questions().await, 1);
    }
    world.auth.revoke_silently("t");
    assert_eq!(world.get("/api/v1/tickets").bearer_auth("t").send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn an_identity_is_kept_no_longer_than_the_settings_say() {
    let world = World::with(|settings| settings.identity.cache_ms = 300).await;
    world.auth.sign_in("t");
    world.wait_for_cache("t").await;
    world.auth.revoke_silently("t");
    wait_until("the identity to be forgotten", Duration::from_secs(2), || async {
        let answer = world.get("/api/v1/tickets").bearer_auth("t").send().await.unwrap();
        (answer.status() == 401).then_some(())
    })
    .await;
}

#[tokio::test]
async fn without_auth_nobody_passes_and_public_pages_are_served() {
    let world = World::with(|settings| settings.identity.cache_ms = 0).await;
    world.auth.sign_in("t");
    world.auth_upstream.stop().await;
    let unavailable = world.get("/api/v1/tickets").bearer_auth("t").send().await.unwrap();
    assert!(unavailable.headers().contains_key("retry-after"));
    assert_eq!(problem(unavailable).await, "503 auth-unavailable");
    let nobody = world.get("/api/v1/tickets").send().await.unwrap();
    assert_eq!(problem(nobody).await, "401 sign-in-required");
    assert_eq!(received(world.get("/login").send().await.unwrap()).await.upstream, "web");
    assert_eq!(world.get("/assets/app.js").bearer_auth("t").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_wrong_internal_key_is_not_mistaken_for_everybody_having_signed_out() {
    let world =
        World::with(|settings| settings.trust.internal_key = domain::Secret::new("another key")).await;
    world.auth.sign_in("t");
    let answer = world.get("/api/v1/tickets").bearer_auth("t").send().await.unwrap();
    assert_eq!(problem(answer).await, "503 auth-unavailable");
}

#[tokio::test]
async fn many_requests_with_one_new_token_ask_once() {
    let world = World::signed_in("first").await;
    world.auth.sign_in("second");
    let before = world.auth.questions();
    let requests = (0..20).map(|_| world.get("/tickets").bearer_auth("second").send());
    for answer in futures_util::future::join_all(requests).await {
        assert_eq!(answer.unwrap().status(), 200);
    }
    assert_eq!(world.auth.questions(), before + 1);
}
