//! Forms with files: passed on while they arrive, proven by their first part, looked at but for what the files hold.

use domain::security::SecurityEventKind;
use reqwest::RequestBuilder;

use crate::world::{World, problem, received};

const BOUNDARY: &str = "bOuNd";
const ADDRESS: &str = "/tickets/1/attachments";

fn text(name: &str, value: &str) -> String {
    format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

fn file(name: &str, content: &str) -> String {
    let head = format!("Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"");
    format!("--{BOUNDARY}\r\n{head}\r\nContent-Type: image/png\r\n\r\n{content}\r\n")
}

fn upload(request: RequestBuilder, parts: &[String]) -> RequestBuilder {
    let body = format!("{}--{BOUNDARY}--\r\n", parts.concat());
    request.header("content-type", format!("multipart/form-data; boundary={BOUNDARY}")).body(body)
}

/// A page of ours, with the token its forms carry.
async fn page(world: &World) -> (RequestBuilder, String) {
    let cookie = "__Host-session=t";
    let page = received(world.get("/tickets/1").header("cookie", cookie).send().await.unwrap()).await;
    let token = page.header("x-youtility-csrf-token").unwrap();
    let origin = format!("http://{}", world.address());
    (world.post(ADDRESS).header("cookie", cookie).header("origin", origin), token)
}

#[tokio::test]
async fn a_large_file_passes_and_its_content_is_not_looked_at() {
    let world = World::signed_in("t").await;
    for bytes in [10, 70_000, 3_000_000] {
        let content = format!("' or 1=1 union select password from credential -- {}", "x".repeat(bytes));
        let parts = [file("plan.png", &content), text("note", "the plan")];
        let answer = upload(world.post(ADDRESS).bearer_auth("t"), &parts).send().await.unwrap();
        assert_eq!(received(answer).await.body, format!("{}--{BOUNDARY}--\r\n", parts.concat()));
    }
}

#[tokio::test]
async fn a_page_proves_an_upload_by_its_first_part() {
    let world = World::signed_in("t").await;
    let send = async |parts: &[String]| upload(page(&world).await.0, parts).send().await.unwrap();
    let (_request, token) = page(&world).await;
    let (right, wrong, picture) = (text("csrf_token", &token), text("csrf_token", "x"), file("a.png", "1"));
    let passed = received(send(&[right.clone(), picture.clone()]).await).await;
    assert_eq!(passed.body, format!("{right}{picture}--{BOUNDARY}--\r\n"));
    for parts in [vec![picture.clone(), right.clone()], vec![wrong, right], vec![picture], vec![]] {
        assert_eq!(problem(send(&parts).await).await, "403 csrf-refused", "{parts:?}");
    }
    let elsewhere =
        world.post(ADDRESS).header("cookie", "__Host-session=t").header("origin", "https://z.example");
    let answer = upload(elsewhere, &[text("csrf_token", &token)]).send().await.unwrap();
    assert_eq!(problem(answer).await, "403 csrf-refused");
}

#[tokio::test]
async fn an_attack_beside_the_file_cuts_the_upload_off() {
    let world = World::start().await;
    let known = world.auth.sign_in("t");
    let attack = "1' or '1'='1' union select login from credential--";
    for parts in [
        vec![file("a.png", &"x".repeat(100_000)), text("note", attack)],
        vec![text("note", attack), file("a.png", "1")],
        vec![file("../../../etc/passwd", "1")],
    ] {
        let answer = upload(world.post(ADDRESS).bearer_auth("t"), &parts).send().await.unwrap();
        assert_eq!(problem(answer).await, "403 request-blocked");
    }
    let event = world.auth.event(SecurityEventKind::RequestBlocked).await;
    assert_eq!(event.person_id, Some(known.person_id));
    assert_eq!(event.detail["place"], "multipart:note");
}

#[tokio::test]
async fn what_is_no_upload_keeps_the_smaller_limit() {
    let world = World::with(|settings| {
        settings.limits.body_bytes_max = 100_000;
        let route = settings.routes.iter_mut().find(|route| route.prefix == "/tickets").unwrap();
        route.upload_bytes_max = Some(200_000);
    })
    .await;
    world.auth.sign_in("t");
    let status = async |request: RequestBuilder| request.send().await.unwrap().status().as_u16();
    let post = |address: &str| world.post(address).bearer_auth("t");
    assert_eq!(status(upload(post(ADDRESS), &[file("a.png", &"x".repeat(150_000))])).await, 200);
    assert_eq!(status(upload(post(ADDRESS), &[file("a.png", &"x".repeat(250_000))])).await, 413);
    assert_eq!(
        status(post(ADDRESS).header("content-type", "image/png").body("x".repeat(150_000))).await,
        413
    );
    assert_eq!(status(upload(post("/setup"), &[file("a.png", &"x".repeat(150_000))])).await, 413);
}
