//! One's own sessions: seeing them, ending them, and nobody else's.

use api::account::Sessions;
use serde_json::json;

use crate::person::Browser;
use crate::stage::{ADDRESS, Auth, Ground, PASSWORD, problem};

const PATH: &str = "/api/v1/account/sessions";

async fn listed(browser: &mut Browser<'_>) -> Sessions {
    browser.send("GET", PATH).await.json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_sees_their_live_sessions_and_which_one_asks() {
    let ground = Ground::lay().await;
    ground.db.person(ground.acme, "bela").login("bela", PASSWORD).await;
    let auth = Auth::on(&ground).await;
    auth.token_of("bela", PASSWORD).await;
    auth.token_of("asha", PASSWORD).await;
    let ended = auth.token_of("asha", PASSWORD).await;
    let (gone, _) = auth.identity_of(&ended).await;
    let mut browser = Browser::of(&auth, "asha").await;
    let path = format!("{PATH}/{}", gone.session_id);
    assert_eq!(browser.send("DELETE", &path).await.status(), 204);
    let sessions = listed(&mut browser).await.sessions;
    assert_eq!(sessions.len(), 2, "{sessions:?}");
    assert_eq!(sessions.iter().filter(|row| row.current).count(), 1);
    let (identity, _) = auth.identity_of(&browser.token).await;
    let current = sessions.iter().find(|row| row.current).unwrap();
    assert_eq!((current.id, current.address), (identity.session_id, Some(ADDRESS.parse().unwrap())));
    assert_eq!(auth.exchange(&ended).await.status(), 401);
    assert_eq!(browser.send("DELETE", &path).await.status(), 404, "it has ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_others_end_at_once_and_the_one_that_asks_goes_on() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let others = [auth.token_of("asha", PASSWORD).await, auth.token_of("asha", PASSWORD).await];
    let mut browser = Browser::of(&auth, "asha").await;
    assert_eq!(browser.send("DELETE", PATH).await.status(), 204);
    for other in &others {
        assert_eq!(auth.exchange(other).await.status(), 401);
    }
    assert_eq!(listed(&mut browser).await.sessions.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_a_colleague_or_of_another_client_is_not_there() {
    let ground = Ground::lay().await;
    let zeta = ground.db.client("ZETA").await;
    ground.db.person(ground.acme, "bela").login("bela", PASSWORD).await;
    ground.db.person(zeta, "carl").login("carl", PASSWORD).await;
    let auth = Auth::on(&ground).await;
    let mut browser = Browser::of(&auth, "asha").await;
    for login in ["bela", "carl"] {
        let token = auth.token_of(login, PASSWORD).await;
        let (identity, _) = auth.identity_of(&token).await;
        let answer = browser.send("DELETE", &format!("{PATH}/{}", identity.session_id)).await;
        let (status, problem) = problem(answer).await;
        assert_eq!((status, &problem["type"]), (404, &json!("/problems/session-not-found")), "{login}");
        assert_eq!(auth.exchange(&token).await.status(), 200, "{login}");
    }
}
