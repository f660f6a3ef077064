//! The service under test, its keys, and a client.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use service::extract::{Form, Json, Path, Query};
use service::{
    About, Caller, ClientAddress, Context, HttpClientSettings, HttpSettings, Internal, Mistakes, Problem,
    Process, ProcessSettings, Running, Settings, TrustSettings, load_settings,
};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinSet;

pub(crate) const INTERNAL_KEY: &str = "q8Zt4nXw1Lr7Vb2Ky9Hs3Md6Pf0Gj5Tc8Ra4We1Uo7Ix2NzQvEyB";

pub(crate) const ABOUT: About =
    About { name: "kitchen", version: "1.2.3", defaults: include_str!("default.toml") };

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KitchenSettings {
    pub(crate) process: ProcessSettings,
    pub(crate) http: HttpSettings,
    pub(crate) http_client: HttpClientSettings,
    pub(crate) trust: TrustSettings,
    pub(crate) kitchen: Kitchen,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kitchen {
    pub(crate) cooks: Vec<String>,
    pub(crate) tables: Vec<Table>,
    pub(crate) prices: BTreeMap<String, u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) seats: u8,
}

impl Settings for KitchenSettings {
    fn process(&self) -> &ProcessSettings {
        &self.process
    }

    fn check(&self, mistakes: &mut Mistakes) {
        self.http.check(mistakes);
        self.http_client.check(mistakes);
        self.trust.check(mistakes);
    }
}

/// An Ed25519 pair as `auth` would hold it.
pub(crate) struct Keys {
    pub(crate) private: jsonwebtoken::EncodingKey,
    pub(crate) public_pem: String,
}

impl Keys {
    pub(crate) fn generate() -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        let private = jsonwebtoken::EncodingKey::from_ed_der(pair.to_pkcs8v1().unwrap().as_ref());
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let body = STANDARD.encode(public.as_ref());
        Self {
            private,
            public_pem: format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n"),
        }
    }
}

