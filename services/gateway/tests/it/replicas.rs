//! More than one address for an upstream.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::upstream::{Auth, Upstream};
use crate::world::{SOON, client, received, settings};

#[tokio::test]
async fn replicas_share_the_requests_and_a_lost_one_is_passed_over() {
    let auth = Auth::new();
    let (auth_upstream, first, second) = (auth.start(), Upstream::echo("first"), Upstream::echo("second"));
    let both = format!("{},{}", first.url(), second.url());
    let settings = settings(&[("AUTH", auth_upstream.url()), ("WEB", both), ("HEALTH", first.url())]);
    let gateway = service::spawn(gateway::about(), settings, gateway::start).await.unwrap();
    let client = client();
    let ask = || client.get(format!("http://{}/login", gateway.address.unwrap())).send();
    let mut names = Vec::new();
    for _ in 0..4 {
        names.push(received(ask().await.unwrap()).await.upstream);
    }
    names.sort();
    assert_eq!(names, ["first", "first", "second", "second"]);
    first.stop().await;
    let in_a_row = AtomicUsize::new(0);
    testkit::wait_until("the second to answer alone", SOON, || async {
        match received(ask().await.unwrap()).await.upstream.as_str() {
            "second" => in_a_row.fetch_add(1, Ordering::SeqCst),
            _other => in_a_row.swap(0, Ordering::SeqCst),
        };
        (in_a_row.load(Ordering::SeqCst) == 6).then_some(())
    })
    .await;
}

#[tokio::test]
async fn one_lost_replica_of_auth_costs_nobody_their_sign_in() {
    let auth = Auth::new();
    let (first, second, web) = (auth.start(), auth.start(), Upstream::echo("web"));
    let both = format!("{},{}", first.url(), second.url());
    let settings = settings(&[("AUTH", both), ("WEB", web.url()), ("HEALTH", web.url())]);
    let gateway = service::spawn(gateway::about(), settings, gateway::start).await.unwrap();
    auth.sign_in("t");
    testkit::wait_until("both streams", SOON, || async { (auth.listeners() == 2).then_some(()) }).await;
    let client = client();
    let ask =
        || client.get(format!("http://{}/api/v1/tickets", gateway.address.unwrap())).bearer_auth("t").send();
    first.stop().await;
    for _ in 0..6 {
        assert_eq!(ask().await.unwrap().status(), 200);
    }
    auth.revoke("t");
    testkit::wait_until("the revocation by the other replica", SOON, || async {
        (ask().await.unwrap().status() == 401).then_some(())
    })
    .await;
}
