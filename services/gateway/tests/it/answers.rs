//! Answers on their way back.

use std::io::{Read, Write};
use std::net::TcpStream;

use reqwest::Method;
use reqwest::header::HeaderMap;

use crate::world::{SOON, World, header, problem, received};

/// The headers of an answer, without what differs each time.
fn steady(headers: &HeaderMap, nonce: &str) -> String {
    let differs = |name: &str, value: &str| {
        ["date", "ratelimit", "x-correlation-id", "content-length"].contains(&name)
            || value.starts_with("__Host-visitor")
    };
    let mut lines: Vec<_> = headers
        .iter()
        .filter(|(name, value)| !differs(name.as_str(), value.to_str().unwrap()))
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap().replace(nonce, "NONCE")))
        .collect();
    lines.sort();
    lines.join("\n")
}

#[tokio::test]
async fn a_page_carries_the_security_headers_with_a_nonce_of_its_own() {
    let world = World::start().await;
    let answer = world.get("/login").header("accept", "text/html").send().await.unwrap();
    let headers = answer.headers().clone();
    let nonce = received(answer).await.header("x-youtility-nonce").unwrap();
    let again = world.get("/login").send().await.unwrap();
    assert!(!header(&again, "content-security-policy").unwrap().contains(&nonce));
    insta::assert_snapshot!(steady(&headers, &nonce), @r#"
    cache-control: no-store
    content-security-policy: default-src 'none'; script-src 'nonce-NONCE'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; worker-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types htmx
    content-type: application/json
    cross-origin-opener-policy: same-origin
    cross-origin-resource-policy: same-origin
    permissions-policy: camera=(self), geolocation=(self), microphone=(), payment=(), usb=()
    ratelimit-policy: "page";q=2000;w=20
    referrer-policy: same-origin
    strict-transport-security: max-age=63072000; includeSubDomains
    x-content-type-options: nosniff
    x-frame-options: DENY
    "#);
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let world = World::signed_in("t").await;
    world.web.stop().await;
    let page = world.get("/assets/x.css").header("accept", "text/html").send().await.unwrap();
    assert_eq!(page.status(), 503);
    assert_eq!(header(&page, "content-type"), Some("text/html; charset=utf-8"));
    let redirect = world.get("/tickets").send().await.unwrap();
    let not_found = world.get("/internal/x").send().await.unwrap();
    let upgrade = world.get("/login").header("upgrade", "websocket").send().await.unwrap();
    let large = world.post("/login").body("x".repeat(1_100_000)).send().await.unwrap();
    for (answer, status) in
        [(&page, 503), (&redirect, 303), (&not_found, 404), (&upgrade, 400), (&large, 413)]
    {
        assert_eq!(answer.status(), status);
        for name in [
            "content-security-policy",
            "strict-transport-security",
            "x-content-type-options",
            "x-frame-options",
            "referrer-policy",
            "permissions-policy",
            "cross-origin-opener-policy",
            "cross-origin-resource-policy",
            "cache-control",
            "x-correlation-id",
        ] {
            assert!(answer.headers().contains_key(name), "{status} without {name}");
        }
        assert!(!answer.headers().contains_key("server"));
    }
}

#[tokio::test]
async fn headers_of_connection_and_upstream_stay_behind_and_ours_replace_theirs() {
    let world = World::signed_in("t").await;
    let answer = world.get("/tickets/headers").bearer_auth("t").send().await.unwrap();
    assert_ne!(header(&answer, "x-correlation-id"), Some("theirs"));
    let policy = header(&answer, "content-security-policy").unwrap().to_owned();
    let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap().to_owned();
    insta::assert_snapshot!(steady(answer.headers(), &nonce), @r#"
    cache-control: no-store
    content-security-policy: default-src 'none'; script-src 'nonce-NONCE'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; worker-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types htmx
    cross-origin-opener-policy: same-origin
    cross-origin-resource-policy: same-origin
    permissions-policy: camera=(self), geolocation=(self), microphone=(), payment=(), usb=()
    ratelimit-policy: "page";q=2000;w=20
    referrer-policy: same-origin
    set-cookie: a=1; Path=/
    set-cookie: b=2; Path=/
    strict-transport-security: max-age=63072000; includeSubDomains
    x-content-type-options: nosniff
    x-frame-options: DENY
    x-kept: yes
    "#);
}

#[tokio::test]
async fn an_answer_may_be_kept_only_where_its_upstream_says_so() {
    let world = World::signed_in("t").await;
    let asset = world.get("/assets/app.js").send().await.unwrap();
    assert_eq!(header(&asset, "cache-control"), Some("public, max-age=31536000, immutable"));
    let ticket = world.get("/tickets").bearer_auth("t").send().await.unwrap();
    assert_eq!(header(&ticket, "cache-control"), Some("no-store"));
}

#[tokio::test]
async fn answers_of_every_length_arrive_whole() {
    let world = World::signed_in("t").await;
    for bytes in [0, 1, 65_536, 65_537, 3_000_000] {
        for kind in ["whole", "pieces"] {
            let answer =
                world.get(&format!("/tickets/{kind}/{bytes}")).bearer_auth("t").send().await.unwrap();
            assert_eq!(answer.bytes().await.unwrap().len(), bytes, "{kind} {bytes}");
        }
    }
}

#[tokio::test]
async fn a_head_request_gets_the_head() {
    let world = World::signed_in("t").await;
    let answer = world.request(Method::HEAD, "/tickets/whole/5000").bearer_auth("t").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(header(&answer, "content-length"), Some("5000"));
    assert!(answer.bytes().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_problem_of_an_upstream_passes_unchanged() {
    let world = World::signed_in("t").await;
    let answer = world.get("/tickets/conflict").bearer_auth("t").send().await.unwrap();
    assert_eq!(answer.status(), 409);
    assert_eq!(header(&answer, "content-type"), Some("application/problem+json"));
    assert_eq!(answer.text().await.unwrap(), r#"{"type":"/problems/ticket-move-refused"}"#);
}

#[tokio::test]
async fn an_upstream_that_is_away_breaks_or_sleeps_is_said_to() {
    let world = World::with(|settings| settings.limits.upstream_timeout_ms = 300).await;
    world.auth.sign_in("t");
    let ask = |path: &'static str| world.get(path).bearer_auth("t").send();
    assert_eq!(problem(ask("/tickets/never").await.unwrap()).await, "504 upstream-timeout");
    assert_eq!(problem(ask("/tickets/broken").await.unwrap()).await, "502 upstream-failed");
    world.health.stop().await;
    let away = ask("/health/").await.unwrap();
    assert!(away.headers().contains_key("retry-after"));
    assert_eq!(problem(away).await, "503 upstream-unavailable");
}

#[tokio::test]
async fn a_client_that_reads_nothing_does_not_keep_its_place() {
    let world = World::with(|settings| {
        settings.limits.upstream_requests_max = 1;
        settings.limits.answer_silence_ms = 2000;
    })
    .await;
    world.auth.sign_in("t");
    let mut reader = TcpStream::connect(world.address()).unwrap();
    let request = "GET /tickets/pieces/100000000 HTTP/1.1\r\nHost: y\r\nAuthorization: Bearer t\r\n\r\n";
    reader.write_all(request.as_bytes()).unwrap();
    reader.set_read_timeout(Some(SOON)).unwrap();
    let mut begun = [0; 12];
    reader.read_exact(&mut begun).unwrap();
    assert_eq!(&begun, b"HTTP/1.1 200");
    let busy = world.get("/login").send().await.unwrap();
    assert_eq!(problem(busy).await, "503 upstream-busy");
    testkit::wait_until("the place to be free again", SOON, || async {
        let answer = world.get("/login").send().await.unwrap();
        (answer.status() == 200).then_some(())
    })
    .await;
    let mut answer = Vec::new();
    drop(reader.read_to_end(&mut answer));
    assert!(!answer.ends_with(b"0\r\n\r\n"), "half an answer must not look like a whole one");
}

#[tokio::test]
async fn an_upstream_holds_no_more_requests_than_it_may() {
    let world = World::with(|settings| {
        settings.limits.upstream_requests_max = 1;
        settings.limits.upstream_timeout_ms = 500;
    })
    .await;
    let refused = testkit::wait_until("the upstream to be busy", SOON, || async {
        let answer = world.get("/login").send().await.unwrap();
        (answer.status() != 200).then_some(answer)
    });
    let holding = async {
        loop {
            drop(world.get("/assets/never").send().await);
        }
    };
    let busy = tokio::select! {
        () = holding => panic!("nothing ends the loop"),
        busy = refused => busy,
    };
    assert!(busy.headers().contains_key("retry-after"));
    assert_eq!(problem(busy).await, "503 upstream-busy");
    testkit::wait_until("the place to be free again", SOON, || async {
        let answer = world.get("/login").send().await.unwrap();
        (answer.status() == 200).then_some(())
    })
    .await;
}
