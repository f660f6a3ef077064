//! Bodies towards the upstream.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use bytes::Bytes;
use futures_util::stream;

use crate::world::{SOON, World, problem, received, status};

fn with_small_limits(settings: &mut gateway::Settings) {
    settings.http.body_bytes_max = 200_000;
    settings.limits.body_grace_ms = 300;
    settings.limits.body_timeout_ms = 600;
}

#[tokio::test]
async fn bodies_arrive_as_they_were_sent() {
    let world = World::signed_in("t").await;
    for bytes in [1, 65_536, 65_537, 1_000_000] {
        let sent = "x".repeat(bytes);
        let answer = world.post("/tickets").bearer_auth("t").body(sent.clone()).send().await.unwrap();
        let received = received(answer).await;
        assert_eq!(received.body, sent);
        assert_eq!(received.header("content-length").as_deref(), Some(bytes.to_string().as_str()));
        assert_eq!(received.header("transfer-encoding"), None);
    }
    let pieces = (0..100).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b'y'; 1000])));
    let file = world.post("/tickets").bearer_auth("t").header("content-type", "image/png");
    let chunked = file.body(reqwest::Body::wrap_stream(stream::iter(pieces))).send().await.unwrap();
    let received = received(chunked).await;
    assert_eq!(received.body, "y".repeat(100_000));
    assert_eq!(received.header("transfer-encoding").as_deref(), Some("chunked"));
}

#[tokio::test]
async fn text_is_read_whole_before_it_is_passed_on() {
    let world = World::signed_in("t").await;
    let pieces = (0..100).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b'y'; 1000])));
    let text = world.post("/tickets").bearer_auth("t").header("content-type", "text/plain");
    let chunked = text.body(reqwest::Body::wrap_stream(stream::iter(pieces))).send().await.unwrap();
    let received = received(chunked).await;
    assert_eq!(received.body, "y".repeat(100_000));
    assert_eq!(received.header("content-length").as_deref(), Some("100000"));
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let world = World::with(with_small_limits).await;
    world.auth.sign_in("t");
    let announced = world.post("/tickets").bearer_auth("t").body("x".repeat(200_001)).send().await.unwrap();
    assert_eq!(problem(announced).await, "413 body-too-large");
    let chunk = format!("{:x}\r\n{}\r\n", 50_000, "x".repeat(50_000));
    let head =
        "POST /tickets HTTP/1.1\r\nHost: y\r\nAuthorization: Bearer t\r\nTransfer-Encoding: chunked\r\n\r\n";
    let answer = world.raw(&format!("{head}{}", chunk.repeat(5))).await;
    assert_eq!(status(&answer), "413", "{answer}");
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_given_up() {
    let world = World::with(with_small_limits).await;
    world.auth.sign_in("t");
    for length in ["1000", "100000"] {
        let started = Instant::now();
        let head = "POST /tickets HTTP/1.1\r\nHost: y\r\nAuthorization: Bearer t\r\n";
        let answer = world.raw(&format!("{head}Content-Length: {length}\r\n\r\nhalf")).await;
        assert_eq!(status(&answer), "408", "{answer}");
        assert!(answer.contains("/problems/body-too-slow"), "{answer}");
        assert!(started.elapsed() < SOON, "the connection is closed");
    }
}

#[tokio::test]
async fn a_body_in_chunks_that_is_refused_or_stalls_does_not_hold_its_connection() {
    let world = World::with(with_small_limits).await;
    world.auth.sign_in("t");
    for (headers, expected) in
        [("", "401"), ("Upgrade: h2c\r\n", "400"), ("Authorization: Bearer t\r\n", "408")]
    {
        let started = Instant::now();
        let head = format!(
            "POST /api/v1/tickets HTTP/1.1\r\nHost: y\r\nTransfer-Encoding: chunked\r\n{headers}\r\n"
        );
        let answer = world.raw(&format!("{head}4\r\nhalf\r\n")).await;
        assert_eq!(status(&answer), expected, "{answer}");
        assert!(started.elapsed() < SOON / 2, "the connection is closed");
    }
}

#[tokio::test]
async fn a_guest_that_sends_slowly_takes_no_place() {
    let world = World::with(|settings| settings.limits.upstream_requests_max = 1).await;
    let mut slow = TcpStream::connect(world.address()).unwrap();
    let head = "POST /api/v1/session HTTP/1.1\r\nHost: y\r\nContent-Type: application/json\r\n";
    slow.write_all(format!("{head}Transfer-Encoding: chunked\r\n\r\n1\r\n{{\r\n").as_bytes()).unwrap();
    for _ in 0..20 {
        assert_eq!(world.get("/api/v1/session").send().await.unwrap().status(), 200);
    }
    slow.write_all(b"1\r\n}\r\n0\r\n\r\n").unwrap();
    slow.set_read_timeout(Some(SOON)).unwrap();
    let mut answer = [0; 12];
    slow.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
}

/// A JSON text of so many bytes.
fn json_text(bytes: usize) -> String {
    format!("\"{}\"", "x".repeat(bytes - 2))
}

#[tokio::test]
async fn a_guest_sends_a_small_body() {
    let world = World::with(|settings| settings.limits.guest_body_bytes_max = 1000).await;
    let sign_in = |bytes: usize| {
        let request = world.post("/api/v1/session").header("content-type", "application/json");
        request.body(json_text(bytes)).send()
    };
    assert_eq!(received(sign_in(1000).await.unwrap()).await.body.len(), 1000);
    assert_eq!(problem(sign_in(1001).await.unwrap()).await, "413 body-too-large");
    world.auth.sign_in("t");
    let signed_in = world.post("/tickets").bearer_auth("t").body("x".repeat(100_000)).send().await.unwrap();
    assert_eq!(received(signed_in).await.body.len(), 100_000);
}

#[tokio::test]
async fn a_body_that_finds_no_memory_is_refused_and_one_that_left_gives_it_back() {
    let world = World::with(|settings| settings.limits.body_memory_bytes_max = 1000).await;
    let sign_in = |bytes: usize| {
        let request = world.post("/api/v1/session").header("content-type", "application/json");
        request.body(json_text(bytes)).send()
    };
    let busy = sign_in(1001).await.unwrap();
    assert!(busy.headers().contains_key("retry-after"));
    assert_eq!(problem(busy).await, "503 gateway-busy");
    for _ in 0..3 {
        assert_eq!(sign_in(1000).await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn a_client_that_goes_away_is_no_end_of_a_body() {
    let world = World::signed_in("t").await;
    let address = world.address();
    let half = move || {
        let mut stream = TcpStream::connect(address).unwrap();
        let head = "POST /tickets HTTP/1.1\r\nHost: y\r\nAuthorization: Bearer t\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(format!("{head}4\r\nhalf\r\n").as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer));
        String::from_utf8_lossy(&answer).into_owned()
    };
    let answer = tokio::task::spawn_blocking(half).await.unwrap();
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
}
