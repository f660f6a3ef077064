//! Server-sent events on routes that declare them.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::time::{interval, timeout};

use crate::transport::{Transport, route};
use crate::upstream::Upstream;
use crate::world::{SOON, problem};

/// A server that sends an event every 400 ms, or one and then nothing.
fn events() -> Upstream {
    let every = || async {
        let events = futures_util::stream::unfold(interval(Duration::from_millis(400)), |mut ticks| async {
            ticks.tick().await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b"data: tick\n\n")), ticks))
        });
        HttpResponse::Ok().content_type("text/event-stream").streaming(events)
    };
    let one = || async {
        let first = futures_util::stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"data: 1\n\n"))]);
        let events = first.chain(futures_util::stream::pending());
        HttpResponse::Ok().content_type("text/event-stream; charset=utf-8").streaming(events)
    };
    crate::transport::web(move |app| {
        app.service(web::resource("/live/every").to(every))
            .service(web::resource("/live/one").to(one))
            .service(web::resource("/login/every").to(every))
            .default_service(web::to(HttpResponse::Ok));
    })
}

async fn start(change: impl FnOnce(&mut gateway::Settings)) -> Transport {
    Transport::before(vec![events()], |settings| {
        settings.limits.answer_silence_ms = 100;
        settings.limits.answer_timeout_ms = 100;
        settings.routes.push(route("/live", "stream"));
        change(settings);
    })
    .await
}

#[tokio::test]
async fn events_arrive_one_by_one_however_long_it_takes() {
    let transport = start(|_settings| {}).await;
    let answer = transport.get("/live/every").await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut events = answer.bytes_stream();
    for _ in 0..4 {
        let event = timeout(SOON, events.next()).await.unwrap().unwrap().unwrap();
        assert_eq!(event, "data: tick\n\n");
    }
}

#[tokio::test]
async fn a_route_that_does_not_declare_them_has_none() {
    let transport = start(|_settings| {}).await;
    assert_eq!(problem(transport.get("/login/every").await).await, "502 upstream-failed");
}

#[tokio::test]
async fn they_hold_no_place_at_the_upstream_and_have_places_of_their_own() {
    let transport = start(|settings| {
        settings.limits.upstream_requests_max = 1;
        settings.streams.places_max = 2;
    })
    .await;
    let held = [transport.get("/live/every").await, transport.get("/live/every").await];
    assert_eq!(transport.status_of("/login").await, 200);
    assert_eq!(problem(transport.get("/live/every").await).await, "503 upstream-busy");
    drop(held);
    testkit::wait_until("a place", SOON, || async {
        (transport.status_of("/live/every").await == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_silent_one_is_cut() {
    let transport = start(|settings| settings.streams.silence_ms = 300).await;
    let mut events = transport.get("/live/one").await.bytes_stream();
    assert_eq!(events.next().await.unwrap().unwrap(), "data: 1\n\n");
    let end = timeout(SOON, events.next()).await.expect("the end");
    assert!(end.is_none_or(|event| event.is_err()), "nothing else");
}

#[tokio::test]
async fn they_end_well_with_the_process() {
    let transport = start(|_settings| {}).await;
    let mut events = transport.get("/live/one").await.bytes_stream();
    assert_eq!(events.next().await.unwrap().unwrap(), "data: 1\n\n");
    let (stopped, end) = timeout(SOON, async { tokio::join!(transport.gateway.stop(), events.next()) })
        .await
        .expect("the drain does not wait for events");
    stopped.unwrap();
    assert!(end.is_none(), "the client sees a whole answer and opens it again");
}
