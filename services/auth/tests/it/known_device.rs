//! Browsers somebody signed in with before: strangers cannot lock a person out of them.

use api::account::Devices;
use api::headers;
use reqwest::{RequestBuilder, Response};
use serde_json::json;

use crate::password_rules::NEXT;
use crate::person::{Browser, cookie, factor};
use crate::stage::{ADDRESS, Auth, Ground, PASSWORD, env_with};

/// What the box "remember this browser" says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Remember {
    Ticked,
    Empty,
}

fn sign_in(auth: &Auth, password: &str, device: Option<&str>, remember: Remember) -> RequestBuilder {
    let request = auth
        .internal("POST", "/api/v1/session")
        .header(headers::CLIENT_ADDRESS, ADDRESS)
        .json(&json!({ "login": "asha", "password": password, "remember": remember == Remember::Ticked }));
    match device {
        Some(device) => request.header(headers::DEVICE, device),
        None => request,
    }
}

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

async fn remembered(auth: &Auth) -> (Response, String) {
    let answer = sign_in(auth, PASSWORD, None, Remember::Ticked).send().await.unwrap();
    let device = cookie(&answer, "__Host-device").unwrap();
    (answer, device)
}

/// Many attempts from one address are not what is tried here.
async fn start(ground: &Ground) -> Auth {
    Auth::start(env_with(&ground.db, &[("SIGN_IN__PER_ADDRESS", "1000")])).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_who_locks_a_login_name_does_not_lock_its_owners_browser() {
    let ground = Ground::lay().await;
    let auth = start(&ground).await;
    let (answer, device) = remembered(&auth).await;
    let given: Vec<&str> =
        answer.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    let expected =
        format!("__Host-device={device}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=15552000");
    assert!(given.contains(&expected.as_str()), "{given:?}");
    let storm = (0..50).map(|_| status(sign_in(&auth, "guess", None, Remember::Empty)));
    let answers = futures_util::future::join_all(storm).await;
    assert_eq!(answers.iter().filter(|status| **status == 401).count(), 5);
    assert_eq!(status(sign_in(&auth, PASSWORD, None, Remember::Empty)).await, 429, "another browser waits");
    assert_eq!(status(sign_in(&auth, PASSWORD, Some(&device), Remember::Empty)).await, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_browser_has_five_guesses_of_its_own_and_not_one_more() {
    let ground = Ground::lay().await;
    let auth = start(&ground).await;
    let (_, device) = remembered(&auth).await;
    let storm = (0..50).map(|_| status(sign_in(&auth, "guess", Some(&device), Remember::Empty)));
    let answers = futures_util::future::join_all(storm).await;
    assert_eq!(answers.iter().filter(|status| **status == 401).count(), 5);
    assert_eq!(status(sign_in(&auth, PASSWORD, Some(&device), Remember::Empty)).await, 429);
    assert_eq!(status(sign_in(&auth, PASSWORD, None, Remember::Empty)).await, 201, "and locks no other out");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_is_known_by_its_owner_only() {
    let ground = Ground::lay().await;
    ground.db.person(ground.acme, "bela").login("bela", PASSWORD).await;
    let auth = start(&ground).await;
    let answer = auth
        .sign_in("bela", PASSWORD)
        .json(&json!({ "login": "bela", "password": PASSWORD, "remember": true }));
    let belas = cookie(&answer.send().await.unwrap(), "__Host-device").unwrap();
    for index in 0..12 {
        let guess = sign_in(&auth, "guess", Some(&belas), Remember::Empty);
        assert_eq!(status(guess).await, if index < 5 { 401 } else { 429 }, "counted as a stranger's");
    }
    assert_eq!(
        status(sign_in(&auth, PASSWORD, Some(&"A".repeat(43)), Remember::Empty)).await,
        429,
        "made up"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_signs_in_again_is_known_under_another_token() {
    let ground = Ground::lay().await;
    let auth = start(&ground).await;
    let (_, first) = remembered(&auth).await;
    let answer = sign_in(&auth, PASSWORD, Some(&first), Remember::Ticked).send().await.unwrap();
    let second = cookie(&answer, "__Host-device").unwrap();
    assert_ne!(first, second);
    let token = cookie(&answer, "__Host-session").unwrap();
    let mut browser = Browser { auth: &auth, token };
    let devices: Devices = browser.send("GET", "/api/v1/account/devices").await.json().await.unwrap();
    assert_eq!((devices.browsers.len(), devices.handset), (1, None));
    let path = format!("/api/v1/account/devices/{}", devices.browsers[0].id);
    assert_eq!(browser.send("DELETE", &path).await.status(), 204);
    for _ in 0..5 {
        status(sign_in(&auth, "guess", None, Remember::Empty)).await;
    }
    for forgotten in [&first, &second] {
        assert_eq!(status(sign_in(&auth, PASSWORD, Some(forgotten), Remember::Empty)).await, 429);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_an_authenticator_is_known_after_its_code_only_and_a_new_password_forgets() {
    let ground = Ground::lay().await;
    let auth = start(&ground).await;
    let mut browser = Browser::of(&auth, "asha").await;
    let (mut phone, _) = browser.add_totp().await;
    let answer = sign_in(&auth, PASSWORD, None, Remember::Ticked).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), cookie(&answer, "__Host-device")), (202, None));
    let step = cookie(&answer, "__Host-step").unwrap();
    let answer = factor(&auth, &step, &json!({ "code": phone.code() })).send().await.unwrap();
    assert!(cookie(&answer, "__Host-device").is_some());
    let count = "select count(*) from known_device";
    assert_eq!(ground.db.admin().await.query_one(count, &[]).await.unwrap().get::<_, i64>(0), 1);
    let form = json!({ "current": PASSWORD, "new": NEXT });
    assert_eq!(browser.send_json("PUT", "/api/v1/account/password", form).await.status(), 204);
    assert_eq!(ground.db.admin().await.query_one(count, &[]).await.unwrap().get::<_, i64>(0), 0);
}
