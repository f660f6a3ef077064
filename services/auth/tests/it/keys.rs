//! Keys of other programs.

use api::headers;
use api::key::{Keys, NewKey};
use domain::account::SessionKind;
use domain::{Capability, PersonId};
use reqwest::Response;
use serde_json::{Value, json};

use crate::stage::{Auth, Ground, PASSWORD, problem};

/// An administrator who has just signed in.
struct Admin<'a> {
    auth: &'a Auth,
    signed: String,
}

impl<'a> Admin<'a> {
    async fn sign_in(auth: &'a Auth, login: &str) -> Self {
        let token = auth.token_of(login, PASSWORD).await;
        let (_, signed) = auth.identity_of(&token).await;
        Self { auth, signed }
    }

    async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Response {
        let request = self.auth.request(method, path).header(headers::IDENTITY, &self.signed);
        let request = if let Some(body) = body { request.json(&body) } else { request };
        request.send().await.unwrap()
    }

    async fn make(&self, changes: &[(&str, Value)]) -> Response {
        let mut body = json!({ "name": "Weather station", "capabilities": ["DEVICES_READ"], "days": 30 });
        for (key, value) in changes {
            body[*key] = value.clone();
        }
        self.send("POST", "/api/v1/keys", Some(body)).await
    }

    async fn made(&self, changes: &[(&str, Value)]) -> NewKey {
        let answer = self.make(changes).await;
        assert_eq!(answer.status(), 201, "{:?}", answer.text().await);
        answer.json().await.unwrap()
    }
}

