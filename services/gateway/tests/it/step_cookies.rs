//! The cookies of a sign-in under way and of a known browser.

use crate::world::{World, received};

const COOKIES: &str = "theme=dark; __Host-step=s1; __Host-device=d1; __Host-visitor=v1";

#[tokio::test]
async fn auth_and_web_get_them_as_headers_and_nobody_else_does() {
    let world = World::start().await;
    for (path, wanted) in [
        ("/login", Some("s1")),
        ("/api/v1/session", Some("s1")),
        ("/health/", None),
        ("/assets/x.css", Some("s1")),
    ] {
        let answer = received(world.get(path).header("cookie", COOKIES).send().await.unwrap()).await;
        assert_eq!(answer.header("x-youtility-step").as_deref(), wanted, "{path}");
        let device = wanted.map(|_step| "d1");
        assert_eq!(answer.header("x-youtility-device").as_deref(), device, "{path}");
        assert_eq!(answer.header("cookie").as_deref(), Some("theme=dark"), "{path}");
    }
}

#[tokio::test]
async fn a_client_cannot_write_the_headers_itself() {
    let world = World::start().await;
    let answer = world
        .get("/api/v1/session")
        .header("x-youtility-step", "forged")
        .header("x-youtility-device", "forged")
        .send()
        .await
        .unwrap();
    let answer = received(answer).await;
    assert_eq!(answer.header("x-youtility-step"), None);
    assert_eq!(answer.header("x-youtility-device"), None);
}
