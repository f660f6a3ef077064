//! A running web, and people who use it.

use std::collections::BTreeSet;

use api::Identity;
use domain::{Capability, ClientId, PersonId, SiteId};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde::Serialize;
use serde_json::Value;
use service::Running;
use testkit::identity::Signer;
use testkit::{Database, INTERNAL_KEY};

/// A running web with its own database.
pub(crate) struct Web {
    pub(crate) db: Database,
    pub(crate) running: Running,
    pub(crate) http: Client,
}

/// A client with one site and one person who may do everything.
pub(crate) struct Tenant {
    pub(crate) client: ClientId,
    pub(crate) site: SiteId,
    pub(crate) person: PersonId,
}

impl Tenant {
    /// The person, with every capability.
    pub(crate) fn somebody(&self) -> Identity {
        testkit::identity::of(self.client, self.person, Capability::ALL)
    }

    /// The person, with these capabilities only.
    pub(crate) fn with(&self, capabilities: &[Capability]) -> Identity {
        testkit::identity::of(self.client, self.person, capabilities)
    }

    /// The person, who sees these sites only.
    pub(crate) fn at(&self, sites: &[SiteId]) -> Identity {
        let sites: BTreeSet<SiteId> = sites.iter().copied().collect();
        Identity { sites: Some(sites), ..self.somebody() }
    }
}

/// Settings of web beside those of database and trust.
pub(crate) fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let folder = std::env::temp_dir().join("youtility-web-files");
    let folder = ("FILES__FOLDER", folder.to_str().unwrap());
    testkit::env_with(testkit::process_env(), &[&[folder], pairs].concat())
}

impl Web {
    /// Starts web.
    pub(crate) async fn start() -> Self {
        Self::start_with(Database::create().await, &[]).await
    }

    /// Starts web on a database with more settings.
    pub(crate) async fn start_with(db: Database, pairs: &[(&str, &str)]) -> Self {
        let env = [db.env("web"), testkit::trust_env(), env(pairs)].concat();
        let settings: web::Settings = service::load_settings(&web::about(), &[], env).unwrap();
        let http = service::http_client(&settings.http_client).unwrap();
        let running = service::spawn(web::about(), settings, web::start).await.unwrap();
        Self { db, running, http }
    }

    /// A client with one site and one person.
    pub(crate) async fn tenant(&self, code: &str) -> Tenant {
        let client = self.db.client(code).await;
        let site = self.db.site(client, "HQ").await;
        let person = self.db.person(client, "asha").name("Asha Patil").await;
        Tenant { client, site, person }
    }

    /// Asks as the gateway asks for somebody, or for nobody.
    pub(crate) fn ask(&self, method: Method, path: &str, who: Option<&Identity>) -> RequestBuilder {
        let address = self.running.address.unwrap();
        let request = self
            .http
            .request(method, format!("http://{address}{path}"))
            .header(api::headers::NONCE, "bm9uY2U")
            .header(api::headers::CSRF_TOKEN, "dG9rZW4")
            .header(api::headers::CLIENT_ADDRESS, "192.0.2.7")
            .header(api::headers::INTERNAL_KEY, INTERNAL_KEY);
        match who {
            Some(identity) => request.header(api::headers::IDENTITY, Signer::shared().token(identity)),
            None => request,
        }
    }

    /// Reads something of the API.
    pub(crate) async fn get(&self, path: &str, who: &Identity) -> (StatusCode, Value) {
        json(self.ask(Method::GET, path, Some(who)).send().await.unwrap()).await
    }

    /// Sends something to the API.
    pub(crate) async fn post(&self, path: &str, who: &Identity, body: &Value) -> (StatusCode, Value) {
        json(self.ask(Method::POST, path, Some(who)).json(body).send().await.unwrap()).await
    }

    /// Reads a page as a browser does.
    pub(crate) async fn page(&self, path: &str, who: &Identity) -> (StatusCode, String) {
        let request = self.ask(Method::GET, path, Some(who)).header("accept", "text/html");
        text(request.send().await.unwrap()).await
    }

    /// Sends a form as a browser without scripts does.
    pub(crate) async fn submit(&self, path: &str, who: &Identity, form: &impl Serialize) -> Response {
        let request = self.ask(Method::POST, path, Some(who)).header("accept", "text/html");
        urlencoded(request, form).send().await.unwrap()
    }

    /// The number in the only row of a query, as the superuser sees it.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.db.count(sql).await
    }
}

/// A body as forms send it.
pub(crate) fn urlencoded(request: RequestBuilder, form: &impl Serialize) -> RequestBuilder {
    request
        .header("content-type", "application/x-www-form-urlencoded")
        .body(serde_urlencoded::to_string(form).unwrap())
}

/// Status and JSON of an answer.
pub(crate) async fn json(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let text = response.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{status}: {error}: {text}"));
    (status, body)
}

/// Status and text of an answer.
pub(crate) async fn text(response: Response) -> (StatusCode, String) {
    (response.status(), response.text().await.unwrap())
}

/// The pointers of a problem's broken fields.
pub(crate) fn pointers(problem: &Value) -> Vec<&str> {
    problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect()
}

/// The address a redirect leads to.
pub(crate) fn location(response: &Response) -> &str {
    response.headers()["location"].to_str().unwrap()
}
