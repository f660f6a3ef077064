//! Mailed links: what asking tells, what a link opens, and how often.

use api::headers;
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{AccountTokenId, PersonId};
use reqwest::Response;
use serde_json::{Value, json};

use crate::password_rules::NEXT;
use crate::person::{Browser, step};
use crate::stage::{ADDRESS, Auth, Ground, PASSWORD, env_with, problem};

const EMAIL: &str = "asha@example.com";

async fn ground() -> Ground {
    let ground = Ground::lay().await;
    ground.change("update person set email = 'asha@example.com' where code = 'asha'").await;
    ground
}

async fn send(auth: &Auth, path: &str, body: Value) -> Response {
    let request = auth.internal("POST", path).header(headers::CLIENT_ADDRESS, ADDRESS);
    request.json(&body).send().await.unwrap()
}

async fn ask(auth: &Auth, login: &str) -> u16 {
    send(auth, "/api/v1/recovery", json!({ "login": login })).await.status().as_u16()
}

/// A link as the worker makes it.
async fn link(ground: &Ground, person: PersonId, purpose: &str) -> String {
    let token: [u8; 32] = std::array::from_fn(|_| rand_byte());
    let hash = digest::digest(&digest::SHA256, &token).as_ref().to_vec();
    let sql = "insert into account_token (client_id, id, person_id, purpose, token_hash, email, expires_at)
               select client_id, $1, id, $3, $4, $5, now() + interval '10 minutes' from person where id = $2";
    let id = AccountTokenId::generate();
    let admin = ground.db.admin().await;
    assert_eq!(admin.execute(sql, &[&id, &person, &purpose, &hash, &EMAIL]).await.unwrap(), 1);
    URL_SAFE_NO_PAD.encode(token)
}

fn rand_byte() -> u8 {
    let mut byte = [0];
    aws_lc_rs::rand::fill(&mut byte).unwrap();
    byte[0]
}

