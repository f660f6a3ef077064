//! An upstream where nobody answers.

use actix_web::{HttpResponse, web};

use crate::transport::Transport;
use crate::upstream::{Upstream, bind};
use crate::world::{SOON, problem};

#[tokio::test]
async fn requests_are_refused_at_once_while_nobody_answers_and_pass_again_when_somebody_does() {
    let quiet = crate::transport::web(|app| {
        app.service(web::resource("/login/never").to(std::future::pending::<HttpResponse>))
            .default_service(web::to(HttpResponse::Ok));
    });
    let transport = Transport::before(vec![quiet], |settings| {
        settings.limits.upstream_timeout_ms = 300;
        settings.faults.break_after = 3;
        settings.faults.break_ms = 2000;
    })
    .await;
    for _ in 0..3 {
        assert_eq!(problem(transport.get("/login/never").await).await, "504 upstream-timeout");
    }
    let refused = transport.get("/login").await;
    assert_eq!(refused.headers()["retry-after"], "2");
    assert_eq!(problem(refused).await, "503 upstream-unavailable");
    let opened =
        testkit::metric_count(transport.gateway.admin, "gateway_breaker_openings_total", "upstream=\"web\"");
    assert_eq!(opened.await, 1);
    testkit::wait_until("one request to try and the others to pass", SOON, || async {
        (transport.status_of("/login").await == 200).then_some(())
    })
    .await;
    for _ in 0..3 {
        assert_eq!(transport.status_of("/login").await, 200);
    }
}

#[tokio::test]
async fn a_trial_that_finds_nobody_leaves_it_open_and_a_service_that_comes_back_is_found() {
    let socket = bind();
    let address = socket.local_addr().unwrap();
    drop(socket);
    let other = crate::transport::web(|app| {
        app.default_service(web::to(HttpResponse::Ok));
    });
    let transport = Transport::before(vec![other], |settings| {
        let dead = format!("http://{address}").parse().unwrap();
        settings.upstreams.insert("health".to_owned(), vec![dead].into());
        settings.faults.break_after = 1;
        settings.faults.break_ms = 100;
    })
    .await;
    for _ in 0..10 {
        assert_eq!(transport.status_of("/health/").await, 503);
    }
    assert_eq!(transport.status_of("/login").await, 200, "another upstream has a breaker of its own");
    let socket = std::net::TcpListener::bind(address).unwrap();
    let _back = Upstream::start(socket, |app| {
        app.default_service(web::to(HttpResponse::Ok));
    });
    testkit::wait_until("the service to be found", SOON, || async {
        (transport.status_of("/health/").await == 200).then_some(())
    })
    .await;
}
