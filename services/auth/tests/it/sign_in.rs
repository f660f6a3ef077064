//! Signing in: who is let in, and what everybody else reads.

use api::headers;
use api::session::Session;
use domain::{Capability, SiteScope};
use serde_json::json;

use crate::stage::{ADDRESS, Auth, Ground, PASSWORD, env_with, problem, token_in};

#[tokio::test(flavor = "multi_thread")]
async fn a_right_password_opens_a_session_behind_a_guarded_cookie() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let answer = auth.sign_in("Asha", PASSWORD).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    let token = token_in(&answer);
    assert_eq!(cookie, format!("__Host-session={token}; Path=/; Secure; HttpOnly; SameSite=Lax"));
    let session: Session = answer.json().await.unwrap();
    assert_eq!((session.person_name.as_str(), session.client_name.as_str()), ("Asha Rao", "ACME Ltd"));
    assert_eq!(session.capabilities, Capability::ALL);
    let (identity, _) = auth.identity_of(&token).await;
    assert_eq!(identity.session_id, session.session_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_is_stored_as_a_hash_only() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let token = auth.token_of("asha", PASSWORD).await;
    let rows = ground.db.admin().await.query("select session::text from session", &[]).await.unwrap();
    let row: String = rows[0].get(0);
    assert!(!row.contains(&token), "{row}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_wrong_and_disabled_read_the_same() {
    let ground = Ground::lay().await;
    ground.db.person(ground.acme, "bela").login("bela", PASSWORD).await;
    ground.change("update person set enabled = false where code = 'bela'").await;
    let auth = Auth::on(&ground).await;
    let wrong = problem(auth.sign_in("asha", "not the password").send().await.unwrap()).await;
    let unknown = problem(auth.sign_in("nobody", PASSWORD).send().await.unwrap()).await;
    let disabled = problem(auth.sign_in("bela", PASSWORD).send().await.unwrap()).await;
    let expected = json!({
        "type": "/problems/sign-in-refused",
        "title": "Unauthorized",
        "status": 401,
        "detail": "Login name or password is wrong.",
        "instance": "[correlation id]",
    });
    assert_eq!(wrong, (401, expected));
    assert_eq!((&unknown, &disabled), (&wrong, &wrong));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_forgets_the_failures_before_it() {
    let ground = Ground::lay().await;
    let auth = Auth::start(env_with(&ground.db, &[("SIGN_IN__PER_ADDRESS", "100")])).await;
    let status =
        async |password: &str| auth.sign_in("asha", password).send().await.unwrap().status().as_u16();
    for round in 0..2 {
        for _ in 0..4 {
            assert_eq!(status("wrong").await, 401, "round {round}");
        }
        assert_eq!(status(PASSWORD).await, 201, "round {round}");
    }
    for _ in 0..5 {
        assert_eq!(status("wrong").await, 401);
    }
    assert_eq!(status(PASSWORD).await, 429, "the right password does not help either");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limited_login_name_reads_how_long_to_wait() {
    let ground = Ground::lay().await;
    let auth = Auth::start(env_with(&ground.db, &[("SIGN_IN__PER_LOGIN", "1")])).await;
    auth.sign_in("asha", "wrong").send().await.unwrap();
    let answer = auth.sign_in("ASHA", PASSWORD).send().await.unwrap();
    let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=900).contains(&wait), "{wait}");
    let (status, problem) = problem(answer).await;
    assert_eq!((status, &problem["type"]), (429, &json!("/problems/sign-in-limited")));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_sign_in_has_a_token_of_its_own_and_ends_the_session_it_came_with() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let first = auth.token_of("asha", PASSWORD).await;
    let (before, signed) = auth.identity_of(&first).await;
    let answer = auth.sign_in("asha", PASSWORD).header(headers::IDENTITY, signed).send().await.unwrap();
    let second = token_in(&answer);
    assert_ne!(first, second);
    assert_eq!(auth.exchange(&first).await.status(), 401);
    let (after, _) = auth.identity_of(&second).await;
    assert_ne!(before.session_id, after.session_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_internal_key_nobody_can_try() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let form = json!({ "login": "asha", "password": PASSWORD });
    for key in [None, Some("guessed")] {
        let mut request = auth.request("POST", "/api/v1/session").header(headers::CLIENT_ADDRESS, ADDRESS);
        if let Some(key) = key {
            request = request.header(headers::INTERNAL_KEY, key);
        }
        let (status, problem) = problem(request.json(&form).send().await.unwrap()).await;
        assert_eq!((status, &problem["type"]), (401, &json!("/problems/internal-only")));
    }
    let sql = "select count(*) from auth_rate_limit_attempts";
    let row = ground.db.admin().await.query_one(sql, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_can_be_nobodys_is_refused_by_field_and_not_counted() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let (status, problem) = problem(auth.sign_in("a b", "").send().await.unwrap()).await;
    assert_eq!((status, &problem["type"]), (422, &json!("/problems/sign-in-invalid")));
    let pointers: Vec<&str> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(pointers, ["/login", "/password"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hash_made_at_another_cost_is_renewed_at_sign_in() {
    let ground = Ground::lay().await;
    let cheap = [("PASSWORDS__MEMORY_KIB", "64"), ("PASSWORDS__ITERATIONS", "1")];
    let auth = Auth::start(env_with(&ground.db, &cheap)).await;
    auth.token_of("asha", PASSWORD).await;
    let row = ground.db.admin().await.query_one("select password_hash from credential", &[]).await.unwrap();
    assert!(row.get::<_, String>(0).contains("m=64,t=1,p=1"));
    auth.token_of("asha", PASSWORD).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_and_out_stands_in_the_audit_trail() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let token = auth.token_of("asha", PASSWORD).await;
    let (identity, signed) = auth.identity_of(&token).await;
    assert_eq!(identity.actor(domain::CorrelationId::generate()).sites, SiteScope::All);
    auth.request("DELETE", "/api/v1/session").header(headers::IDENTITY, signed).send().await.unwrap();
    let sql = "select action, person_id from audit_event order by at, action";
    let rows = ground.db.admin().await.query(sql, &[]).await.unwrap();
    let actions: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(actions, ["session_opened", "session_revoked"]);
    assert!(rows.iter().all(|row| row.get::<_, domain::PersonId>(1) == ground.asha));
}
