//! Exchanging tokens, and what an identity says.

use api::headers;
use api::session::Session;
use domain::Capability;
use serde_json::json;
use testkit::identity::{self, Signer};

use crate::stage::{Auth, Ground, PASSWORD, env_with, problem};

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_says_what_the_person_of_one_client_may_do_where() {
    let ground = Ground::lay().await;
    let hq = ground.db.site(ground.acme, "HQ").await;
    ground.db.site(ground.acme, "YARD").await;
    let globex = ground.db.client("GLOBEX").await;
    ground.db.person(globex, "asha").login("asha.globex", PASSWORD).await;
    let bela = ground
        .db
        .person(ground.acme, "bela")
        .login("bela", PASSWORD)
        .sites(&[hq])
        .capabilities(&[Capability::Web, Capability::TicketsRead])
        .await;
    ground.change("delete from client_capability where capability = 'TICKETS_READ'").await;
    let auth = Auth::on(&ground).await;
    let token = auth.token_of("bela", PASSWORD).await;
    let (identity, _) = auth.identity_of(&token).await;
    assert_eq!((identity.client_id, identity.sub), (ground.acme, bela));
    assert_eq!(identity.sites, Some([hq].into()));
    assert_eq!(
        identity.capabilities,
        [Capability::Web].into(),
        "what the client has and the person was given"
    );
    assert!(identity.exp - identity.iat <= 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_nobody_is_refused() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    for token in ["", "no token", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let (status, problem) = problem(auth.exchange(token).await).await;
        assert_eq!((status, &problem["type"]), (401, &json!("/problems/session-ended")), "{token}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn internal_addresses_need_the_internal_key() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let token = auth.token_of("asha", PASSWORD).await;
    let exchange = auth.request("POST", "/internal/identity").json(&json!({ "token": token }));
    let follow = auth.request("GET", "/internal/revocations");
    for request in [exchange, follow] {
        let (status, problem) = problem(request.send().await.unwrap()).await;
        assert_eq!((status, &problem["type"]), (401, &json!("/problems/internal-only")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_end_when_idle_when_old_and_when_their_person_or_client_is_stopped() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let ends = [
        "update session set idle_expires_at = now() - interval '1 second'",
        "update session set idle_expires_at = now() - interval '1 second', expires_at = now() - interval '1 second'",
        "update person set enabled = false",
        "update client set state = 'STOPPED'",
    ];
    for end in ends {
        ground.change("update person set enabled = true").await;
        let token = auth.token_of("asha", PASSWORD).await;
        assert_eq!(auth.exchange(&token).await.status(), 200);
        assert!(ground.change(end).await > 0, "{end}");
        assert_eq!(auth.exchange(&token).await.status(), 401, "{end}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_lives_no_longer_than_its_session() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let token = auth.token_of("asha", PASSWORD).await;
    ground
        .change("update session set expires_at = now() + interval '20 s', idle_expires_at = now() + interval '20 s'")
        .await;
    let (identity, _) = auth.identity_of(&token).await;
    assert!(identity.exp - identity.iat <= 20, "{identity:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sessions_use_puts_its_end_off() {
    let ground = Ground::lay().await;
    let settings = [("SESSIONS__IDLE_SECONDS", "600"), ("SESSIONS__ABSOLUTE_SECONDS", "700")];
    let auth = Auth::start(env_with(&ground.db, &settings)).await;
    let token = auth.token_of("asha", PASSWORD).await;
    ground
        .change(
            "update session set last_seen_at = now() - interval '5 min', idle_expires_at = now() + interval '5 min'",
        )
        .await;
    assert_eq!(auth.exchange(&token).await.status(), 200);
    let sql = "select idle_expires_at > now() + interval '9 min', expires_at < now() + interval '12 min' from session";
    let row = ground.db.admin().await.query_one(sql, &[]).await.unwrap();
    assert_eq!((row.get(0), row.get(1)), (true, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_signed_in_reads_it_and_nobody_else() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let token = auth.token_of("asha", PASSWORD).await;
    let (identity, signed) = auth.identity_of(&token).await;
    let answer =
        auth.request("GET", "/api/v1/session").header(headers::IDENTITY, signed).send().await.unwrap();
    let session: Session = answer.json().await.unwrap();
    assert_eq!((session.session_id, session.person_name.as_str()), (identity.session_id, "Asha Rao"));
    let forged = Signer::generate().token(&identity);
    for request in [
        auth.request("GET", "/api/v1/session"),
        auth.request("GET", "/api/v1/session").header(headers::IDENTITY, forged),
        auth.request("DELETE", "/api/v1/session"),
    ] {
        let (status, problem) = problem(request.send().await.unwrap()).await;
        assert_eq!((status, &problem["type"]), (401, &json!("/problems/sign-in-required")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_the_session_and_takes_the_cookie() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let token = auth.token_of("asha", PASSWORD).await;
    let (_, signed) = auth.identity_of(&token).await;
    let answer =
        auth.request("DELETE", "/api/v1/session").header(headers::IDENTITY, &signed).send().await.unwrap();
    assert_eq!(answer.status(), 204);
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    assert_eq!(cookie, "__Host-session=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0");
    assert_eq!(auth.exchange(&token).await.status(), 401);
    let again =
        auth.request("DELETE", "/api/v1/session").header(headers::IDENTITY, signed).send().await.unwrap();
    assert_eq!(again.status(), 204, "signing out twice changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_client_cannot_end_a_session() {
    let ground = Ground::lay().await;
    let globex = ground.db.client("GLOBEX").await;
    let gita = ground.db.person(globex, "gita").await;
    let auth = Auth::on(&ground).await;
    let token = auth.token_of("asha", PASSWORD).await;
    let (of_asha, _) = auth.identity_of(&token).await;
    let mut of_gita = identity::of(globex, gita, Capability::ALL);
    of_gita.session_id = of_asha.session_id;
    let colleague = ground.db.person(ground.acme, "bela").await;
    let mut of_colleague = identity::of(ground.acme, colleague, Capability::ALL);
    of_colleague.session_id = of_asha.session_id;
    for stranger in [of_gita, of_colleague] {
        let signed = Signer::shared().token(&stranger);
        auth.request("DELETE", "/api/v1/session").header(headers::IDENTITY, signed).send().await.unwrap();
        assert_eq!(auth.exchange(&token).await.status(), 200);
    }
}
