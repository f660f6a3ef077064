//! Refresh tokens: each good once, and what happens when one comes again.

use api::headers;
use api::token::Tokens;
use futures_util::future::join_all;
use reqwest::Response;
use serde_json::json;

use crate::stage::{ADDRESS, Auth, Ground, env_with, problem};
use crate::tokens::tokens;

async fn refresh_from(auth: &Auth, address: &str, token: &str, device: &str) -> Response {
    let body = json!({ "refresh_token": token, "device_id": device });
    let request = auth.internal("POST", "/api/v1/tokens/refresh").header(headers::CLIENT_ADDRESS, address);
    request.json(&body).send().await.unwrap()
}

async fn refresh(auth: &Auth, token: &str) -> Response {
    refresh_from(auth, ADDRESS, token, "handset-1").await
}

async fn next(auth: &Auth, token: &str) -> Tokens {
    let answer = refresh(auth, token).await;
    assert_eq!(answer.status(), 200, "{:?}", answer.text().await);
    answer.json().await.unwrap()
}

async fn assert_refused(answer: Response) {
    let (status, refused) = problem(answer).await;
    assert_eq!((status, &refused["type"]), (401, &json!("/problems/refresh-refused")));
}

async fn assert_dead(ground: &Ground, auth: &Auth, tokens: &Tokens) {
    assert_eq!(auth.exchange(&tokens.access_token).await.status(), 401);
    assert_refused(refresh(auth, &tokens.refresh_token).await).await;
    assert_eq!(ground.db.count("select count(*) from session where revoked_at is null").await, 0);
}

