//! Every address of auth's table, tried by nobody, without the right, with what has ended, and from another tenant.

use std::collections::BTreeSet;

use api::{Identity, headers};
use domain::account::SessionKind;
use domain::{Capability, ElevationId, SessionId};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use service::permission::{Needs, Route};
use testkit::identity::Signer;

use crate::person::Browser;
use crate::stage::{ADDRESS, Auth, Ground, problem};

fn routes() -> &'static [Route] {
    auth::ROUTES.routes
}

/// A body the address takes, so that only the right or the object can be what is missing.
fn body(route: &Route) -> Option<Value> {
    Some(match (route.method(), route.path()) {
        ("GET" | "DELETE", _) => return None,
        (_, "/api/v1/users") => json!({"code": "new", "name": "New"}),
        ("PATCH", _) => json!({"name": "Changed"}),
        (_, path) if path.ends_with("/capabilities") => json!({"capabilities": ["WEB"]}),
        (_, path) if path.ends_with("/sites") => json!({"all_sites": true}),
        (_, path) if path.ends_with("/groups") => json!({"groups": []}),
        (_, "/api/v1/handset-rules") => json!({"networks": [], "imeis": []}),
        (_, "/api/v1/keys") => json!({"name": "Key", "capabilities": ["WEB"], "days": 1}),
        (_, "/api/v1/elevation") => {
            json!({"client_code": "OTHER", "reason": "Somebody asked for help", "minutes": 5})
        }
        (_, _) => json!({}),
    })
}

/// A request about one of a client's people or groups, as the gateway passes it on.
fn request(auth: &Auth, route: &Route, id: &str) -> RequestBuilder {
    let request = auth.request(route.method(), &route.path().replace("{id}", id));
    match body(route) {
        Some(body) => request.json(&body),
        None => request,
    }
}

async fn try_as(auth: &Auth, route: &Route, id: &str, who: &Identity) -> Response {
    let (name, token) = Signer::shared().header(who);
    let request = request(auth, route, id).header(headers::INTERNAL_KEY, testkit::INTERNAL_KEY);
    request.header(headers::CLIENT_ADDRESS, ADDRESS).header(name, token).send().await.unwrap()
}

async fn code_of(answer: Response) -> String {
    let (_, problem) = problem(answer).await;
    problem["type"].as_str().unwrap().replace("/problems/", "")
}

/// Whether an address asks for a person.
fn is_for_people(needs: Needs) -> bool {
    match needs {
        Needs::Nothing | Needs::InternalKey | Needs::BrokerKey => false,
        Needs::AnySignIn | Needs::OwnAccount | Needs::Page | Needs::PageFor(_) | Needs::Call(_) => true,
    }
}

/// What the client's people, rights and keys are; whatever is tried here, it stays.
async fn state_of(ground: &Ground) -> Vec<i64> {
    let mut counts = Vec::new();
    for table in ["person", "person_capability", "group_capability", "api_key", "totp", "elevation"] {
        counts.push(ground.db.count(&format!("select count(*) from {table}")).await);
    }
    counts.push(ground.db.count("select count(*) from session where revoked_at is null").await);
    counts
}

