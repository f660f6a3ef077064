//! What brokers ask: mosquitto-go-auth, and EMQX.

use api::headers::{BROKER_KEY, INTERNAL_KEY};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::stage::{Auth, Ground, env_with, problem};

const KEY: &str = "the-broker-shows-this-and-nobody-else-has-it-q8Zt4nXw1Lr7";
const PASSWORD: &str = "a device's password";

/// Made by `mosquitto_passwd` 2.0.
const HASH: &str = "$7$101$C7V8kmFiHUO8Fmt1$8rnXQL/CrHz9zu3mIrYTr486/DSj9oe1LzjFJa6BFM4FhDNzerYjwIMSp3toSdzVUlpbGYAH6R5+TixLf3PJmw==";

/// Two clients with a device each, and an auth service that knows a broker.
struct Stage {
    ground: Ground,
    auth: Auth,
}

impl Stage {
    async fn set() -> Self {
        Self::set_with(&[]).await
    }

    async fn set_with(changes: &[(&str, &str)]) -> Self {
        let ground = Ground::lay().await;
        let globex = ground.db.client("GLOBEX").await;
        for (client, code) in [(ground.acme, "PUMP-1"), (globex, "FAN-1")] {
            let site = ground.db.site(client, "HQ").await;
            ground.db.device(client, site, code).broker_password_hash(HASH).await;
        }
        let fixed = [("BROKER__KEY", KEY), ("BROKER__BRIDGE_PASSWORD_HASH", HASH)];
        let auth = Auth::start(env_with(&ground.db, &[&fixed[..], changes].concat())).await;
        Self { ground, auth }
    }

    /// The status of a question as mosquitto-go-auth asks it: JSON, with the key before the `@` of its host.
    async fn mosquitto(&self, path: &str, question: Value) -> u16 {
        let request = self.auth.request("POST", &format!("/internal/mosquitto/{path}"));
        request.basic_auth("broker", Some(KEY)).json(&question).send().await.unwrap().status().as_u16()
    }

    async fn emqx(&self, path: &str, question: Value) -> Value {
        let request = self.auth.request("POST", &format!("/internal/emqx/{path}")).header(BROKER_KEY, KEY);
        let answer = request.json(&question).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "application/json");
        answer.json().await.unwrap()
    }
}

fn user(name: &str, password: &str) -> Value {
    json!({ "username": name, "password": password, "clientid": "" })
}

