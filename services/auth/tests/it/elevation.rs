//! Looking into another client: who may, for how long, what it shows, and who hears of it.

use api::Identity;
use domain::{Capability, ClientId};
use reqwest::Response;
use serde_json::{Value, json};

use crate::person::Browser;
use crate::stage::{Auth, Ground, PASSWORD, problem};

const PATH: &str = "/api/v1/elevation";

fn wish(code: &str) -> Value {
    json!({"client_code": code, "reason": "Asked for help by telephone", "minutes": 30})
}

async fn code(answer: Response) -> (u16, String) {
    let (status, problem) = problem(answer).await;
    (status, problem["type"].as_str().unwrap().replace("/problems/", ""))
}

/// Another client, and asha signed in with two factors.
async fn lay(ground: &Ground, auth: &Auth) -> (ClientId, String) {
    let other = ground.db.client("OTHER").await;
    let token = auth.token_of("asha", PASSWORD).await;
    ground.change("update session set factors = 2").await;
    (other, token)
}

fn browser(auth: &Auth, token: String) -> Browser<'_> {
    Browser { auth, token }
}

async fn identity(auth: &Auth, token: &str) -> Identity {
    auth.identity_of(token).await.0
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_looks_into_another_client_reading_only_and_both_trails_say_so() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let (other, token) = lay(&ground, &auth).await;
    let mut browser = browser(&auth, token);
    let before = browser.token.clone();
    let begun = browser.send_json("POST", PATH, wish("OTHER")).await;
    assert_eq!(begun.status(), 201);
    assert_eq!(auth.exchange(&before).await.status(), 401, "the session goes on with another token");
    let seen = identity(&auth, &browser.token).await;
    assert_eq!((seen.client_id, seen.home_client_id), (other, Some(ground.acme)));
    assert!(seen.elevation_id.is_some() && seen.sites.is_none());
    let may: Vec<Capability> = seen.capabilities.into_iter().collect();
    assert_eq!(
        may,
        [
            Capability::Web,
            Capability::TicketsRead,
            Capability::DevicesRead,
            Capability::Report,
            Capability::Security
        ]
    );
    let lines = "select count(*) from audit_event where action = 'elevation_begun'
                  and detail ->> 'reason' = 'Asked for help by telephone'";
    assert_eq!(ground.db.count(lines).await, 2);
    assert_eq!(ground.db.count(&format!("{lines} and client_id = '{other}'")).await, 1);
    // At home again.
    let before = browser.token.clone();
    assert_eq!(browser.send("DELETE", PATH).await.status(), 204);
    assert_eq!(auth.exchange(&before).await.status(), 401, "and again when it ends");
    let home = identity(&auth, &browser.token).await;
    assert_eq!((home.client_id, home.elevation_id), (ground.acme, None));
    assert_eq!(ground.db.count("select count(*) from audit_event where action = 'elevation_ended'").await, 2);
    assert_eq!(
        browser.send("DELETE", PATH).await.status(),
        204,
        "there is none, and that is what was wanted"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_factor_an_unknown_client_and_ones_own_are_refused_alike() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let (_, token) = lay(&ground, &auth).await;
    let mut browser = browser(&auth, token);
    for client in ["NOBODY", "ACME", "a b"] {
        let answer = browser.send_json("POST", PATH, wish(client)).await;
        assert_eq!(code(answer).await, (403, "elevation-refused".into()), "{client}");
    }
    ground.change("update session set factors = 1").await;
    let answer = browser.send_json("POST", PATH, wish("OTHER")).await;
    assert_eq!(code(answer).await, (403, "elevation-refused".into()));
    assert_eq!(ground.db.count("select count(*) from elevation").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reason_and_a_time_of_an_hour_at_most_are_asked_for_and_a_fresh_proof() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let (_, token) = lay(&ground, &auth).await;
    let mut browser = browser(&auth, token);
    for (change, pointer) in [(json!({"reason": " short "}), "/reason"), (json!({"minutes": 61}), "/minutes")]
    {
        let mut wish = wish("OTHER");
        wish.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let (status, problem) = problem(browser.send_json("POST", PATH, wish).await).await;
        assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!(pointer)));
    }
    ground.change("update session set authenticated_at = now() - interval '301 seconds'").await;
    let answer = browser.send_json("POST", PATH, wish("OTHER")).await;
    assert_eq!(code(answer).await, (403, "step-up-required".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_ends_by_itself_and_as_soon_as_the_right_is_taken() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let (other, token) = lay(&ground, &auth).await;
    let mut browser = browser(&auth, token);
    assert_eq!(browser.send_json("POST", PATH, wish("OTHER")).await.status(), 201);
    assert_eq!(identity(&auth, &browser.token).await.client_id, other);
    let past = "update elevation set began_at = now() - interval '50 minutes', expires_at = now() - interval '1 second'";
    ground.change(past).await;
    assert_eq!(identity(&auth, &browser.token).await.client_id, ground.acme);
    assert_eq!(browser.send_json("POST", PATH, wish("OTHER")).await.status(), 201);
    assert_eq!(identity(&auth, &browser.token).await.client_id, other);
    ground.change("delete from person_capability where capability = 'SUPPORT'").await;
    assert_eq!(identity(&auth, &browser.token).await.client_id, ground.acme);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_while_looking_ends_the_session_at_home() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let (_, token) = lay(&ground, &auth).await;
    let mut browser = browser(&auth, token);
    assert_eq!(browser.send_json("POST", PATH, wish("OTHER")).await.status(), 201);
    let before = browser.token.clone();
    assert_eq!(browser.send("DELETE", "/api/v1/session").await.status(), 204);
    assert_eq!(auth.exchange(&before).await.status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_look_takes_the_place_of_the_one_before() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let (_, token) = lay(&ground, &auth).await;
    let third = ground.db.client("THIRD").await;
    let mut browser = browser(&auth, token);
    assert_eq!(browser.send_json("POST", PATH, wish("OTHER")).await.status(), 201);
    // From inside a look another one cannot be begun: it is left first.
    let answer = browser.send_json("POST", PATH, wish("THIRD")).await;
    assert_eq!(code(answer).await, (403, "forbidden".into()));
    assert_eq!(browser.send("DELETE", PATH).await.status(), 204);
    assert_eq!(browser.send_json("POST", PATH, wish("THIRD")).await.status(), 201);
    assert_eq!(identity(&auth, &browser.token).await.client_id, third);
}