/// Environment pairs under which the defaults are right.
pub(crate) fn env(keys: &Keys, more: &[(&str, &str)]) -> Vec<(String, String)> {
    let base = [
        ("YOUTILITY_TRUST__IDENTITY_PUBLIC_KEY", keys.public_pem.as_str()),
        ("YOUTILITY_TRUST__INTERNAL_KEY", INTERNAL_KEY),
    ];
    base.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Right settings, whose private key nobody holds.
pub(crate) fn settings(more: &[(&str, &str)]) -> KitchenSettings {
    load_settings(&ABOUT, &[], env(&Keys::generate(), more)).unwrap()
}

/// A running kitchen.
pub(crate) struct Bench {
    running: Option<Running>,
    pub(crate) keys: Keys,
    client: reqwest::Client,
    address: Option<SocketAddr>,
    admin: SocketAddr,
}

impl Bench {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub(crate) async fn start_with(more: &[(&str, &str)]) -> Self {
        let keys = Keys::generate();
        let settings = load_settings(&ABOUT, &[], env(&keys, more)).unwrap();
        Self::around(settings, keys, start).await
    }

    pub(crate) async fn around<F, Fut>(settings: KitchenSettings, keys: Keys, start: F) -> Self
    where
        F: FnOnce(Context<KitchenSettings>) -> Fut,
        Fut: Future<Output = anyhow::Result<Process>>,
    {
        let client = service::http_client(&settings.http_client).unwrap();
        let running = service::spawn(ABOUT, settings, start).await.unwrap();
        let (address, admin) = (running.address, running.admin);
        Self { running: Some(running), keys, client, address, admin }
    }

    /// Begins to stop; the process is cut off when the set is dropped.
    pub(crate) fn begin_stop(&mut self) -> JoinSet<anyhow::Result<()>> {
        let running = self.running.take().unwrap();
        let mut stopping = JoinSet::new();
        stopping.spawn(running.stop());
        stopping
    }

    /// A connection of its own, with text sent already.
    pub(crate) async fn connect(&self, text: &str) -> TcpStream {
        let mut connection = TcpStream::connect(self.address.unwrap()).await.unwrap();
        connection.write_all(text.as_bytes()).await.unwrap();
        connection
    }

    /// What the admin listener counts.
    pub(crate) async fn metrics(&self) -> String {
        self.admin("GET", "/metrics").send().await.unwrap().text().await.unwrap()
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.at(self.address.unwrap(), method, path)
    }

    pub(crate) fn admin(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.at(self.admin, method, path)
    }

    fn at(&self, address: SocketAddr, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method.parse().unwrap(), format!("http://{address}{path}"))
    }

    /// Asks `/readyz` until it answers with a status.
    pub(crate) async fn readyz(&self, wanted: u16) {
        let asking = async { while self.admin("GET", "/readyz").send().await.unwrap().status() != wanted {} };
        tokio::time::timeout(Duration::from_secs(10), asking).await.expect("/readyz answers as wanted");
    }
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Order {
    dish: String,
    guests: u8,
}

pub(crate) async fn start(ctx: Context<KitchenSettings>) -> anyhow::Result<Process> {
    let trust = Data::new(ctx.settings.trust.open()?);
    let http = ctx.settings.http.clone();
    let tasks = ctx.tasks.clone();
    let client = Data::new(service::http_client(&ctx.settings.http_client)?);
    Process::new(&ctx).serve(&http, move |routes: &mut ServiceConfig| {
        let tasks = tasks.clone();
        routes
            .app_data(trust.clone())
            .app_data(client.clone())
            .service(web::resource("/orders").get(list).post(order))
            .service(web::resource("/orders/{number}").get(show))
            .service(web::resource("/form").post(form))
            .service(web::resource("/raw").post(raw))
            .service(web::resource("/panic").get(burn))
            .service(web::resource("/slow").get(slow))
            .service(web::resource("/caller").get(caller))
            .service(web::resource("/internal/address").get(address))
            .service(web::resource("/internal/open").get(internal))
            .service(web::resource("/api/v1/caller").get(caller))
            .service(web::resource("/until-closed").get(until_closed))
            .service(web::resource("/relay").get(relay))
            .service(web::resource("/echo").get(echo))
            .service(web::resource("/moved").get(moved))
            .service(web::resource("/task").post(move || spawn_task(tasks.clone())));
    })
}

async fn spawn_task(tasks: service::Tasks) -> HttpResponse {
    let (done, outcome) = tokio::sync::oneshot::channel();
    tasks.spawn("kitchen", async move {
        done.send("cooked").unwrap();
    });
    HttpResponse::Ok().body(outcome.await.unwrap())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    #[serde(default)]
    limit: u8,
}

async fn list(filter: Query<Filter>) -> String {
    filter.limit.to_string()
}

async fn order(order: Json<Order>) -> Result<String, Problem> {
    if order.guests == 0 {
        return Err(Refusal::NoGuests.into());
    }
    Ok(format!("{} for {}", order.dish, order.guests))
}

async fn form(order: Form<Order>) -> String {
    format!("{} for {}", order.dish, order.guests)
}

async fn raw(body: web::Bytes) -> String {
    body.len().to_string()
}

async fn show(number: Path<u32>) -> String {
    number.to_string()
}

async fn burn() -> HttpResponse {
    panic!("the stove is on fire");
}

async fn slow() -> HttpResponse {
    std::future::pending().await
}

/// Somebody is inside `/until-closed`.
pub(crate) static INSIDE: Notify = Notify::const_new();

/// Answers once the port it came in by takes no more connections.
async fn until_closed(request: HttpRequest) -> &'static str {
    INSIDE.notify_one();
    let host = request.connection_info().host().to_owned();
    while TcpStream::connect(&host).await.is_ok() {}
    "finished"
}

/// Calls `/echo` on the caller's behalf.
async fn relay(request: HttpRequest, client: Data<reqwest::Client>) -> String {
    let address = format!("http://{}/echo", request.connection_info().host());
    service::propagate(client.get(address), &request).send().await.unwrap().text().await.unwrap()
}

/// Says which headers arrived.
async fn echo(request: HttpRequest) -> String {
    let lines =
        request.headers().iter().map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()));
    lines.collect()
}

async fn moved() -> HttpResponse {
    HttpResponse::SeeOther().insert_header(("location", "/orders")).finish()
}

async fn caller(caller: Caller) -> String {
    caller.identity.person_name
}

async fn address(address: ClientAddress) -> String {
    address.0.to_string()
}

async fn internal(_internal: Internal) -> &'static str {
    "open"
}

#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("table 7 is empty")]
    NoGuests,
}

impl domain::Fault for Refusal {
    fn kind(&self) -> domain::FaultKind {
        domain::FaultKind::Invalid
    }

    fn code(&self) -> &'static str {
        "no-guests"
    }

    fn public(&self) -> std::borrow::Cow<'static, str> {
        "Somebody has to eat it.".into()
    }

    fn fields(&self) -> &[domain::FieldError] {
        static FIELDS: std::sync::LazyLock<Vec<domain::FieldError>> =
            std::sync::LazyLock::new(|| vec![domain::FieldError::new("/guests", "Use 1 to 12.")]);
        &FIELDS
    }
}