#[test]
fn no_address_stands_in_the_table_twice_and_those_for_everybody_are_known() {
    let all: BTreeSet<(&str, &str)> = routes().iter().map(|route| (route.method(), route.path())).collect();
    assert_eq!(all.len(), routes().len());
    let open: BTreeSet<&str> =
        routes().iter().filter(|route| route.needs() == Needs::Nothing).map(Route::path).collect();
    let known = [
        "/api/v1/accounts/openapi.json",
        "/api/v1/email-verification",
        "/api/v1/recovery",
        "/api/v1/recovery/token",
        "/api/v1/session",
        "/api/v1/session/factor",
        "/api/v1/session/factor/options",
        "/api/v1/tokens",
        "/api/v1/tokens/refresh",
    ];
    let surprising: Vec<&str> = open.difference(&BTreeSet::from(known)).copied().collect();
    assert_eq!(surprising, Vec::<&str>::new());
    for route in routes().iter().filter(|route| route.path().starts_with("/internal/")) {
        assert!(matches!(route.needs(), Needs::InternalKey | Needs::BrokerKey), "{route:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_and_who_lacks_the_key_get_nowhere() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let before = state_of(&ground).await;
    let everything = testkit::identity::of(ground.acme, ground.asha, Capability::ALL);
    for route in routes().iter().filter(|route| route.needs() != Needs::Nothing) {
        let nobody = request(&auth, route, &ground.asha.to_string()).send().await.unwrap();
        assert_eq!(nobody.status(), 401, "{route:?}");
        if !is_for_people(route.needs()) {
            let (name, token) = Signer::shared().header(&everything);
            let keyless = request(&auth, route, &ground.asha.to_string()).header(name, token);
            assert_eq!(keyless.send().await.unwrap().status(), 401, "{route:?}");
        }
    }
    assert_eq!(state_of(&ground).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_that_has_ended_or_is_forged_is_nobodys() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let before = state_of(&ground).await;
    let now = testkit::identity::of(ground.acme, ground.asha, Capability::ALL);
    let ended = Identity { iat: now.iat - 60, exp: now.exp - 70, ..now.clone() };
    let stranger = Signer::generate();
    for route in routes().iter().filter(|route| is_for_people(route.needs())) {
        let answer = try_as(&auth, route, &ground.asha.to_string(), &ended).await;
        assert_eq!(answer.status(), 401, "{route:?}");
        let (name, forged) = stranger.header(&now);
        let answer = request(&auth, route, &ground.asha.to_string()).header(name, forged);
        assert_eq!(answer.send().await.unwrap().status(), 401, "{route:?}");
    }
    assert_eq!(state_of(&ground).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_missing_capability_is_a_403() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let before = state_of(&ground).await;
    let mut tried = 0;
    for route in routes() {
        let Needs::Call(missing) = route.needs() else { continue };
        let rest: Vec<Capability> = Capability::ALL.iter().copied().filter(|one| *one != missing).collect();
        let who = testkit::identity::of(ground.acme, ground.asha, &rest);
        let answer = try_as(&auth, route, &ground.asha.to_string(), &who).await;
        assert_eq!(code_of(answer).await, "forbidden", "{route:?}");
        tried += 1;
    }
    assert!(tried >= 18, "{tried}");
    assert_eq!(state_of(&ground).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_has_no_account_and_no_scope_beyond_its_own() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let before = state_of(&ground).await;
    let mut key = testkit::identity::of(ground.acme, ground.asha, &[Capability::TicketsRead]);
    key.kind = SessionKind::Key;
    for route in routes() {
        let expected = match route.needs() {
            Needs::OwnAccount => "person-required",
            Needs::Call(_) => "forbidden",
            Needs::Nothing
            | Needs::InternalKey
            | Needs::BrokerKey
            | Needs::AnySignIn
            | Needs::Page
            | Needs::PageFor(_) => continue,
        };
        let answer = try_as(&auth, route, &ground.asha.to_string(), &key).await;
        assert_eq!(code_of(answer).await, expected, "{route:?}");
    }
    // A key that may administer reads, and cannot prove who sits there.
    key.capabilities = Capability::ALL.iter().copied().collect();
    for route in routes().iter().filter(|route| matches!(route.needs(), Needs::Call(_))) {
        let answer = try_as(&auth, route, &ground.asha.to_string(), &key).await;
        match route.method() {
            "GET" => assert_eq!(answer.status(), 200, "{route:?}"),
            _ => assert!([401, 403].contains(&answer.status().as_u16()), "{route:?}"),
        }
    }
    assert_eq!(state_of(&ground).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_looks_into_another_client_changes_nothing_there_and_at_home() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let before = state_of(&ground).await;
    let mut visitor = testkit::identity::of(ground.acme, ground.asha, Capability::ALL);
    visitor.elevation_id = Some(ElevationId::generate());
    for route in routes() {
        let refused = match route.needs() {
            Needs::OwnAccount => true,
            Needs::Call(_) => route.method() != "GET",
            Needs::Nothing
            | Needs::InternalKey
            | Needs::BrokerKey
            | Needs::AnySignIn
            | Needs::Page
            | Needs::PageFor(_) => false,
        };
        if refused {
            let answer = try_as(&auth, route, &ground.asha.to_string(), &visitor).await;
            assert_eq!(code_of(answer).await, "elevation-reads-only", "{route:?}");
        }
    }
    assert_eq!(state_of(&ground).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_whose_session_was_revoked_or_expired_changes_nothing() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    for end in ["revoked_at = now()", "idle_expires_at = now() - interval '1 second'"] {
        let browser = Browser::of(&auth, "asha").await;
        let (identity, _) = auth.identity_of(&browser.token).await;
        ground.change(&format!("update session set {end}")).await;
        assert_eq!(auth.exchange(&browser.token).await.status(), 401, "{end}");
        let before = state_of(&ground).await;
        // The signed identity outlives its session by a minute at most: reads are answered, changes are not.
        for route in routes().iter().filter(|route| is_for_people(route.needs()) && route.method() != "GET") {
            if ["/api/v1/session", "/api/v1/tokens", "/api/v1/elevation"].contains(&route.path()) {
                continue; // ends what has ended, or tried in the tests of elevation
            }
            let answer = try_as(&auth, route, &ground.asha.to_string(), &identity).await;
            let status = answer.status();
            assert!(status.is_client_error() || is_harmless(route), "{status} {route:?} {end}");
        }
        assert_eq!(state_of(&ground).await, before, "{end}");
    }
}

/// What asks for mail to the person's own address, or for a question to be answered with a proof.
fn is_harmless(route: &Route) -> bool {
    ["/api/v1/account/email/verification", "/api/v1/account/step-up/options"].contains(&route.path())
}

#[tokio::test(flavor = "multi_thread")]
async fn people_and_groups_of_another_client_are_not_there() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let other = ground.db.client("OTHER").await;
    ground.db.person(other, "mallory").login("mallory", crate::stage::PASSWORD).await;
    let (group, mut tried) = (ground.db.group(ground.acme, "TECH").await, 0);
    let browser = Browser::of(&auth, "mallory").await;
    let before = state_of(&ground).await;
    for route in routes().iter().filter(|route| route.path().contains("{id}")) {
        let id = match route.path() {
            path if path.starts_with("/api/v1/groups") => group.to_string(),
            path if path.starts_with("/api/v1/users") => ground.asha.to_string(),
            // Sessions, devices, passkeys and keys of others have tests beside what they belong to.
            _ => SessionId::generate().to_string(),
        };
        let call = browser.call(route.method(), &route.path().replace("{id}", &id)).await;
        let call = match body(route) {
            Some(body) => call.json(&body),
            None => call,
        };
        let answer = call.send().await.unwrap();
        let status = answer.status();
        assert!(status == 404 || is_idempotent(route), "{status} {route:?}");
        tried += 1;
    }
    assert!(tried >= 12, "{tried}");
    assert_eq!(state_of(&ground).await, before);
    let users: Value = browser.call("GET", "/api/v1/users").await.send().await.unwrap().json().await.unwrap();
    assert_eq!(users["items"].as_array().unwrap().len(), 1, "{users}");
    let groups: Value =
        browser.call("GET", "/api/v1/groups").await.send().await.unwrap().json().await.unwrap();
    assert_eq!(groups["groups"], json!([]));
}

/// What answers that nothing is there any more, whether or not there was.
fn is_idempotent(route: &Route) -> bool {
    route.path() == "/api/v1/account/devices/{id}"
}

#[test]
fn each_parameter_of_an_address_is_known_to_name_something_of_a_tenant() {
    for route in routes().iter().filter(|route| route.path().contains('{')) {
        let beginnings = ["/api/v1/users/", "/api/v1/groups/", "/api/v1/keys/", "/api/v1/account/"];
        assert!(beginnings.iter().any(|beginning| route.path().starts_with(beginning)), "{route:?}");
    }
}
