//! Whose request it is.

use crate::world::{World, received};

async fn seen(world: &World, forwarded_for: &str) -> String {
    let answer = world.get("/login").header("x-forwarded-for", forwarded_for).send().await.unwrap();
    received(answer).await.header("x-youtility-client-address").unwrap()
}

#[tokio::test]
async fn a_stranger_cannot_choose_its_address() {
    let world = World::start().await;
    assert_eq!(seen(&world, "203.0.113.9").await, "127.0.0.1");
}

#[tokio::test]
async fn a_trusted_proxy_says_whose_request_it_is() {
    let world = World::with(|settings| {
        settings.trusted_proxies.networks =
            vec!["127.0.0.0/8".parse().unwrap(), "10.0.0.0/8".parse().unwrap()].into();
    })
    .await;
    assert_eq!(seen(&world, "198.51.100.1").await, "198.51.100.1");
    assert_eq!(seen(&world, "203.0.113.9, 198.51.100.1, 10.0.0.2").await, "198.51.100.1");
    assert_eq!(seen(&world, "2001:db8::1").await, "2001:db8::1");
}
