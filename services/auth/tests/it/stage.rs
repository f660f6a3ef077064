//! A running auth service, a client with one person, and how they talk.

use api::{Identity, IdentityResponse, headers};
use auth::Settings;
use domain::{ClientId, PersonId};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use service::{HttpClientSettings, IdentityVerifier, Running};
use testkit::identity::Signer;
use testkit::{Database, INTERNAL_KEY};

/// The password of everybody in these tests.
pub(crate) const PASSWORD: &str = "Walk-the-site-42";

/// Where people sit, unless a test says otherwise.
pub(crate) const ADDRESS: &str = "192.0.2.10";

/// A running auth service.
pub(crate) struct Auth {
    pub(crate) running: Running,
    http: reqwest::Client,
    base: String,
}

/// A database with a client `ACME` and a person `asha`.
pub(crate) struct Ground {
    pub(crate) db: Database,
    pub(crate) acme: ClientId,
    pub(crate) asha: PersonId,
}

impl Ground {
    pub(crate) async fn lay() -> Self {
        let db = Database::create().await;
        let acme = db.client("ACME").await;
        let asha = db.person(acme, "asha").name("Asha Rao").login("asha", PASSWORD).await;
        Self { db, acme, asha }
    }

    /// Changes something behind the service's back; answers how many rows.
    pub(crate) async fn change(&self, sql: &str) -> u64 {
        self.db.admin().await.execute(sql, &[]).await.unwrap()
    }
}

/// The settings of an auth service on a database.
pub(crate) fn env(db: &Database) -> Vec<(String, String)> {
    let env = [db.env("auth"), testkit::process_env(), testkit::trust_env()].concat();
    let fixed = [
        ("IDENTITY__SIGNING_KEY", Signer::shared().private_pem()),
        ("PASSWORDS__WAIT_TIMEOUT_MS", "20000"),
        ("REVOCATIONS__HEARTBEAT_MS", "100"),
    ];
    testkit::env_with(env, &fixed)
}

/// The same with some settings changed.
pub(crate) fn env_with(db: &Database, changes: &[(&str, &str)]) -> Vec<(String, String)> {
    testkit::env_with(env(db), changes)
}

/// An HTTP client for tests.
pub(crate) fn http() -> reqwest::Client {
    let settings =
        HttpClientSettings { connect_timeout_ms: 2_000, timeout_ms: 60_000, idle_connections_max: 8 };
    service::http_client(&settings).unwrap()
}

impl Auth {
    pub(crate) async fn start(env: Vec<(String, String)>) -> Self {
        let settings: Settings = service::load_settings(&auth::about(), &[], env).unwrap();
        let running = service::spawn(auth::about(), settings, auth::start).await.unwrap();
        let base = format!("http://{}", running.address.unwrap());
        Self { running, http: http(), base }
    }

    pub(crate) async fn on(ground: &Ground) -> Self {
        Self::start(env(&ground.db)).await
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.http.request(method.parse().unwrap(), format!("{}{path}", self.base))
    }

    /// A call with the internal key.
    pub(crate) fn internal(&self, method: &str, path: &str) -> RequestBuilder {
        self.request(method, path).header(headers::INTERNAL_KEY, INTERNAL_KEY)
    }

    /// A sign-in as the gateway passes it on.
    pub(crate) fn sign_in(&self, login: &str, password: &str) -> RequestBuilder {
        self.internal("POST", "/api/v1/session")
            .header(headers::CLIENT_ADDRESS, ADDRESS)
            .json(&json!({ "login": login, "password": password }))
    }

    /// Signs in and gives the token of the cookie.
    pub(crate) async fn token_of(&self, login: &str, password: &str) -> String {
        let answer = self.sign_in(login, password).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED, "{:?}", answer.text().await);
        token_in(&answer)
    }

    /// The exchange of a token.
    pub(crate) async fn exchange(&self, token: &str) -> Response {
        self.internal("POST", "/internal/identity").json(&json!({ "token": token })).send().await.unwrap()
    }

    /// The identity of a token that must be live.
    pub(crate) async fn identity_of(&self, token: &str) -> (Identity, String) {
        let answer: IdentityResponse = self.exchange(token).await.json().await.unwrap();
        let verifier = IdentityVerifier::from_pem(Signer::shared().public_pem()).unwrap();
        (verifier.verify(&answer.identity).unwrap(), answer.identity)
    }
}

/// The token in the cookie of an answer.
pub(crate) fn token_in(answer: &Response) -> String {
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    let rest = cookie.strip_prefix("__Host-session=").unwrap();
    rest.split(';').next().unwrap().to_owned()
}

/// The status and the problem of an answer, without what differs from request to request.
pub(crate) async fn problem(answer: Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    let mut problem: Value = answer.json().await.unwrap();
    problem["instance"] = json!("[correlation id]");
    (status, problem)
}
