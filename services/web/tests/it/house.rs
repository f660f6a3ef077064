//! Web with the real auth behind it, and somebody who can sign in.

use api::identity::{IdentityRequest, IdentityResponse};
use domain::{Capability, ClientId, PersonId};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use service::Running;
use testkit::Database;
use testkit::identity::Signer;

use crate::harness::{Web, urlencoded};

/// The password of everybody in these tests.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// What the person of these tests may do.
const EVERYTHING: [Capability; 5] = [
    Capability::Web,
    Capability::TicketsRead,
    Capability::TicketsWrite,
    Capability::Admin,
    Capability::Security,
];

/// Web with auth behind it, and a person who can sign in.
pub(crate) struct House {
    pub(crate) web: Web,
    pub(crate) auth: Running,
    pub(crate) client: ClientId,
    pub(crate) asha: PersonId,
}

impl House {
    pub(crate) async fn start() -> Self {
        let db = Database::create().await;
        let signing_key =
            ("YOUTILITY_IDENTITY__SIGNING_KEY".to_owned(), Signer::shared().private_pem().to_owned());
        let env = [db.env("auth"), testkit::trust_env(), testkit::process_env(), vec![signing_key]].concat();
        let settings: auth::Settings = service::load_settings(&auth::about(), &[], env).unwrap();
        let auth = service::spawn(auth::about(), settings, auth::start).await.unwrap();
        let address = format!("http://{}", auth.address.unwrap());
        let web = Web::start_with(db, &[("UPSTREAMS__AUTH", &address)]).await;
        let client = web.db.client("ACME").await;
        let asha = web.db.person(client, "asha").name("Asha Patil").email("asha@acme.example");
        let asha = asha.capabilities(&EVERYTHING).login("asha", PASSWORD).await;
        Self { web, auth, client, asha }
    }

    /// What auth answers the gateway about a session's token.
    pub(crate) async fn identity(&self, token: &str) -> Result<String, StatusCode> {
        let request = self
            .web
            .http
            .post(format!("http://{}/internal/identity", self.auth.address.unwrap()))
            .header(api::headers::INTERNAL_KEY, testkit::INTERNAL_KEY)
            .json(&IdentityRequest { token: token.to_owned() });
        let response = request.send().await.unwrap();
        match response.status() {
            StatusCode::OK => Ok(response.json::<IdentityResponse>().await.unwrap().identity),
            status => Err(status),
        }
    }

    pub(crate) async fn sign_in(&self, fields: &[(&str, &str)]) -> Response {
        let request = self.web.ask(Method::POST, "/login", None).header("accept", "text/html");
        urlencoded(request, &fields).send().await.unwrap()
    }

    /// Signs somebody in and gives what auth says of them.
    pub(crate) async fn enter(&self, login: &str) -> String {
        let response = self.sign_in(&[("login", login), ("password", PASSWORD)]).await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        self.identity(&token(&response)).await.unwrap()
    }

    fn request(&self, method: Method, path: &str, identity: &str) -> RequestBuilder {
        let request = self.web.ask(method, path, None).header("accept", "text/html");
        if identity.is_empty() { request } else { request.header(api::headers::IDENTITY, identity) }
    }

    /// Reads a page as somebody who is signed in, or as nobody.
    pub(crate) async fn page(&self, path: &str, identity: &str) -> Response {
        self.request(Method::GET, path, identity).send().await.unwrap()
    }

    /// Sends a form as somebody who is signed in, or as nobody.
    pub(crate) async fn submit(&self, path: &str, identity: &str, fields: &[(&str, &str)]) -> Response {
        urlencoded(self.request(Method::POST, path, identity), &fields).send().await.unwrap()
    }

    /// Changes something behind the services' backs.
    pub(crate) async fn change(&self, sql: &str) {
        self.web.db.admin().await.batch_execute(sql).await.unwrap();
    }
}

/// The token in the cookie of an answer.
pub(crate) fn token(response: &Response) -> String {
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    let value = cookie.split(';').next().unwrap();
    value.strip_prefix("__Host-session=").unwrap().to_owned()
}
