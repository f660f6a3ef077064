//! A broken database or a busy processor lets nobody in.

use std::time::{Duration, Instant};

use api::headers;
use reqwest::StatusCode;
use testkit::{ChaosProxy, PATIENCE};

use crate::stage::{Auth, Ground, PASSWORD, env_with, problem};

#[tokio::test(flavor = "multi_thread")]
async fn without_the_database_nobody_gets_in_and_it_heals_without_a_restart() {
    let ground = Ground::lay().await;
    let proxy = ChaosProxy::start(ground.db.address()).await;
    let port = proxy.address().port().to_string();
    let auth = Auth::start(env_with(&ground.db, &[("DATABASE__PORT", &port)])).await;
    let token = auth.token_of("asha", PASSWORD).await;
    proxy.cut();
    for request in [auth.sign_in("asha", PASSWORD), auth.sign_in("asha", "wrong")] {
        let answer = request.send().await.unwrap();
        assert!(answer.headers().contains_key("retry-after"));
        assert!(!answer.headers().contains_key("set-cookie"));
        let (status, problem) = problem(answer).await;
        assert_eq!((status, problem["type"].as_str()), (503, Some("/problems/database-unavailable")));
    }
    assert_eq!(problem(auth.exchange(&token).await).await.0, 503);
    proxy.heal();
    testkit::wait_until("a sign-in", PATIENCE, async || {
        match auth.sign_in("asha", PASSWORD).send().await.unwrap().status() {
            StatusCode::CREATED => Ok(()),
            other => Err(other),
        }
    })
    .await;
    assert_eq!(auth.exchange(&token).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_hangs_is_as_good_as_gone() {
    let ground = Ground::lay().await;
    // Connections are taken by the kernel, and nobody ever answers: what a stopped process looks like.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let changes = [("DATABASE__PORT", port.as_str()), ("LIMITS__DATABASE_ANSWER_MS", "300")];
    let auth = Auth::start(env_with(&ground.db, &changes)).await;
    let started = Instant::now();
    let (status, problem) = problem(auth.sign_in("asha", PASSWORD).send().await.unwrap()).await;
    assert_eq!((status, problem["type"].as_str()), (503, Some("/problems/database-unavailable")));
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn more_comparisons_than_the_limit_are_answered_503() {
    let ground = Ground::lay().await;
    let crowd = [
        ("PASSWORDS__IN_FLIGHT_MAX", "1"),
        ("PASSWORDS__WAITING_MAX", "0"),
        ("PASSWORDS__MEMORY_KIB", "262144"),
        ("PASSWORDS__ITERATIONS", "4"),
        ("SIGN_IN__PER_LOGIN", "50"),
        ("SIGN_IN__PER_ADDRESS", "50"),
    ];
    let auth = Auth::start(env_with(&ground.db, &crowd)).await;
    let attempts =
        (0..12).map(|_| async { auth.sign_in("nobody", "x").send().await.unwrap().status().as_u16() });
    let statuses = futures_util::future::join_all(attempts).await;
    assert!(statuses.iter().all(|status| [401, 503].contains(status)), "{statuses:?}");
    assert!(statuses.contains(&401) && statuses.contains(&503), "{statuses:?}");
    // Whoever waited in vain keeps their attempts.
    let compared = i32::try_from(statuses.iter().filter(|status| **status == 401).count()).unwrap();
    let counted = ground.db.admin().await.query("select attempts from sign_in_counter", &[]).await.unwrap();
    let counted: Vec<i32> = counted.iter().map(|row| row.get(0)).collect();
    assert_eq!(counted, [compared; 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_sign_in_is_a_problem() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let post = || auth.internal("POST", "/api/v1/session").header(headers::CLIENT_ADDRESS, "192.0.2.1");
    let unknown_field = r#"{"login":"asha","password":"x","admin":true}"#;
    let cases = [
        (post().body("login=asha"), 415, "unsupported-media-type"),
        (post().header("content-type", "application/json").body("{"), 400, "malformed-body"),
        (post().header("content-type", "application/json").body(unknown_field), 400, "malformed-body"),
        (auth.request("PUT", "/api/v1/session"), 405, "method-not-allowed"),
        (auth.request("GET", "/api/v1/sessions"), 404, "not-found"),
    ];
    for (request, status, code) in cases {
        let (found, problem) = problem(request.send().await.unwrap()).await;
        assert_eq!((found, problem["type"].as_str()), (status, Some(format!("/problems/{code}").as_str())));
    }
}