async fn reset(auth: &Auth, token: &str, password: &str) -> (u16, Value) {
    let answer = send(auth, "/api/v1/recovery/token", json!({ "token": token, "password": password })).await;
    if answer.status() == 204 { (204, Value::Null) } else { problem(answer).await }
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_says_and_does_the_same_for_somebody_and_for_nobody() {
    let ground = ground().await;
    ground.db.person(ground.acme, "bela").login("bela", PASSWORD).await;
    let auth = Auth::on(&ground).await;
    for login in ["asha", "bela", "nobody"] {
        assert_eq!(ask(&auth, login).await, 202, "{login}");
    }
    let sql = "select args, tenant is null from task order by args ->> 'login'";
    let rows = ground.db.admin().await.query(sql, &[]).await.unwrap();
    let args: Vec<Value> = rows.iter().map(|row| row.get(0)).collect();
    let expected = ["asha", "bela", "nobody"].map(|login| json!({ "purpose": "RESET", "login": login }));
    assert_eq!(args, expected, "one task each, and no secret in any");
    assert!(
        rows.iter().all(|row| row.get::<_, bool>(1)),
        "not even the tenant tells whether there is such a login"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_name_is_mailed_three_times_and_an_address_may_ask_20_times() {
    let ground = ground().await;
    let auth = Auth::start(env_with(&ground.db, &[("ACCOUNTS__RESETS_PER_ADDRESS", "8")])).await;
    for _ in 0..5 {
        assert_eq!(ask(&auth, "asha").await, 202);
        ground.change("delete from task").await;
    }
    let sql = "select attempts from sign_in_counter where key = 'reset:of:asha'";
    let row = ground.db.admin().await.query_one(sql, &[]).await.unwrap();
    assert_eq!(row.get::<_, i32>(0), 3);
    for name in ["u01", "u02", "u03"] {
        assert_eq!(ask(&auth, name).await, 202);
    }
    assert_eq!(ask(&auth, "u04").await, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_sets_a_password_once_and_ends_what_the_old_one_opened() {
    let ground = ground().await;
    let auth = Auth::on(&ground).await;
    let session = auth.token_of("asha", PASSWORD).await;
    let (token, other) =
        (link(&ground, ground.asha, "RESET").await, link(&ground, ground.asha, "RESET").await);
    let (status, refused) = reset(&auth, &token, "password12345").await;
    assert_eq!(
        (status, &refused["type"]),
        (422, &json!("/problems/password-refused")),
        "the link stays good"
    );
    assert_eq!(reset(&auth, &token, NEXT).await.0, 204);
    assert_eq!(auth.exchange(&session).await.status(), 401);
    assert_eq!(auth.sign_in("asha", PASSWORD).send().await.unwrap().status(), 401);
    assert_eq!(auth.sign_in("asha", NEXT).send().await.unwrap().status(), 201);
    for gone in [&token, &other] {
        let (status, refused) = reset(&auth, gone, "copper meadow violin tax").await;
        assert_eq!((status, &refused["type"]), (403, &json!("/problems/link-refused")));
    }
    let sql = "select email_verified_at is not null from person where code = 'asha'";
    assert!(
        ground.db.admin().await.query_one(sql, &[]).await.unwrap().get::<_, bool>(0),
        "mail reached them"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_ten_who_use_a_link_at_once_one_sets_the_password() {
    let ground = ground().await;
    let auth = Auth::on(&ground).await;
    let token = link(&ground, ground.asha, "RESET").await;
    let words =
        ["lamp", "copper", "violin", "meadow", "anchor", "pepper", "glacier", "tunnel", "basil", "orbit"];
    let passwords: Vec<String> = words.iter().map(|word| format!("{word} stone river fog tax")).collect();
    let uses = passwords.iter().map(|password| reset(&auth, &token, password));
    let statuses: Vec<u16> =
        futures_util::future::join_all(uses).await.into_iter().map(|(status, _)| status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 204).count(), 1, "{statuses:?}");
    let winner = statuses.iter().position(|status| *status == 204).unwrap();
    auth.token_of("asha", &passwords[winner]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_factor_stays_owed_after_a_link() {
    let ground = ground().await;
    let auth = Auth::on(&ground).await;
    Browser::of(&auth, "asha").await.add_totp().await;
    let before = step(&auth, "asha").await;
    let token = link(&ground, ground.asha, "RESET").await;
    assert_eq!(reset(&auth, &token, NEXT).await.0, 204);
    let answer = auth.sign_in("asha", NEXT).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    let sql = "select count(*) from sign_in_step";
    assert_eq!(
        ground.db.admin().await.query_one(sql, &[]).await.unwrap().get::<_, i64>(0),
        1,
        "{before} is gone"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn links_that_ended_are_for_something_else_or_went_elsewhere_open_nothing() {
    let ground = ground().await;
    let auth = Auth::on(&ground).await;
    let refused = async |token: &str| {
        let (status, refused) = reset(&auth, token, NEXT).await;
        assert_eq!((status, &refused["type"]), (403, &json!("/problems/link-refused")), "{token}");
    };
    refused(&link(&ground, ground.asha, "VERIFY").await).await;
    let old = link(&ground, ground.asha, "RESET").await;
    ground.change("update account_token set expires_at = now() - interval '1 second'").await;
    refused(&old).await;
    let elsewhere = link(&ground, ground.asha, "RESET").await;
    ground.change("update person set email = 'other@example.com' where code = 'asha'").await;
    refused(&elsewhere).await;
    ground.change("update person set email = 'asha@example.com', enabled = false where code = 'asha'").await;
    refused(&elsewhere).await;
    for made_up in ["", "x", &"A".repeat(43), &"A".repeat(5_000), "' or true --"] {
        refused(made_up).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_tries_20_links() {
    let ground = ground().await;
    let auth = Auth::start(env_with(&ground.db, &[("ACCOUNTS__LINKS_PER_ADDRESS", "3")])).await;
    let token = link(&ground, ground.asha, "RESET").await;
    for _ in 0..3 {
        assert_eq!(reset(&auth, &"A".repeat(43), NEXT).await.0, 403);
    }
    let (status, limited) = reset(&auth, &token, NEXT).await;
    assert_eq!((status, &limited["type"]), (429, &json!("/problems/factor-limited")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_sets_the_first_password() {
    let ground = ground().await;
    let auth = Auth::on(&ground).await;
    ground.change("update credential set password_hash = '$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$iWh06vD8Fy27wf9npn6FXWiCX4K6pW6Ue1Bnzz07Z8A'").await;
    let token = link(&ground, ground.asha, "INVITE").await;
    assert_eq!(reset(&auth, &token, NEXT).await.0, 204);
    auth.token_of("asha", NEXT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_proven_by_its_link_and_by_no_other() {
    let ground = ground().await;
    let auth = Auth::on(&ground).await;
    let mut browser = Browser::of(&auth, "asha").await;
    let asked = browser.send("POST", "/api/v1/account/email/verification").await;
    assert_eq!(asked.status(), 202);
    let sql = "select args from task where kind = 'account.mail'";
    let args: Value = ground.db.admin().await.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(args, json!({ "purpose": "VERIFY", "person_id": ground.asha }));
    let verify = async |token: &str| {
        send(&auth, "/api/v1/email-verification", json!({ "token": token })).await.status().as_u16()
    };
    assert_eq!(verify(&link(&ground, ground.asha, "RESET").await).await, 403);
    let token = link(&ground, ground.asha, "VERIFY").await;
    assert_eq!((verify(&token).await, verify(&token).await), (204, 403));
    let factors: api::account::Factors =
        browser.send("GET", "/api/v1/account/factors").await.json().await.unwrap();
    assert_eq!((factors.email.as_deref(), factors.email_verified), (Some(EMAIL), true));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_no_address_reads_so_and_nothing_is_sent() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let mut browser = Browser::of(&auth, "asha").await;
    let answer = browser.send("POST", "/api/v1/account/email/verification").await;
    assert_eq!(problem(answer).await.1["type"], "/problems/invalid-account");
    let row = ground.db.admin().await.query_one("select count(*) from task", &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 0);
}
