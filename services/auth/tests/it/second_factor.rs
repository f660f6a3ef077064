//! Authenticators and recovery codes: what a password alone does not open.

use std::collections::BTreeMap;

use api::account::Factors;
use api::session::{FactorOwed, Session};
use domain::Capability;
use domain::account::SecondFactor;
use futures_util::future::join_all;
use reqwest::Response;
use serde_json::{Value, json};

use crate::person::{Browser, cookie, factor, step};
use crate::stage::{Auth, Ground, PASSWORD, env_with, problem};

async fn statuses(requests: Vec<reqwest::RequestBuilder>) -> BTreeMap<u16, usize> {
    let mut counts = BTreeMap::new();
    for answer in join_all(requests.into_iter().map(reqwest::RequestBuilder::send)).await {
        *counts.entry(answer.unwrap().status().as_u16()).or_insert(0) += 1;
    }
    counts
}

async fn code_of(answer: Response) -> (u16, Value) {
    let (status, problem) = problem(answer).await;
    (status, problem["type"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_alone_opens_nothing_for_whoever_has_an_authenticator() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let mut browser = Browser::of(&auth, "asha").await;
    let (mut phone, _) = browser.add_totp().await;

    let answer = auth.sign_in("asha", PASSWORD).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    assert_eq!(cookie(&answer, "__Host-session"), None);
    let given = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(given.ends_with("; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=300"), "{given}");
    let step = cookie(&answer, "__Host-step").unwrap();
    let owed: FactorOwed = answer.json().await.unwrap();
    assert_eq!(owed.factors, [SecondFactor::Totp, SecondFactor::Recovery]);
    assert_eq!(auth.exchange(&step).await.status(), 401, "a step is no session");

    let answer = factor(&auth, &step, &json!({ "code": phone.code() })).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    assert_eq!(cookie(&answer, "__Host-step").as_deref(), Some(""));
    let token = cookie(&answer, "__Host-session").unwrap();
    let session: Session = answer.json().await.unwrap();
    assert_eq!(session.factors, 2);
    let (identity, _) = auth.identity_of(&token).await;
    assert_eq!((identity.factors, identity.sub), (2, ground.asha));
    let again = factor(&auth, &step, &json!({ "code": phone.code() })).send().await.unwrap();
    assert_eq!(code_of(again).await, (401, json!("/problems/session-ended")), "a step is good once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_good_once_even_at_the_same_moment() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let (mut phone, _) = Browser::of(&auth, "asha").await.add_totp().await;
    let mut steps = Vec::new();
    for _ in 0..5 {
        steps.push(step(&auth, "asha").await);
    }
    let code = json!({ "code": phone.code() });
    let answers = statuses(steps.iter().map(|step| factor(&auth, step, &code)).collect()).await;
    assert_eq!(answers, [(201, 1), (403, 4)].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_30_wrong_codes_at_once_5_are_looked_at_and_then_the_right_one_waits() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let (mut phone, codes) = Browser::of(&auth, "asha").await.add_totp().await;
    let step = step(&auth, "asha").await;
    let wrong = json!({ "code": phone.wrong_code() });
    let answers = statuses((0..30).map(|_| factor(&auth, &step, &wrong)).collect()).await;
    assert_eq!(answers, [(403, 5), (429, 25)].into());
    for right in [json!({ "code": phone.code() }), json!({ "recovery_code": codes[0] })] {
        let answer = factor(&auth, &step, &right).send().await.unwrap();
        assert!(answer.headers().contains_key("retry-after"));
        assert_eq!(code_of(answer).await, (429, json!("/problems/factor-limited")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_that_are_not_finished_lock_nobody_out() {
    let ground = Ground::lay().await;
    let auth = Auth::start(env_with(&ground.db, &[("SIGN_IN__PER_LOGIN", "2")])).await;
    let (mut phone, _) = Browser::of(&auth, "asha").await.add_totp().await;
    for _ in 0..5 {
        step(&auth, "asha").await;
    }
    let last = step(&auth, "asha").await;
    let answer = factor(&auth, &last, &json!({ "code": phone.code() })).send().await.unwrap();
    assert_eq!(answer.status(), 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_code_is_good_once_and_new_ones_void_the_old() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let mut browser = Browser::of(&auth, "asha").await;
    let (_, codes) = browser.add_totp().await;
    assert_eq!(codes.len(), 10);
    let steps = [step(&auth, "asha").await, step(&auth, "asha").await];
    let typed = json!({ "recovery_code": codes[0].to_uppercase() });
    let answers = statuses(steps.iter().map(|step| factor(&auth, step, &typed)).collect()).await;
    assert_eq!(answers, [(201, 1), (403, 1)].into());
    let factors: Factors = browser.send("GET", "/api/v1/account/factors").await.json().await.unwrap();
    assert_eq!((factors.totp, factors.recovery_codes_left), (true, 9));

    assert_eq!(browser.send("POST", "/api/v1/account/recovery-codes").await.status(), 200);
    let old = factor(&auth, &step(&auth, "asha").await, &json!({ "recovery_code": codes[1] }));
    assert_eq!(code_of(old.send().await.unwrap()).await, (403, json!("/problems/factor-refused")));
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_lie_in_the_database_sealed_or_hashed_only() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let mut browser = Browser::of(&auth, "asha").await;
    let begun: Value = browser.send("POST", "/api/v1/account/totp").await.json().await.unwrap();
    let secret = data_encoding::BASE32_NOPAD.decode(begun["secret"].as_str().unwrap().as_bytes()).unwrap();
    let admin = ground.db.admin().await;
    let row = admin.query_one("select sealed, key_name from totp", &[]).await.unwrap();
    let sealed: Vec<u8> = row.get(0);
    assert!(!sealed.windows(8).any(|part| part == &secret[..8]) && sealed.len() == secret.len() + 28);
    assert_eq!(row.get::<_, String>(1), "1");
    let (_, codes) = browser.add_totp().await;
    let rows = admin.query("select recovery_code::text from recovery_code", &[]).await.unwrap();
    let text: String = rows.iter().map(|row| row.get::<_, String>(0)).collect();
    assert!(codes.iter().all(|code| !text.contains(code) && !text.contains(&code.replace('-', ""))));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authenticator_counts_once_it_has_shown_a_code_and_is_not_replaced_by_another() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let mut browser = Browser::of(&auth, "asha").await;
    browser.send("POST", "/api/v1/account/totp").await;
    assert_eq!(auth.sign_in("asha", PASSWORD).send().await.unwrap().status(), 201, "not confirmed");
    let wrong = browser.send_json("PUT", "/api/v1/account/totp", json!({ "code": "0000000" })).await;
    assert_eq!(code_of(wrong).await, (403, json!("/problems/factor-refused")));
    browser.add_totp().await;
    let second = browser.send("POST", "/api/v1/account/totp").await;
    assert_eq!(code_of(second).await, (422, json!("/problems/invalid-account")));
    assert_eq!(browser.send("DELETE", "/api/v1/account/totp").await.status(), 204);
    assert_eq!(auth.sign_in("asha", PASSWORD).send().await.unwrap().status(), 201, "removed");
    let admin = ground.db.admin().await;
    let row = admin.query_one("select count(*) from recovery_code", &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 0, "the last factor takes the recovery codes with it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_factor_gives_the_session_a_new_token() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let mut browser = Browser::of(&auth, "asha").await;
    let before = browser.token.clone();
    browser.add_totp().await;
    assert_ne!(before, browser.token);
    assert_eq!(auth.exchange(&before).await.status(), 401);
    let (identity, _) = auth.identity_of(&browser.token).await;
    assert_eq!(identity.factors, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_client_demands_a_factor_nothing_works_until_there_is_one() {
    let ground = Ground::lay().await;
    ground.change("update client set second_factor = 'REQUIRED'").await;
    let auth = Auth::on(&ground).await;
    let mut browser = Browser::of(&auth, "asha").await;
    let (identity, _) = auth.identity_of(&browser.token).await;
    assert!(identity.owes_factor && identity.capabilities.is_empty());
    let factors: Factors = browser.send("GET", "/api/v1/account/factors").await.json().await.unwrap();
    assert!(factors.required);
    browser.add_totp().await;
    let (identity, _) = auth.identity_of(&browser.token).await;
    assert!(!identity.owes_factor && identity.capabilities.contains(&Capability::Web));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_ends_by_time_and_with_its_person() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let (mut phone, _) = Browser::of(&auth, "asha").await.add_totp().await;
    let code = json!({ "code": phone.code() });
    for change in [
        "update sign_in_step set expires_at = now() - interval '1 second'",
        "update person set enabled = false",
    ] {
        let step = step(&auth, "asha").await;
        ground.change(change).await;
        let answer = factor(&auth, &step, &code).send().await.unwrap();
        assert_eq!(code_of(answer).await, (401, json!("/problems/session-ended")), "{change}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_no_factor_is_refused_and_nobody_is_in() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    Browser::of(&auth, "asha").await.add_totp().await;
    let step = step(&auth, "asha").await;
    let long = "7".repeat(50_000);
    for (body, status) in [
        (json!({}), 422),
        (json!({ "code": "123456", "recovery_code": "x" }), 422),
        (json!({ "code": 123_456 }), 400),
        (json!({ "code": long }), 403),
        (json!({ "recovery_code": "' or 1 = 1 --" }), 403),
        (json!({ "unknown": "1" }), 400),
    ] {
        let answer = factor(&auth, &step, &body).send().await.unwrap();
        assert_eq!(answer.status(), status, "{:.80}", body.to_string());
        assert_eq!(cookie(&answer, "__Host-session"), None);
    }
    for stranger in ["", "x", &"A".repeat(43)] {
        let answer = factor(&auth, stranger, &json!({ "code": "123456" })).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{stranger}");
    }
}
