//! Websockets on routes that declare them.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::transport::{Transport, route};
use crate::upstream::Upstream;
use crate::world::SOON;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A server that consents and echoes bytes, refuses, or consents wrongly.
fn echo() -> Upstream {
    let consent = |accept: &'static str| {
        web::to(move |request: HttpRequest, payload: web::Payload| async move {
            let asks = request.headers().get("upgrade").is_some_and(|value| value == "websocket");
            if !asks {
                return HttpResponse::BadRequest().finish();
            }
            HttpResponse::build(StatusCode::SWITCHING_PROTOCOLS)
                .upgrade("websocket")
                .insert_header(("sec-websocket-accept", accept))
                .insert_header((
                    "x-saw",
                    request.headers().get("x-youtility-client-address").unwrap().clone(),
                ))
                .streaming(payload)
        })
    };
    crate::transport::web(move |app| {
        app.service(web::resource("/live/echo").route(consent(ACCEPT)))
            .service(web::resource("/live/wrong").route(consent("AAAA")))
            .service(web::resource("/live/no").to(HttpResponse::Conflict))
            .default_service(web::to(HttpResponse::Ok));
    })
}

async fn start(change: impl FnOnce(&mut gateway::Settings)) -> Transport {
    Transport::before(vec![echo()], |settings| {
        settings.routes.push(route("/live", "upgrade"));
        change(settings);
    })
    .await
}

/// The head of a handshake.
fn handshake(path: &str, headers: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: y.example\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{headers}\r\n"
    )
}

const ORIGIN: &str = "Origin: https://y.example\r\n";

async fn ask(transport: &Transport, head: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(transport.address()).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let byte = timeout(SOON, stream.read_u8()).await.unwrap();
        match byte {
            Ok(byte) => answer.push(byte),
            Err(_end) => break,
        }
    }
    (stream, String::from_utf8(answer).unwrap())
}

async fn status_of(transport: &Transport, head: &str) -> String {
    ask(transport, head).await.1.split(' ').nth(1).unwrap_or("none").to_owned()
}

async fn echoed(stream: &mut TcpStream, bytes: &[u8]) -> Vec<u8> {
    stream.write_all(bytes).await.unwrap();
    let mut answer = vec![0; bytes.len()];
    timeout(SOON, stream.read_exact(&mut answer)).await.unwrap().unwrap();
    answer
}

#[tokio::test]
async fn bytes_pass_in_both_directions_on_a_route_that_declares_it() {
    let transport = start(|_settings| {}).await;
    let (mut stream, head) = ask(&transport, &handshake("/live/echo", ORIGIN)).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let head = head.to_lowercase();
    assert!(head.contains("upgrade: websocket") && head.contains("connection: upgrade"), "{head}");
    assert!(head.contains(&format!("sec-websocket-accept: {}", ACCEPT.to_lowercase())), "{head}");
    assert!(head.contains("x-saw: 127.0.0.1"), "{head}");
    assert_eq!(echoed(&mut stream, b"\x81\x85\0\0\0\0hello").await, b"\x81\x85\0\0\0\0hello");
    let large = vec![7; 300_000];
    let (mut reading, mut writing) = stream.into_split();
    let mut back = vec![0; large.len()];
    let (sent, read) = tokio::join!(writing.write_all(&large), timeout(SOON, reading.read_exact(&mut back)));
    sent.unwrap();
    read.unwrap().unwrap();
    assert_eq!(back, large);
}

#[tokio::test]
async fn everywhere_else_it_is_refused() {
    let transport = start(|_settings| {}).await;
    for path in ["/login", "/assets/x", "/livelier"] {
        assert_eq!(status_of(&transport, &handshake(path, ORIGIN)).await, "400", "{path}");
    }
}

#[tokio::test]
async fn what_is_no_handshake_is_refused_on_the_route_too() {
    let transport = start(|_settings| {}).await;
    let good = handshake("/live/echo", ORIGIN);
    for (from, to) in [
        ("Upgrade: websocket", "Upgrade: h2c"),
        ("Upgrade: websocket", "Upgrade: websocket, h2c"),
        ("keep-alive, Upgrade", "keep-alive"),
        ("Version: 13", "Version: 8"),
        (KEY, "c2hvcnQ="),
        ("GET ", "POST "),
        (ORIGIN, "Origin: https://y.example\r\nContent-Length: 3\r\n"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good);
        assert_eq!(status_of(&transport, &bad).await, "400", "{to}");
    }
    let twice = handshake("/live/echo", &format!("{ORIGIN}Sec-WebSocket-Key: {KEY}\r\n"));
    assert_eq!(status_of(&transport, &twice).await, "400");
}

#[tokio::test]
async fn a_page_of_somebody_else_opens_none() {
    let transport = start(|_settings| {}).await;
    for headers in [
        "Origin: https://evil.example\r\n",
        "",
        "Origin: null\r\n",
        "Origin: https://y.example\r\nSec-Fetch-Site: cross-site\r\n",
        "Origin: https://evil.example\r\nCookie: __Host-session=t\r\n",
    ] {
        assert_eq!(status_of(&transport, &handshake("/live/echo", headers)).await, "403", "{headers}");
    }
    transport.auth.sign_in("t");
    let program = handshake("/live/echo", "Authorization: Bearer t\r\n");
    assert_eq!(status_of(&transport, &program).await, "101", "a program holds its credential itself");
}

#[tokio::test]
async fn an_upstream_may_say_no_and_must_not_say_yes_wrongly() {
    let transport = start(|_settings| {}).await;
    assert_eq!(status_of(&transport, &handshake("/live/no", ORIGIN)).await, "409");
    assert_eq!(status_of(&transport, &handshake("/live/wrong", ORIGIN)).await, "502");
}

#[tokio::test]
async fn there_are_so_many_places_and_one_is_free_again_when_its_client_is_gone() {
    let transport = start(|settings| settings.streams.places_max = 1).await;
    let (held, _head) = ask(&transport, &handshake("/live/echo", ORIGIN)).await;
    assert_eq!(status_of(&transport, &handshake("/live/echo", ORIGIN)).await, "503");
    drop(held);
    testkit::wait_until("the place", SOON, || async {
        (status_of(&transport, &handshake("/live/echo", ORIGIN)).await == "101").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_silent_tunnel_is_closed_and_one_that_speaks_stays() {
    let transport = start(|settings| settings.streams.silence_ms = 600).await;
    let (mut stream, _head) = ask(&transport, &handshake("/live/echo", ORIGIN)).await;
    let mut ticks = tokio::time::interval(Duration::from_millis(200));
    for _ in 0..6 {
        ticks.tick().await;
        assert_eq!(echoed(&mut stream, b"ping").await, b"ping");
    }
    let end = timeout(SOON, stream.read(&mut [0; 16])).await.expect("the end of a silent tunnel");
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
}

#[tokio::test]
async fn tunnels_end_with_the_process() {
    let transport = start(|_settings| {}).await;
    let (mut stream, _head) = ask(&transport, &handshake("/live/echo", ORIGIN)).await;
    assert_eq!(echoed(&mut stream, b"ping").await, b"ping");
    let stopping = transport.gateway.stop();
    timeout(SOON, stopping).await.expect("the drain does not wait for tunnels").unwrap();
    assert!(matches!(stream.read(&mut [0; 16]).await, Ok(0) | Err(_)));
}
