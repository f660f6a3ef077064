//! Where a client's handsets may be, and which: set by administrators.

use api::headers;
use api::token::HandsetRules;
use domain::Capability;
use reqwest::Response;
use serde_json::{Value, json};

use crate::stage::{Auth, Ground, PASSWORD, problem};
use crate::tokens::{sign_in, tokens};

const PATH: &str = "/api/v1/handset-rules";

async fn identity(auth: &Auth, login: &str) -> String {
    let token = auth.token_of(login, PASSWORD).await;
    auth.identity_of(&token).await.1
}

async fn put(auth: &Auth, signed: &str, rules: Value) -> Response {
    auth.request("PUT", PATH).header(headers::IDENTITY, signed).json(&rules).send().await.unwrap()
}

async fn get(auth: &Auth, signed: &str) -> HandsetRules {
    auth.request("GET", PATH).header(headers::IDENTITY, signed).send().await.unwrap().json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_set_as_a_whole_hold_at_once_and_are_the_clients_own() {
    let ground = Ground::lay().await;
    let globex = ground.db.client("GLOBEX").await;
    ground.db.person(globex, "gita").login("gita", PASSWORD).await;
    let auth = Auth::on(&ground).await;
    let (asha, gita) = (identity(&auth, "asha").await, identity(&auth, "gita").await);
    let rules = json!({ "networks": ["198.51.100.9/24", "198.51.100.0/24"], "imeis": ["490154203237518"] });
    let answer = put(&auth, &asha, rules).await;
    assert_eq!(answer.status(), 200);
    let kept: HandsetRules = answer.json().await.unwrap();
    let expected = HandsetRules {
        networks: vec!["198.51.100.0/24".to_owned()],
        imeis: vec!["490154203237518".to_owned()],
    };
    assert_eq!((&kept, &get(&auth, &asha).await), (&expected, &expected));
    assert_eq!(get(&auth, &gita).await, HandsetRules { networks: vec![], imeis: vec![] });
    assert_eq!(sign_in(&auth, &[]).await.status(), 403, "the handset is in another network");
    let network = json!({ "networks": ["192.0.2.0/24"], "imeis": [] });
    assert_eq!(put(&auth, &asha, network).await.status(), 200);
    let handset = tokens(&auth).await;
    let answer: api::IdentityResponse = auth.exchange(&handset.access_token).await.json().await.unwrap();
    assert_eq!(answer.networks, ["192.0.2.0/24"]);
    let sql = "select count(*) from audit_event where action = 'handset_rules_changed'";
    assert_eq!(ground.db.count(sql).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_is_named_and_then_nothing_changes() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let asha = identity(&auth, "asha").await;
    let rules = json!({ "networks": ["192.0.2.0/24", "here"], "imeis": ["490154203237518", "x", "49 0154203237518"] });
    let (status, refused) = problem(put(&auth, &asha, rules).await).await;
    assert_eq!((status, &refused["type"]), (422, &json!("/problems/invalid-account")));
    let errors = refused["errors"].as_array().unwrap();
    let pointers: Vec<&str> = errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/networks/1", "/imeis/1", "/imeis/2"]);
    let many = json!({ "networks": vec!["192.0.2.0/24"; 101], "imeis": [] });
    assert_eq!(put(&auth, &asha, many).await.status(), 422);
    assert_eq!(get(&auth, &asha).await, HandsetRules { networks: vec![], imeis: vec![] });
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_for_administrators_who_proved_who_they_are() {
    let ground = Ground::lay().await;
    let desk = ground.db.person(ground.acme, "desk").login("desk", PASSWORD);
    desk.capabilities(&[Capability::Web, Capability::Mob]).await;
    let auth = Auth::on(&ground).await;
    let none = json!({ "networks": [], "imeis": [] });
    let desk = identity(&auth, "desk").await;
    for method in ["GET", "PUT"] {
        let request = auth.request(method, PATH).header(headers::IDENTITY, &desk).json(&none);
        assert_eq!(request.send().await.unwrap().status(), 403, "{method}");
        assert_eq!(auth.request(method, PATH).json(&none).send().await.unwrap().status(), 401, "{method}");
    }
    let asha = identity(&auth, "asha").await;
    ground.change("update session set authenticated_at = now() - interval '1 h'").await;
    let (status, refused) = problem(put(&auth, &asha, none).await).await;
    assert_eq!((status, &refused["type"]), (403, &json!("/problems/step-up-required")));
}
