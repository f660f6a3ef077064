//! Passkeys: added by who sits there, proven once for each challenge, and by no other page.

use api::account::Factors;
use api::headers;
use api::session::{FactorOwed, Session};
use domain::account::SecondFactor;
use serde_json::{Value, json};

use crate::person::{Browser, cookie, factor, step};
use crate::soft_key::{DOMAIN, ORIGIN, PRESENT_ONLY, SoftKey};
use crate::stage::{ADDRESS, Auth, Ground, PASSWORD, env_with, problem};

async fn start(ground: &Ground) -> Auth {
    let offered = [("PASSKEYS__RELYING_PARTY", DOMAIN), ("PASSKEYS__ORIGINS", ORIGIN)];
    Auth::start(env_with(&ground.db, &offered)).await
}

async fn asked(browser: &mut Browser<'_>) -> Value {
    let answer = browser.send("POST", "/api/v1/account/passkeys/options").await;
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

async fn add(browser: &mut Browser<'_>, credential: Value) -> reqwest::Response {
    let form = json!({ "name": "telephone", "credential": credential });
    browser.send_json("POST", "/api/v1/account/passkeys", form).await
}

async fn added(browser: &mut Browser<'_>) -> SoftKey {
    let mut key = SoftKey::new();
    let options = asked(browser).await;
    let answer = add(browser, key.create(&options)).await;
    assert_eq!(answer.status(), 201, "{:?}", answer.text().await);
    key
}

async fn challenge(auth: &Auth, step: &str) -> Value {
    let request = auth
        .internal("POST", "/api/v1/session/factor/options")
        .header(headers::CLIENT_ADDRESS, ADDRESS)
        .header(headers::STEP, step);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_finishes_a_sign_in() {
    let ground = Ground::lay().await;
    let auth = start(&ground).await;
    let mut browser = Browser::of(&auth, "asha").await;
    let before = browser.token.clone();
    let mut key = added(&mut browser).await;
    assert_ne!(before, browser.token, "a new factor gives the session a new token");
    let factors: Factors = browser.send("GET", "/api/v1/account/factors").await.json().await.unwrap();
    assert_eq!((factors.passkeys.len(), factors.passkeys[0].name.as_str()), (1, "telephone"));

    let answer = auth.sign_in("asha", PASSWORD).send().await.unwrap();
    let step = cookie(&answer, "__Host-step").unwrap();
    let owed: FactorOwed = answer.json().await.unwrap();
    assert_eq!(owed.factors, [SecondFactor::Passkey]);
    let options = challenge(&auth, &step).await;
    assert_eq!(options["publicKey"]["rpId"], DOMAIN);
    assert_eq!(options["publicKey"]["userVerification"], "required");
    let proof = json!({ "passkey": key.get(&options) });
    let answer = factor(&auth, &step, &proof).send().await.unwrap();
    assert_eq!(answer.status(), 201, "{:?}", answer.text().await);
    let session: Session = answer.json().await.unwrap();
    assert_eq!(session.factors, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_good_once_and_for_its_challenge_only() {
    let ground = Ground::lay().await;
    let auth = start(&ground).await;
    let mut key = added(&mut Browser::of(&auth, "asha").await).await;
    let step = step(&auth, "asha").await;
    let refused = async |proof: Value| {
        let answer = factor(&auth, &step, &json!({ "passkey": proof })).send().await.unwrap();
        let (status, problem) = problem(answer).await;
        assert_eq!((status, &problem["type"]), (403, &json!("/problems/factor-refused")));
    };
    let earlier = challenge(&auth, &step).await;
    challenge(&auth, &step).await;
    refused(key.get(&earlier)).await;
    let taken = challenge(&auth, &step).await;
    refused(json!({ "id": "x" })).await;
    refused(key.get(&taken)).await;
    let last = challenge(&auth, &step).await;
    let proof = json!({ "passkey": key.get(&last) });
    assert_eq!(factor(&auth, &step, &proof).send().await.unwrap().status(), 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_page_another_key_a_copy_and_an_absent_person_prove_nothing() {
    let ground = Ground::lay().await;
    let auth = start(&ground).await;
    let mut key = added(&mut Browser::of(&auth, "asha").await).await;
    let step = step(&auth, "asha").await;
    let refused = async |proof: Value, why: &str| {
        let answer = factor(&auth, &step, &json!({ "passkey": proof })).send().await.unwrap();
        assert_eq!(answer.status(), 403, "{why}");
        assert_eq!(cookie(&answer, "__Host-session"), None);
    };
    key.origin = "https://app.example.com.evil.example".to_owned();
    refused(key.get(&challenge(&auth, &step).await), "another page").await;
    ORIGIN.clone_into(&mut key.origin);
    key.flags = PRESENT_ONLY;
    refused(key.get(&challenge(&auth, &step).await), "nobody was recognised").await;
    key.flags = 0x05;
    refused(SoftKey::new().get(&challenge(&auth, &step).await), "another key").await;
    key.rewind(0);
    refused(key.get(&challenge(&auth, &step).await), "a copy counts anew").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_of_a_colleague_is_nobody_elses() {
    let ground = Ground::lay().await;
    ground.db.person(ground.acme, "bela").login("bela", PASSWORD).await;
    let auth = start(&ground).await;
    let mut asha = Browser::of(&auth, "asha").await;
    let mut bela = Browser::of(&auth, "bela").await;
    let mut belas = added(&mut bela).await;
    added(&mut asha).await;
    let step = step(&auth, "asha").await;
    let options = challenge(&auth, &step).await;
    let answer = factor(&auth, &step, &json!({ "passkey": belas.get(&options) })).send().await.unwrap();
    assert_eq!(answer.status(), 403);
    let factors: Factors = bela.send("GET", "/api/v1/account/factors").await.json().await.unwrap();
    let path = format!("/api/v1/account/passkeys/{}", factors.passkeys[0].id);
    assert_eq!(problem(asha.send("DELETE", &path).await).await.1["type"], "/problems/passkey-not-found");
    let options = asked(&mut asha).await;
    let known = add(&mut asha, belas.create(&options)).await;
    assert_eq!(problem(known).await.1["type"], "/problems/passkey-known", "one key, one account");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_is_added_by_the_page_and_the_ceremony_that_asked() {
    let ground = Ground::lay().await;
    let auth = start(&ground).await;
    let mut browser = Browser::of(&auth, "asha").await;
    let options = asked(&mut browser).await;
    let mut elsewhere = SoftKey::new();
    elsewhere.origin = "http://app.example.com".to_owned();
    let refused = add(&mut browser, elsewhere.create(&options)).await;
    assert_eq!(problem(refused).await.1["type"], "/problems/factor-refused");
    let late = add(&mut browser, SoftKey::new().create(&options)).await;
    assert_eq!(problem(late).await.1["type"], "/problems/factor-refused", "a ceremony is good once");
    for name in ["", "   ", "a\nb", &"x".repeat(101)] {
        let form = json!({ "name": name, "credential": {} });
        let answer = browser.send_json("POST", "/api/v1/account/passkeys", form).await;
        assert_eq!(problem(answer).await.1["type"], "/problems/invalid-account", "{name:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_proves_again_who_sits_there_and_gone_it_proves_nothing() {
    let ground = Ground::lay().await;
    let auth = start(&ground).await;
    let mut browser = Browser::of(&auth, "asha").await;
    let mut key = added(&mut browser).await;
    let path = "/api/v1/account/step-up";
    assert_eq!(browser.send("POST", &format!("{path}/options")).await.status(), 200);
    let sign_in = challenge(&auth, &step(&auth, "asha").await).await;
    let proof = json!({ "passkey": key.get(&sign_in) });
    let crossed = browser.send_json("POST", path, proof).await;
    assert_eq!(crossed.status(), 403, "made for a sign-in");
    let options: Value = browser.send("POST", &format!("{path}/options")).await.json().await.unwrap();
    let proof = json!({ "passkey": key.get(&options) });
    assert_eq!(browser.send_json("POST", path, proof).await.status(), 204);

    let options: Value = browser.send("POST", &format!("{path}/options")).await.json().await.unwrap();
    let factors: Factors = browser.send("GET", "/api/v1/account/factors").await.json().await.unwrap();
    let removed =
        browser.send("DELETE", &format!("/api/v1/account/passkeys/{}", factors.passkeys[0].id)).await;
    assert_eq!(removed.status(), 204);
    let gone = browser.send_json("POST", path, json!({ "passkey": key.get(&options) })).await;
    assert_eq!(problem(gone).await.1["type"], "/problems/factor-refused");
    assert_eq!(auth.sign_in("asha", PASSWORD).send().await.unwrap().status(), 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_domain_no_passkeys_are_offered() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let mut browser = Browser::of(&auth, "asha").await;
    let answer = browser.send("POST", "/api/v1/account/passkeys/options").await;
    let (status, problem) = problem(answer).await;
    assert_eq!((status, &problem["type"]), (404, &json!("/problems/passkeys-off")));
}

#[test]
fn origins_of_another_domain_are_a_mistake_of_the_settings() {
    let env = |origins: &str| {
        let pairs = [
            ("PASSKEYS__RELYING_PARTY", DOMAIN),
            ("PASSKEYS__ORIGINS", origins),
            ("PROCESS__ENVIRONMENT", "development"),
            ("IDENTITY__SIGNING_KEY", testkit::identity::Signer::shared().private_pem()),
        ];
        let env = testkit::env_with(testkit::trust_env(), &pairs);
        let loaded: Result<auth::Settings, _> = service::load_settings(&auth::about(), &[], env);
        loaded.is_ok()
    };
    assert!(env(ORIGIN) && env("https://app.example.com, https://www.app.example.com"));
    for wrong in
        ["", "app.example.com", "https://example.com", "https://evil.example, https://app.example.com"]
    {
        assert!(!env(wrong), "{wrong}");
    }
}