async fn pointers(answer: Response) -> Vec<String> {
    let (status, refused) = problem(answer).await;
    assert_eq!((status, &refused["type"]), (422, &json!("/problems/invalid-key")));
    let errors = refused["errors"].as_array().unwrap();
    errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_ends_with_its_maker() {
    let ground = Ground::lay().await;
    let robot = ground.db.person(ground.acme, "robot").capabilities(&[Capability::DevicesRead]).await;
    let auth = Auth::on(&ground).await;
    let made = Admin::sign_in(&auth, "asha").await.made(&[("person_id", json!(robot))]).await;
    assert_eq!(auth.exchange(&made.key).await.status(), 200);
    ground.change("update person set enabled = false where code = 'asha'").await;
    assert_eq!(auth.exchange(&made.key).await.status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_acts_for_its_person_with_what_it_was_given_and_the_person_has() {
    let ground = Ground::lay().await;
    let hq = ground.db.site(ground.acme, "HQ").await;
    let robot = ground.db.person(ground.acme, "robot").name("Robot").sites(&[hq]);
    let robot = robot.capabilities(&[Capability::DevicesRead, Capability::TicketsRead]).await;
    let auth = Auth::on(&ground).await;
    let admin = Admin::sign_in(&auth, "asha").await;
    let scopes = json!(["DEVICES_READ", "TICKETS_WRITE"]);
    let networks = json!(["192.0.2.77/24", "2001:db8::1"]);
    let made =
        admin.made(&[("person_id", json!(robot)), ("capabilities", scopes), ("networks", networks)]).await;
    assert!(made.key.starts_with("yk_") && made.key.len() == 46 && made.key.ends_with(&made.row.hint));
    assert_eq!(made.row.networks, ["192.0.2.0/24", "2001:db8::1/128"]);
    let (identity, _) = auth.identity_of(&made.key).await;
    assert_eq!((identity.sub, identity.kind, identity.client_id), (robot, SessionKind::Key, ground.acme));
    assert_eq!(identity.capabilities, [Capability::DevicesRead].into(), "the person may not write tickets");
    assert_eq!(identity.sites, Some([hq].into()));
    assert_eq!(identity.session_id.as_uuid(), made.row.id.as_uuid());
    let answer: api::IdentityResponse = auth.exchange(&made.key).await.json().await.unwrap();
    assert_eq!(answer.networks, made.row.networks);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_shown_once_and_stored_as_a_hash_only() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let admin = Admin::sign_in(&auth, "asha").await;
    let made = admin.made(&[]).await;
    let stored: String =
        ground.db.admin().await.query_one("select api_key::text from api_key", &[]).await.unwrap().get(0);
    assert!(!stored.contains(made.key.trim_start_matches("yk_")), "{stored}");
    let listed = admin.send("GET", "/api/v1/keys", None).await;
    let text = listed.text().await.unwrap();
    assert!(!text.contains(&made.key), "{text}");
    let listed: Keys = serde_json::from_str(&text).unwrap();
    assert_eq!(listed.keys, [made.row]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_ends_when_it_is_revoked_when_it_is_old_and_with_its_person_or_client() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let admin = Admin::sign_in(&auth, "asha").await;
    let made = admin.made(&[]).await;
    assert_eq!(auth.exchange(&made.key).await.status(), 200);
    let path = format!("/api/v1/keys/{}", made.row.id);
    for _ in 0..2 {
        assert_eq!(admin.send("DELETE", &path, None).await.status(), 204, "twice changes nothing");
    }
    assert_eq!(auth.exchange(&made.key).await.status(), 401);
    for (number, end) in [
        "update api_key set expires_at = now() - interval '1 second'",
        "update person set enabled = false",
        "update client set state = 'STOPPED'",
    ]
    .iter()
    .enumerate()
    {
        ground.change("update person set enabled = true").await;
        let admin = Admin::sign_in(&auth, "asha").await;
        let made = admin.made(&[("name", json!(format!("Key {number}")))]).await;
        assert_eq!(auth.exchange(&made.key).await.status(), 200);
        assert!(ground.change(end).await > 0, "{end}");
        assert_eq!(auth.exchange(&made.key).await.status(), 401, "{end}");
    }
    let sql = "select string_agg(kind, ' ' order by at) from security_event where kind like 'key%'";
    let told: String = ground.db.admin().await.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(told, "key_made key_revoked key_made key_made key_made");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gives_a_key_more_than_they_have_or_what_reaches_every_client() {
    let ground = Ground::lay().await;
    let clerk = ground.db.person(ground.acme, "clerk").login("clerk", PASSWORD);
    clerk.capabilities(&[Capability::Admin, Capability::TicketsRead]).await;
    let auth = Auth::on(&ground).await;
    let clerk = Admin::sign_in(&auth, "clerk").await;
    let wanted = json!(["TICKETS_READ", "TICKETS_WRITE", "OPERATE", "SUPPORT"]);
    let answer = clerk.make(&[("capabilities", wanted)]).await;
    assert_eq!(pointers(answer).await, ["/capabilities/1", "/capabilities/2", "/capabilities/3"]);
    let asha = Admin::sign_in(&auth, "asha").await;
    let answer = asha.make(&[("capabilities", json!(["OPERATE"]))]).await;
    assert_eq!(pointers(answer).await, ["/capabilities/0"], "not even who has it hands it out");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_for_somebody_else_is_for_who_sees_every_site_and_of_their_client() {
    let ground = Ground::lay().await;
    let hq = ground.db.site(ground.acme, "HQ").await;
    ground.db.person(ground.acme, "local").login("local", PASSWORD).sites(&[hq]).await;
    let globex = ground.db.client("GLOBEX").await;
    let gita = ground.db.person(globex, "gita").await;
    let auth = Auth::on(&ground).await;
    let local = Admin::sign_in(&auth, "local").await;
    assert_eq!(pointers(local.make(&[("person_id", json!(ground.asha))]).await).await, ["/person_id"]);
    assert_eq!(local.make(&[]).await.status(), 201);
    let asha = Admin::sign_in(&auth, "asha").await;
    for stranger in [gita, PersonId::generate()] {
        let answer = asha.make(&[("name", json!("Theirs")), ("person_id", json!(stranger))]).await;
        assert_eq!(pointers(answer).await, ["/person_id"]);
    }
    ground.change("update person set enabled = false where code = 'local'").await;
    let gone = "select id from person where code = 'local'";
    let gone: PersonId = ground.db.admin().await.query_one(gone, &[]).await.unwrap().get(0);
    let answer = asha.make(&[("name", json!("Gone")), ("person_id", json!(gone))]).await;
    assert_eq!(pointers(answer).await, ["/person_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_is_named_at_once_and_a_name_is_given_once() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let admin = Admin::sign_in(&auth, "asha").await;
    let wrong = [
        ("name", json!(" ")),
        ("capabilities", json!([])),
        ("days", json!(366)),
        ("networks", json!(["192.0.2.0/24", "everywhere", "10.0.0.0/33"])),
    ];
    let named = pointers(admin.make(&wrong).await).await;
    assert_eq!(named, ["/name", "/capabilities", "/days", "/networks/1", "/networks/2"]);
    assert_eq!(admin.make(&[]).await.status(), 201);
    let (status, refused) = problem(admin.make(&[]).await).await;
    assert_eq!((status, &refused["type"]), (409, &json!("/problems/already-exists")));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_for_administrators_of_their_client_who_proved_who_they_are() {
    let ground = Ground::lay().await;
    let globex = ground.db.client("GLOBEX").await;
    ground.db.person(globex, "gita").login("gita", PASSWORD).await;
    let desk = ground.db.person(ground.acme, "desk").login("desk", PASSWORD);
    desk.capabilities(&[Capability::Web, Capability::TicketsRead]).await;
    let auth = Auth::on(&ground).await;
    let asha = Admin::sign_in(&auth, "asha").await;
    let made = asha.made(&[("capabilities", json!(["ADMIN"]))]).await;
    let path = format!("/api/v1/keys/{}", made.row.id);

    let gita = Admin::sign_in(&auth, "gita").await;
    let (status, refused) = problem(gita.send("DELETE", &path, None).await).await;
    assert_eq!((status, &refused["type"]), (404, &json!("/problems/key-not-found")));
    let listed: Keys = gita.send("GET", "/api/v1/keys", None).await.json().await.unwrap();
    assert!(listed.keys.is_empty());

    let desk = Admin::sign_in(&auth, "desk").await;
    let (_, signed) = auth.identity_of(&made.key).await;
    let key = Admin { auth: &auth, signed };
    assert_eq!(key.send("GET", "/api/v1/keys", None).await.status(), 200, "a key with ADMIN reads");
    for (who, status) in [(&desk, 403), (&key, 401)] {
        assert_eq!(who.make(&[("name", json!("Another"))]).await.status(), status);
        assert_eq!(who.send("DELETE", &path, None).await.status(), status);
    }
    ground.change("update session set authenticated_at = now() - interval '1 h'").await;
    for refused in [asha.make(&[("name", json!("Another"))]).await, asha.send("DELETE", &path, None).await] {
        let (status, refused) = problem(refused).await;
        assert_eq!((status, &refused["type"]), (403, &json!("/problems/step-up-required")));
    }
    assert_eq!(auth.exchange(&made.key).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_has_so_many_good_keys_and_no_more() {
    let ground = Ground::lay().await;
    let auth = Auth::start(crate::stage::env_with(&ground.db, &[("KEYS__PER_CLIENT_MAX", "2")])).await;
    let admin = Admin::sign_in(&auth, "asha").await;
    let first = admin.made(&[("name", json!("One"))]).await;
    admin.made(&[("name", json!("Two"))]).await;
    assert_eq!(pointers(admin.make(&[("name", json!("Three"))]).await).await, [""]);
    admin.send("DELETE", &format!("/api/v1/keys/{}", first.row.id), None).await;
    assert_eq!(admin.make(&[("name", json!("Three"))]).await.status(), 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_that_are_no_keys_open_nothing() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let made = Admin::sign_in(&auth, "asha").await.made(&[]).await;
    let bare = made.key.trim_start_matches("yk_").to_owned();
    let nobodys = format!("yk_{}", "A".repeat(43));
    for text in ["yk_", &bare, &nobodys, &format!("yk_{}", made.key), &format!("YK_{bare}")] {
        assert_eq!(auth.exchange(text).await.status(), 401, "{text}");
    }
}