/// Never takes a token twice.
async fn strict(ground: &Ground) -> Auth {
    Auth::start(env_with(&ground.db, &[("TOKENS__REUSE_GRACE_SECONDS", "0")])).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_replaces_both_tokens() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let first = tokens(&auth).await;
    let (before, _) = auth.identity_of(&first.access_token).await;
    let second = next(&auth, &first.refresh_token).await;
    assert!(second.user.is_none() && second.refresh_token != first.refresh_token);
    assert_eq!(auth.exchange(&first.access_token).await.status(), 401);
    let (after, _) = auth.identity_of(&second.access_token).await;
    assert_eq!(before.session_id, after.session_id);
    let third = next(&auth, &second.refresh_token).await;
    assert_eq!(auth.exchange(&third.access_token).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_token_that_comes_after_its_successor_was_used_ends_the_session() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let first = tokens(&auth).await;
    let second = next(&auth, &first.refresh_token).await;
    let third = next(&auth, &second.refresh_token).await;
    assert_refused(refresh(&auth, &first.refresh_token).await).await;
    assert_dead(&ground, &auth, &third).await;
    let sql = "select count(*) from security_event
                where kind = 'refresh_reused' and person_id is not null and detail = '{\"reason\": \"used before\"}'";
    assert_eq!(ground.db.count(sql).await, 1);
    let sql = "select count(*) from audit_event where action = 'session_revoked'";
    assert_eq!(ground.db.count(sql).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_grace_a_second_use_ends_the_session_at_once() {
    let ground = Ground::lay().await;
    let auth = strict(&ground).await;
    let first = tokens(&auth).await;
    let second = next(&auth, &first.refresh_token).await;
    assert_refused(refresh(&auth, &first.refresh_token).await).await;
    assert_dead(&ground, &auth, &second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_given_once_more_and_the_lost_tokens_are_worth_nothing() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let first = tokens(&auth).await;
    let lost = next(&auth, &first.refresh_token).await;
    let given = next(&auth, &first.refresh_token).await;
    assert_eq!(auth.exchange(&lost.access_token).await.status(), 401);
    assert_eq!(auth.exchange(&given.access_token).await.status(), 200);
    let on = next(&auth, &given.refresh_token).await;
    assert_refused(refresh(&auth, &lost.refresh_token).await).await;
    assert_dead(&ground, &auth, &on).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_grace_a_second_use_ends_the_session_though_nobody_used_its_successor() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let first = tokens(&auth).await;
    let second = next(&auth, &first.refresh_token).await;
    ground
        .change(
            "update refresh_token set used_at = used_at - interval '11 seconds' where used_at is not null",
        )
        .await;
    assert_refused(refresh(&auth, &first.refresh_token).await).await;
    assert_dead(&ground, &auth, &second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_thirty_two_refreshes_of_one_token_one_pair_works_at_most() {
    for grace in ["10", "0"] {
        let ground = Ground::lay().await;
        let settings = [("TOKENS__REUSE_GRACE_SECONDS", grace), ("DATABASE__WAIT_TIMEOUT_MS", "20000")];
        let patient = [&settings[..], &[("LIMITS__DATABASE_ANSWER_MS", "20000")]].concat();
        let replicas = [
            Auth::start(env_with(&ground.db, &patient)).await,
            Auth::start(env_with(&ground.db, &patient)).await,
        ];
        let first = tokens(&replicas[0]).await;
        let asking = (0..32).map(|number| refresh(&replicas[number % 2], &first.refresh_token));
        let mut pairs: Vec<Tokens> = Vec::new();
        for answer in join_all(asking).await {
            match answer.status().as_u16() {
                200 => pairs.push(answer.json().await.unwrap()),
                status => assert_eq!(status, 401),
            }
        }
        let mut working = 0;
        for pair in &pairs {
            working += u32::from(replicas[0].exchange(&pair.access_token).await.status() == 200);
        }
        let unused = ground.db.count("select count(*) from refresh_token where used_at is null").await;
        let open = ground.db.count("select count(*) from session where revoked_at is null").await;
        if grace == "0" {
            assert_eq!(
                (pairs.len(), working, open),
                (1, 0, 0),
                "one was answered, the next ended the session"
            );
        } else {
            assert_eq!((pairs.len(), working, unused, open), (32, 1, 1, 1));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_comes_from_another_device_ends_the_session() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let first = tokens(&auth).await;
    assert_refused(refresh_from(&auth, ADDRESS, &first.refresh_token, "handset-2").await).await;
    assert_dead(&ground, &auth, &first).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_is_not_allowed_refreshes_nothing_and_ends_nothing() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let first = tokens(&auth).await;
    let sql = "insert into client_network (client_id, network) select client_id, '192.0.2.0/24' from client";
    ground.change(sql).await;
    let (status, refused) =
        problem(refresh_from(&auth, "198.51.100.7", &first.refresh_token, "handset-1").await).await;
    assert_eq!((status, &refused["type"]), (403, &json!("/problems/handset-refused")));
    next(&auth, &first.refresh_token).await;
    ground
        .change("insert into client_imei (client_id, imei) select client_id, '111111111111111' from client")
        .await;
    let (status, _) = problem(refresh(&auth, &first.refresh_token).await).await;
    assert_eq!(status, 403, "nor does a handset that was taken off the list");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_ends_a_person_a_handset_or_a_session_ends_its_tokens() {
    let ground = Ground::lay().await;
    let auth = Auth::start(env_with(&ground.db, &[("SIGN_IN__PER_ADDRESS", "100")])).await;
    for end in [
        "update refresh_token set expires_at = now() - interval '1 second'",
        "update session set idle_expires_at = now() - interval '1 second', expires_at = now() - interval '1 second'",
        "update session set revoked_at = now() where revoked_at is null",
        "update handset set released_at = now() where released_at is null",
        "update person set enabled = false",
        "update client set state = 'STOPPED'",
    ] {
        ground.change("update person set enabled = true where not enabled").await;
        let first = tokens(&auth).await;
        assert!(ground.change(end).await > 0, "{end}");
        assert_refused(refresh(&auth, &first.refresh_token).await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_moves_the_end_but_not_beyond_the_sessions() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let first = tokens(&auth).await;
    ground
        .change("update session set idle_expires_at = now() + interval '1 h', expires_at = now() + interval '2 h'")
        .await;
    let second = next(&auth, &first.refresh_token).await;
    assert!((7_100..=7_200).contains(&second.refresh_expires_in), "{}", second.refresh_expires_in);
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_that_are_no_refresh_tokens_are_refused() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let first = tokens(&auth).await;
    let bare = first.refresh_token.trim_start_matches("yr_").to_owned();
    let nobodys = format!("yr_{}", "A".repeat(43));
    for text in ["", "yr_", &bare, &first.access_token, &nobodys, &format!("yr_{}", "ä".repeat(43))] {
        assert_refused(refresh(&auth, text).await).await;
    }
    assert_refused(refresh_from(&auth, ADDRESS, &first.refresh_token, "").await).await;
    next(&auth, &first.refresh_token).await;
}
