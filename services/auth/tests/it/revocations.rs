//! The stream of ended sessions.

use std::time::Duration;

use api::headers;
use api::identity::Revocation;
use domain::SessionId;
use reqwest::Response;
use testkit::{ChaosProxy, PATIENCE};

use crate::person::Browser;
use crate::stage::{Auth, Ground, PASSWORD, env_with, problem};

/// A subscriber's view of the stream.
struct Follower {
    answer: Response,
    unread: Vec<u8>,
}

impl Follower {
    /// Subscribes as soon as the service listens.
    async fn of(auth: &Auth) -> Self {
        let answer = testkit::wait_until("a stream", PATIENCE, async || {
            let answer = auth.internal("GET", "/internal/revocations").send().await.unwrap();
            if answer.status().is_success() { Ok(answer) } else { Err(answer.status()) }
        })
        .await;
        Self { answer, unread: Vec::new() }
    }

    /// The next line, within a limit; `None` when the stream ended.
    async fn next(&mut self) -> Option<Revocation> {
        loop {
            if let Some(end) = self.unread.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            let chunk = tokio::time::timeout(PATIENCE, self.answer.chunk()).await.expect("a line in time");
            self.unread.extend(chunk.ok().flatten()?);
        }
    }

    /// The next session that ended; heartbeats are passed over.
    async fn next_session(&mut self) -> Option<SessionId> {
        loop {
            if let Some(session) = self.next().await?.session_id {
                return Some(session);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_beats_for_longer_than_a_request_may_take() {
    let ground = Ground::lay().await;
    let auth = Auth::start(env_with(&ground.db, &[("HTTP__REQUEST_TIMEOUT_MS", "1000")])).await;
    let mut follower = Follower::of(&auth).await;
    for _ in 0..20 {
        assert_eq!(follower.next().await.unwrap().session_id, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_replica_tells_its_subscribers_of_a_sign_out_at_any_other() {
    let ground = Ground::lay().await;
    let (one, other) = (Auth::on(&ground).await, Auth::on(&ground).await);
    let mut followers = [Follower::of(&one).await, Follower::of(&other).await];
    let token = one.token_of("asha", PASSWORD).await;
    let (identity, signed) = one.identity_of(&token).await;
    one.request("DELETE", "/api/v1/session").header(headers::IDENTITY, signed).send().await.unwrap();
    for follower in &mut followers {
        assert_eq!(follower.next_session().await, Some(identity.session_id));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn disabling_a_person_is_told_for_each_of_their_sessions() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let mut follower = Follower::of(&auth).await;
    let mut sessions = Vec::new();
    for _ in 0..2 {
        let token = auth.token_of("asha", PASSWORD).await;
        sessions.push(auth.identity_of(&token).await.0.session_id);
    }
    ground.change("update person set enabled = false where code = 'asha'").await;
    let mut told = [follower.next_session().await.unwrap(), follower.next_session().await.unwrap()];
    told.sort();
    sessions.sort();
    assert_eq!(told.as_slice(), sessions);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_the_listening_connection_and_none_begins_until_it_is_back() {
    let ground = Ground::lay().await;
    let proxy = ChaosProxy::start(ground.db.address()).await;
    let port = proxy.address().port().to_string();
    let auth = Auth::start(env_with(&ground.db, &[("DATABASE__PORT", &port)])).await;
    let mut follower = Follower::of(&auth).await;
    proxy.cut();
    while follower.next().await.is_some() {}
    let (status, problem) =
        problem(auth.internal("GET", "/internal/revocations").send().await.unwrap()).await;
    assert_eq!((status, problem["type"].as_str()), (503, Some("/problems/revocations-unavailable")));
    proxy.heal();
    let mut follower = Follower::of(&auth).await;
    assert!(follower.next().await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_the_process() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let mut follower = Follower::of(&auth).await;
    let stopping = tokio::time::timeout(Duration::from_secs(10), auth.running.stop());
    let (stopped, ()) = tokio::join!(stopping, async { while follower.next().await.is_some() {} });
    stopped.expect("the drain does not wait for subscribers").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn more_subscribers_than_the_limit_are_refused() {
    let ground = Ground::lay().await;
    let auth = Auth::start(env_with(&ground.db, &[("REVOCATIONS__SUBSCRIBERS_MAX", "1")])).await;
    let follower = Follower::of(&auth).await;
    let refused = auth.internal("GET", "/internal/revocations").send().await.unwrap();
    assert_eq!(problem(refused).await.0, 503);
    drop(follower);
    Follower::of(&auth).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_right_is_told_to_every_replica_as_one_of_its_client() {
    let ground = Ground::lay().await;
    let zeta = ground.db.client("ZETA").await;
    let (one, other) = (Auth::on(&ground).await, Auth::on(&ground).await);
    let mut followers = [Follower::of(&one).await, Follower::of(&other).await];
    ground.change("delete from person_capability where capability = 'ADMIN'").await;
    for follower in &mut followers {
        let told = loop {
            let line = follower.next().await.unwrap();
            assert_ne!(line.client_id, Some(zeta), "nobody else's");
            if let Some(client) = line.client_id {
                break client;
            }
        };
        assert_eq!(told, ground.acme);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_replaced_is_told_as_an_ended_session_is() {
    let ground = Ground::lay().await;
    let (one, other) = (Auth::on(&ground).await, Auth::on(&ground).await);
    let mut follower = Follower::of(&other).await;
    let mut browser = Browser::of(&one, "asha").await;
    let (identity, _) = one.identity_of(&browser.token).await;
    let proof = serde_json::json!({ "password": PASSWORD });
    assert_eq!(browser.send_json("POST", "/api/v1/account/step-up", proof).await.status(), 204);
    assert_eq!(follower.next_session().await, Some(identity.session_id));
}
