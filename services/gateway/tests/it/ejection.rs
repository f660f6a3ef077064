//! Replicas that only fail are passed over, and reads are repeated at another.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use crate::transport::Transport;
use crate::upstream::Upstream;
use crate::world::SOON;

/// A replica that answers with a status of the test's choice and counts.
#[derive(Clone)]
struct Replica {
    name: &'static str,
    status: Arc<AtomicU16>,
    asked: Arc<AtomicUsize>,
}

impl Replica {
    fn new(name: &'static str, status: u16) -> Self {
        Self { name, status: Arc::new(AtomicU16::new(status)), asked: Arc::default() }
    }

    fn start(&self) -> Upstream {
        let replica = self.clone();
        crate::transport::web(move |app| {
            let replica = replica.clone();
            app.default_service(web::to(move || {
                let replica = replica.clone();
                async move {
                    replica.asked.fetch_add(1, Ordering::SeqCst);
                    let status = StatusCode::from_u16(replica.status.load(Ordering::SeqCst)).unwrap();
                    HttpResponse::build(status).body(replica.name)
                }
            }));
        })
    }

    fn answer_with(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn two(change: impl FnOnce(&mut gateway::Settings)) -> (Transport, Replica, Replica) {
    let (first, second) = (Replica::new("first", 200), Replica::new("second", 200));
    let transport = Transport::before(vec![first.start(), second.start()], change).await;
    (transport, first, second)
}

#[tokio::test]
async fn a_replica_that_answers_500_in_a_row_is_passed_over_and_comes_back() {
    let (transport, first, second) = two(|settings| {
        settings.faults.eject_after = 2;
        settings.faults.eject_ms = 500;
    })
    .await;
    first.answer_with(500);
    let mut failures = 0;
    for _ in 0..12 {
        failures += usize::from(transport.status_of("/login").await == 500);
    }
    assert_eq!((failures, first.asked()), (2, 2), "twice, then nobody asks it");
    assert_eq!(second.asked(), 10);
    first.answer_with(200);
    testkit::wait_until("the first replica to be asked again", SOON, || async {
        (transport.get("/login").await.text().await.unwrap() == "first").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_lone_replica_is_never_passed_over() {
    let only = Replica::new("only", 500);
    let transport = Transport::before(vec![only.start()], |settings| settings.faults.eject_after = 2).await;
    for _ in 0..6 {
        assert_eq!(transport.status_of("/login").await, 500);
    }
    only.answer_with(200);
    assert_eq!(transport.status_of("/login").await, 200);
}

#[tokio::test]
async fn a_success_in_between_keeps_a_replica() {
    let (transport, first, _second) = two(|settings| settings.faults.eject_after = 2).await;
    for status in [500, 200, 500, 200, 500, 200] {
        first.answer_with(status);
        let before = first.asked();
        while first.asked() == before {
            transport.get("/login").await;
        }
    }
    assert_eq!(first.asked(), 6);
}

#[tokio::test]
async fn a_read_is_repeated_at_another_replica_and_a_write_is_not() {
    let (transport, first, second) = two(|settings| settings.faults.eject_after = 1000).await;
    first.answer_with(503);
    for _ in 0..6 {
        let answer = transport.get("/login").await;
        assert_eq!(answer.text().await.unwrap(), "second");
    }
    let (first_asked, second_asked) = (first.asked(), second.asked());
    assert_eq!(second_asked, 6);
    let mut statuses = Vec::new();
    for _ in 0..4 {
        let url = format!("http://{}/login", transport.address());
        let request = transport.client.post(url).header("content-type", "application/json").body("{}");
        statuses.push(request.send().await.unwrap().status().as_u16());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 503, 503]);
    assert_eq!(first.asked() - first_asked + second.asked() - second_asked, 4, "each was sent once");
}

#[tokio::test]
async fn repeats_are_a_share_of_the_requests() {
    let (transport, first, _second) = two(|settings| {
        settings.faults.eject_after = 1000;
        settings.faults.repeat_percent = 0;
        settings.faults.repeat_burst = 2;
    })
    .await;
    first.answer_with(503);
    let mut refused = 0;
    for _ in 0..12 {
        refused += usize::from(transport.status_of("/login").await == 503);
    }
    let asked = first.asked();
    assert_eq!(asked - refused, 2, "two of the {asked} that failed were repeated");
}