fn access(name: &str, acc: u8, topic: &str) -> Value {
    json!({ "username": name, "clientid": name, "topic": topic, "acc": acc })
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_sign_in_with_their_password_only() {
    let stage = Stage::set().await;
    for (name, password, status) in [
        ("ACME.PUMP-1", PASSWORD, 200),
        ("GLOBEX.FAN-1", PASSWORD, 200),
        ("bridge", PASSWORD, 200),
        ("ACME.PUMP-1", "wrong", 403),
        ("ACME.PUMP-1", "", 403),
        ("ACME.PUMP-1", &"x".repeat(2_000), 403),
        ("acme.pump-1", PASSWORD, 403),
        ("ACME.FAN-1", PASSWORD, 403),
        ("health", PASSWORD, 403),
        ("", PASSWORD, 403),
        ("a\0b", PASSWORD, 403),
        (&"x".repeat(5_000), PASSWORD, 403),
        ("' or 1 = 1 --", PASSWORD, 403),
    ] {
        assert_eq!(stage.mosquitto("user", user(name, password)).await, status, "{name:.40} {password:.40}");
        let expected = json!({ "result": if status == 200 { "allow" } else { "deny" } });
        assert_eq!(stage.emqx("authn", user(name, password)).await, expected, "{name:.40}");
    }
    assert_eq!(stage.mosquitto("superuser", json!({ "username": "bridge" })).await, 403, "nobody is one");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_reaches_its_own_topics_in_both_manners_of_asking() {
    let stage = Stage::set().await;
    for (name, action, acc, topic, is_allowed) in [
        ("ACME.PUMP-1", "publish", 2, "yt/v1/ACME/PUMP-1/telemetry", true),
        ("ACME.PUMP-1", "subscribe", 4, "yt/v1/ACME/PUMP-1/cmd/#", true),
        ("ACME.PUMP-1", "subscribe", 1, "yt/v1/ACME/PUMP-1/ack", true),
        ("ACME.PUMP-1", "publish", 2, "yt/v1/GLOBEX/FAN-1/telemetry", false),
        ("ACME.PUMP-1", "subscribe", 4, "yt/v1/GLOBEX/FAN-1/ack", false),
        ("ACME.PUMP-1", "subscribe", 4, "#", false),
        ("ACME.PUMP-1", "subscribe", 3, "yt/v1/ACME/PUMP-1/ack", false),
        ("bridge", "subscribe", 4, "yt/v1/+/+/telemetry", true),
        ("bridge", "publish", 2, "yt/v1/GLOBEX/FAN-1/cmd/stop", true),
        ("nobody", "publish", 2, "yt/v1/ACME/PUMP-1/telemetry", false),
    ] {
        let status = if is_allowed { 200 } else { 403 };
        assert_eq!(stage.mosquitto("acl", access(name, acc, topic)).await, status, "{name} {acc} {topic}");
        if acc != 3 {
            let question = json!({ "username": name, "topic": topic, "action": action });
            let expected = json!({ "result": if is_allowed { "allow" } else { "deny" } });
            assert_eq!(stage.emqx("authz", question).await, expected, "{name} {action} {topic}");
        }
    }
    for acc in [0, 5, 255] {
        assert_eq!(stage.mosquitto("acl", access("ACME.PUMP-1", acc, "yt/v1/ACME/PUMP-1/ack")).await, 403);
    }
    let question = json!({ "username": "ACME.PUMP-1", "topic": "yt/v1/ACME/PUMP-1/ack", "action": "all" });
    assert_eq!(stage.emqx("authz", question).await, json!({ "result": "deny" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_come_as_forms_too() {
    let stage = Stage::set().await;
    let ask = async |path: &str, form: &[(&str, &str)]| {
        let pairs: Vec<String> = form.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let request = stage.auth.request("POST", &format!("/internal/mosquitto/{path}"));
        let request = request.basic_auth("broker", Some(KEY)).body(pairs.join("&"));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.send().await.unwrap().status().as_u16()
    };
    let login = [("username", "ACME.PUMP-1"), ("password", "a%20device%27s+password"), ("clientid", "")];
    assert_eq!(ask("user", &login).await, 200);
    let topic = [("username", "ACME.PUMP-1"), ("topic", "yt%2Fv1%2FACME%2FPUMP-1%2Fack"), ("acc", "1")];
    assert_eq!(ask("acl", &topic).await, 200);
    assert_eq!(ask("acl", &[("username", "ACME.PUMP-1"), ("topic", "x"), ("acc", "many")]).await, 400);
    assert_eq!(ask("superuser", &[("username", "ACME.PUMP-1")]).await, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_and_a_client_that_were_stopped_have_no_account() {
    let stage = Stage::set().await;
    stage.ground.change("update device set enabled = false where code = 'PUMP-1'").await;
    stage.ground.change("update client set state = 'STOPPED' where code = 'GLOBEX'").await;
    for name in ["ACME.PUMP-1", "GLOBEX.FAN-1"] {
        assert_eq!(stage.mosquitto("user", user(name, PASSWORD)).await, 403, "{name}");
        let topic = format!("yt/v1/{}/telemetry", name.replacen('.', "/", 1));
        assert_eq!(stage.mosquitto("acl", access(name, 2, &topic)).await, 403, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_called_as_its_account_so_that_none_takes_anothers_place() {
    let stage = Stage::set().await;
    let login =
        |client_id: &str| json!({ "username": "ACME.PUMP-1", "password": PASSWORD, "clientid": client_id });
    for (client_id, status) in [
        ("", 200),
        ("ACME.PUMP-1", 200),
        ("ACME.PUMP-1:simulator", 200),
        ("ACME.PUMP-10", 403),
        ("ACME.PUMP-1-2", 403),
        ("GLOBEX.FAN-1", 403),
        ("bridge", 403),
    ] {
        assert_eq!(stage.mosquitto("user", login(client_id)).await, status, "{client_id}");
    }
    let bridge = json!({ "username": "bridge", "password": PASSWORD, "clientid": "mqtt-bridge-7" });
    assert_eq!(stage.mosquitto("user", bridge).await, 200);
    let lax = Stage::set_with(&[("BROKER__OWN_CLIENT_IDS", "false")]).await;
    assert_eq!(lax.mosquitto("user", login("any")).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_brokers_key_opens_these_questions_only_and_no_other_key_does() {
    let stage = Stage::set().await;
    let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
    for (name, value) in [
        (BROKER_KEY, "guessed".to_owned()),
        (BROKER_KEY, String::new()),
        (INTERNAL_KEY, testkit::INTERNAL_KEY.to_owned()),
        ("authorization", basic(&format!("broker:{}", testkit::INTERNAL_KEY))),
        ("authorization", basic(KEY)),
        ("authorization", "Basic !".to_owned()),
        ("x-nothing", KEY.to_owned()),
    ] {
        for (path, question) in [
            ("/internal/mosquitto/user", user("ACME.PUMP-1", PASSWORD)),
            ("/internal/mosquitto/superuser", json!({ "username": "bridge" })),
            ("/internal/mosquitto/acl", access("ACME.PUMP-1", 1, "yt/v1/ACME/PUMP-1/ack")),
            ("/internal/emqx/authn", user("ACME.PUMP-1", PASSWORD)),
            ("/internal/emqx/authz", json!({ "username": "x", "topic": "x", "action": "publish" })),
        ] {
            let answer =
                stage.auth.request("POST", path).header(name, &value).json(&question).send().await.unwrap();
            let (status, refused) = problem(answer).await;
            assert_eq!((status, &refused["type"]), (401, &json!("/problems/broker-only")), "{path} {name}");
        }
    }
    for (path, body) in [("identity", json!({ "token": "x" })), ("rates", json!({ "items": [] }))] {
        let request = stage.auth.request("POST", &format!("/internal/{path}")).header(BROKER_KEY, KEY);
        let (status, refused) =
            problem(request.basic_auth("b", Some(KEY)).json(&body).send().await.unwrap()).await;
        assert_eq!((status, &refused["type"]), (401, &json!("/problems/internal-only")), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_in_the_settings_no_broker_may_ask() {
    let stage = Stage::set_with(&[("BROKER__KEY", "")]).await;
    for key in ["", KEY] {
        let request = stage.auth.request("POST", "/internal/mosquitto/user").header(BROKER_KEY, key);
        assert_eq!(request.json(&user("ACME.PUMP-1", PASSWORD)).send().await.unwrap().status(), 401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_noted_for_the_client_a_few_at_a_time() {
    let stage = Stage::set_with(&[("BROKER__REFUSALS_NOTED_MAX", "3")]).await;
    for number in 0..6 {
        stage.mosquitto("user", user("ACME.PUMP-1", "an old password")).await;
        stage.mosquitto("user", user(&format!("stranger-{number}"), "x")).await;
    }
    let sql = "select count(*) from security_event join client using (client_id)
                where kind = 'broker_refused' and code = 'ACME' and login = 'ACME.PUMP-1'
                  and detail = '{\"reason\": \"password\"}'";
    assert_eq!(stage.ground.db.count(sql).await, 3);
    let sql = "select count(*) from security_event where kind = 'broker_refused' and login like 'stranger-%'";
    assert_eq!(stage.ground.db.count(sql).await, 3, "names of nobody share one window");
    let sql = "select count(*) from sign_in_counter where key like 'broker:%'";
    assert_eq!(stage.ground.db.count(sql).await, 2);
    let sql = "select count(*) from security_event where detail::text like '%old password%'";
    assert_eq!(stage.ground.db.count(sql).await, 0);
}
