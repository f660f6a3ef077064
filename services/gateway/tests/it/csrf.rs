//! Requests that change something come from our own pages.

use reqwest::{RequestBuilder, Response};

use crate::world::{World, header, problem, received};

const FORM: &str = "application/x-www-form-urlencoded";

/// A browser that opened the sign-in page: its visitor cookie and the token of the page's form.
async fn visit(world: &World) -> (String, String) {
    let page = world.get("/login").header("accept", "text/html").send().await.unwrap();
    let cookie = header(&page, "set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let token = received(page).await.header("x-youtility-csrf-token").unwrap();
    (cookie, token)
}

async fn outcome(request: RequestBuilder) -> String {
    let answer: Response = request.send().await.unwrap();
    if answer.status() == 200 { "passed".to_owned() } else { problem(answer).await }
}

#[tokio::test]
async fn a_page_leaves_a_mark_that_only_this_host_and_no_script_sees() {
    let world = World::start().await;
    let page = world.get("/login").header("accept", "text/html").send().await.unwrap();
    let cookie = header(&page, "set-cookie").unwrap();
    let (value, attributes) = cookie.split_once(';').unwrap();
    assert!(value.starts_with("__Host-visitor="), "{cookie}");
    assert_eq!(attributes, " Path=/; Secure; HttpOnly; SameSite=Lax");
    assert_eq!(header(&page, "cache-control"), Some("no-store"));
    let again =
        world.get("/login").header("accept", "text/html").header("cookie", value).send().await.unwrap();
    assert_eq!(header(&again, "set-cookie"), None);
    for accept in ["*/*", "text/html"] {
        let asset = world.get("/assets/app.js").header("accept", accept).send().await.unwrap();
        assert_eq!(header(&asset, "set-cookie"), None, "a cache for many may keep it");
    }
}

#[tokio::test]
async fn the_sign_in_form_needs_the_token_of_its_visitor() {
    let world = World::start().await;
    let (cookie, token) = visit(&world).await;
    let (other_cookie, _) = visit(&world).await;
    let form = |cookie: &str, body: String| {
        world.post("/login").header("cookie", cookie).header("content-type", FORM).body(body)
    };
    assert_eq!(outcome(form(&cookie, format!("login=a&csrf_token={token}"))).await, "passed");
    assert_eq!(outcome(form(&cookie, "login=a".to_owned())).await, "403 csrf-refused");
    assert_eq!(outcome(form(&cookie, "login=a&csrf_token=".to_owned())).await, "403 csrf-refused");
    assert_eq!(outcome(form(&other_cookie, format!("csrf_token={token}"))).await, "403 csrf-refused");
    let without_cookie =
        world.post("/login").header("content-type", FORM).body(format!("csrf_token={token}"));
    assert_eq!(outcome(without_cookie).await, "403 csrf-refused");
    let mut whole = form(&cookie, format!("login=a&csrf_token={token}")).send().await.unwrap();
    let body = std::mem::take(&mut received_body(&mut whole).await);
    assert_eq!(body, format!("login=a&csrf_token={token}"));
}

async fn received_body(answer: &mut Response) -> String {
    let bytes = answer.chunk().await.unwrap().unwrap();
    let received: crate::upstream::Received = serde_json::from_slice(&bytes).unwrap();
    received.body
}

#[tokio::test]
async fn a_signed_in_browser_needs_the_token_of_its_session() {
    let world = World::signed_in("t").await;
    let cookie = "__Host-session=t";
    let page = received(world.get("/tickets").header("cookie", cookie).send().await.unwrap()).await;
    let token = page.header("x-youtility-csrf-token").unwrap();
    let post = || world.post("/tickets").header("cookie", cookie);
    let json = || post().header("content-type", "application/json").body("{}");
    assert_eq!(outcome(json().header("x-csrf-token", &token)).await, "passed");
    assert_eq!(outcome(json()).await, "403 csrf-refused");
    assert_eq!(outcome(json().header("x-csrf-token", "wrong")).await, "403 csrf-refused");
    assert_eq!(
        outcome(post().header("content-type", FORM).body(format!("csrf_token={token}"))).await,
        "passed"
    );
    assert_eq!(outcome(post().header("content-type", FORM).body("title=a")).await, "403 csrf-refused");
    assert_eq!(outcome(post()).await, "403 csrf-refused");
    let (_, visitor_token) = visit(&world).await;
    assert_eq!(outcome(json().header("x-csrf-token", visitor_token)).await, "403 csrf-refused");
}

#[tokio::test]
async fn another_site_is_refused_even_with_the_token() {
    let world = World::signed_in("t").await;
    let cookie = "__Host-session=t";
    let page = received(world.get("/tickets").header("cookie", cookie).send().await.unwrap()).await;
    let token = page.header("x-youtility-csrf-token").unwrap();
    let from = |name: &'static str, value: String| {
        world.post("/tickets").header("cookie", cookie).header("x-csrf-token", &token).header(name, value)
    };
    let ours = format!("http://{}", world.address());
    assert_eq!(outcome(from("origin", ours)).await, "passed");
    assert_eq!(outcome(from("origin", "https://evil.example".to_owned())).await, "403 csrf-refused");
    assert_eq!(outcome(from("origin", "null".to_owned())).await, "403 csrf-refused");
    assert_eq!(outcome(from("sec-fetch-site", "same-origin".to_owned())).await, "passed");
    assert_eq!(outcome(from("sec-fetch-site", "cross-site".to_owned())).await, "403 csrf-refused");
    assert_eq!(outcome(from("sec-fetch-site", "same-site".to_owned())).await, "403 csrf-refused");
}

#[tokio::test]
async fn programs_need_no_token() {
    let world = World::signed_in("t").await;
    let bearer =
        world.post("/api/v1/tickets").bearer_auth("t").header("content-type", "application/json").body("{}");
    assert_eq!(outcome(bearer).await, "passed");
    let sign_in = || world.post("/api/v1/session").header("content-type", "application/json").body("{}");
    assert_eq!(outcome(sign_in()).await, "passed");
    assert_eq!(outcome(sign_in().header("origin", "https://evil.example")).await, "403 csrf-refused");
    assert_eq!(outcome(sign_in().header("sec-fetch-site", "cross-site")).await, "403 csrf-refused");
    assert_eq!(outcome(sign_in().header("cookie", "theme=dark")).await, "403 csrf-refused");
}
