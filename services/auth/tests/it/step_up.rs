//! Proving again who sits there: what asks for it, and what is enough.

use api::headers;
use serde_json::json;

use crate::person::Browser;
use crate::stage::{ADDRESS, Auth, Ground, PASSWORD, problem};

const PATH: &str = "/api/v1/account/step-up";

/// What changes an account and must not be done by whoever finds a browser open.
const DANGEROUS: &[(&str, &str)] = &[
    ("POST", "/api/v1/account/totp"),
    ("DELETE", "/api/v1/account/totp"),
    ("POST", "/api/v1/account/recovery-codes"),
    ("POST", "/api/v1/account/passkeys/options"),
    ("DELETE", "/api/v1/account/passkeys/01890a5d-ac96-774b-bcce-b302099a8057"),
    ("DELETE", "/api/v1/account/sessions"),
    ("DELETE", "/api/v1/account/sessions/01890a5d-ac96-774b-bcce-b302099a8057"),
    ("DELETE", "/api/v1/account/devices/01890a5d-ac96-774b-bcce-b302099a8057"),
];

async fn grow_old(ground: &Ground) {
    ground.change("update session set authenticated_at = now() - interval '301 seconds'").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_five_minutes_dangerous_actions_ask_who_sits_there() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let mut browser = Browser::of(&auth, "asha").await;
    grow_old(&ground).await;
    for (method, path) in DANGEROUS {
        let (status, problem) = problem(browser.send(method, path).await).await;
        assert_eq!(
            (status, &problem["type"]),
            (403, &json!("/problems/step-up-required")),
            "{method} {path}"
        );
    }
    let confirm = browser.send_json("PUT", "/api/v1/account/totp", json!({ "code": "123456" })).await;
    assert_eq!(problem(confirm).await.1["type"], "/problems/step-up-required");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_gives_another_token_and_counts_even_for_an_identity_signed_before() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let mut browser = Browser::of(&auth, "asha").await;
    grow_old(&ground).await;
    let (before, (_, identity)) = (browser.token.clone(), auth.identity_of(&browser.token).await);
    let answer = browser.send_json("POST", PATH, json!({ "password": PASSWORD })).await;
    assert_eq!(answer.status(), 204);
    assert_ne!(before, browser.token);
    assert_eq!(auth.exchange(&before).await.status(), 401);
    let again = auth
        .internal("POST", "/api/v1/account/totp")
        .header(headers::CLIENT_ADDRESS, ADDRESS)
        .header(headers::IDENTITY, identity);
    assert_eq!(again.send().await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_an_authenticator_proves_with_it_and_not_with_the_password() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let mut browser = Browser::of(&auth, "asha").await;
    let (mut phone, _) = browser.add_totp().await;
    grow_old(&ground).await;
    let refused = browser.send_json("POST", PATH, json!({ "password": PASSWORD })).await;
    assert_eq!(problem(refused).await.1["type"], "/problems/invalid-account");
    let code = phone.code();
    assert_eq!(browser.send_json("POST", PATH, json!({ "code": code })).await.status(), 204);
    let again = browser.send_json("POST", PATH, json!({ "code": code })).await;
    assert_eq!(problem(again).await.1["type"], "/problems/factor-refused", "a code is good once");
    assert_eq!(browser.send("DELETE", "/api/v1/account/totp").await.status(), 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_alone_opens_nothing_that_a_second_factor_guards() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let mut browser = Browser::of(&auth, "asha").await;
    let (mut phone, _) = browser.add_totp().await;
    grow_old(&ground).await;
    let change = json!({ "current": PASSWORD, "new": "Lantern-over-the-9-gates" });
    let refused = browser.send_json("PUT", "/api/v1/account/password", change.clone()).await;
    assert_eq!(problem(refused).await.1["type"], "/problems/step-up-required");
    assert_eq!(browser.send_json("POST", PATH, json!({ "code": phone.code() })).await.status(), 204);
    assert_eq!(browser.send_json("PUT", "/api/v1/account/password", change).await.status(), 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_password_gives_back_no_tries_at_codes() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let mut browser = Browser::of(&auth, "asha").await;
    browser.add_totp().await;
    for _ in 0..5 {
        let answer = browser.send_json("POST", PATH, json!({ "code": "000000" })).await;
        assert_eq!(problem(answer).await.1["type"], "/problems/factor-refused");
    }
    let weak = json!({ "current": PASSWORD, "new": "short" });
    browser.send_json("PUT", "/api/v1/account/password", weak).await;
    let answer = browser.send_json("POST", PATH, json!({ "code": "000000" })).await;
    assert_eq!(problem(answer).await.1["type"], "/problems/factor-limited");
}

#[tokio::test(flavor = "multi_thread")]
async fn five_wrong_proofs_are_looked_at_and_not_one_more() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let mut browser = Browser::of(&auth, "asha").await;
    for _ in 0..5 {
        let answer = browser.send_json("POST", PATH, json!({ "password": "wrong" })).await;
        assert_eq!(problem(answer).await.1["type"], "/problems/factor-refused");
    }
    let answer = browser.send_json("POST", PATH, json!({ "password": PASSWORD })).await;
    assert_eq!(problem(answer).await.1["type"], "/problems/factor-limited");
    assert_eq!(
        auth.sign_in("asha", PASSWORD).send().await.unwrap().status(),
        201,
        "signing in is counted apart"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_nobodys_without_an_identity() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    for (method, path) in DANGEROUS.iter().chain(&[("POST", PATH), ("GET", "/api/v1/account/factors")]) {
        let answer =
            auth.internal(method, path).header(headers::CLIENT_ADDRESS, ADDRESS).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{method} {path}");
    }
}
