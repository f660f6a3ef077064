//! A gateway with everything behind it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use gateway::Settings;
use reqwest::{Client, Method, RequestBuilder, Response};
use service::{HttpClientSettings, Running};

use crate::upstream::{Auth, Received, Upstream};

/// A secret that is not weak.
pub(crate) const CSRF_SECRET: &str = "q8Zt4nXw1Lr7Vb2Ky9Hs3Md6Pf0Gj5Tc8Ra4We1Uo7Ix2NzQvEyB";

/// How long anything may take.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// A gateway, its upstreams, and a client in front.
pub(crate) struct World {
    pub(crate) auth: Auth,
    pub(crate) auth_upstream: Upstream,
    pub(crate) web: Upstream,
    pub(crate) health: Upstream,
    pub(crate) gateway: Running,
    pub(crate) client: Client,
}

impl World {
    /// Starts everything with the default settings.
    pub(crate) async fn start() -> Self {
        Self::with(|_settings| {}).await
    }

    /// Starts everything with other settings.
    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let auth = Auth::new();
        let (auth_upstream, web, health) = (auth.start(), Upstream::echo("web"), Upstream::echo("health"));
        let urls = [("AUTH", auth_upstream.url()), ("WEB", web.url()), ("HEALTH", health.url())];
        let mut settings = settings(&urls);
        change(&mut settings);
        let gateway = service::spawn(gateway::about(), settings, gateway::start).await.unwrap();
        Self { auth, auth_upstream, web, health, gateway, client: client() }
    }

    /// Starts everything, with the revocation stream open and somebody signed in with a token.
    pub(crate) async fn signed_in(token: &str) -> Self {
        let world = Self::start().await;
        world.auth.sign_in(token);
        world.wait_for_cache(token).await;
        world
    }

    /// Waits until the gateway hears auth, so that answers about the token are kept.
    pub(crate) async fn wait_for_cache(&self, token: &str) {
        testkit::wait_until("an identity out of the cache", SOON, || async {
            let before = self.auth.questions();
            self.get("/tickets").bearer_auth(token).send().await.unwrap();
            (before == self.auth.questions()).then_some(())
        })
        .await;
    }

    /// Where the gateway is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.gateway.address.unwrap()
    }

    /// A request to the gateway.
    pub(crate) fn request(&self, method: Method, target: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{target}", self.address()))
    }

    pub(crate) fn get(&self, target: &str) -> RequestBuilder {
        self.request(Method::GET, target)
    }

    pub(crate) fn post(&self, target: &str) -> RequestBuilder {
        self.request(Method::POST, target)
    }

    /// Sends bytes as they are and gives the whole answer.
    pub(crate) async fn raw(&self, request: &str) -> String {
        let (address, request) = (self.address(), request.to_owned());
        let send = move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(SOON)).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = Vec::new();
            // A connection that is reset after its answer has still given the answer.
            drop(stream.read_to_end(&mut answer));
            String::from_utf8_lossy(&answer).into_owned()
        };
        tokio::task::spawn_blocking(send).await.unwrap()
    }

    /// Sends a request line with a `Host` and gives the status.
    pub(crate) async fn status_of(&self, method: &str, target: &str, headers: &str) -> String {
        let request =
            format!("{method} {target} HTTP/1.1\r\nHost: y.example\r\nConnection: close\r\n{headers}\r\n");
        status(&self.raw(&request).await)
    }
}

/// The settings of a gateway in front of upstreams.
pub(crate) fn settings(upstreams: &[(&str, String)]) -> Settings {
    let mut environment = Vec::new();
    let mut set = |key: String, value: String| environment.push((format!("YOUTILITY_{key}"), value));
    for (key, value) in [
        ("PROCESS__ADMIN_BIND", "127.0.0.1:0"),
        ("PROCESS__DRAIN_DELAY_MS", "0"),
        ("HTTP__BIND", "127.0.0.1:0"),
        ("CSRF__SECRET", CSRF_SECRET),
        ("TRUST__INTERNAL_KEY", testkit::INTERNAL_KEY),
        ("TRUSTED_PROXIES__NONE_IN_FRONT", "true"),
        ("IDENTITY__PAUSE_MS", "50"),
        ("IDENTITY__SILENCE_MS", "1000"),
    ] {
        set(key.to_owned(), value.to_owned());
    }
    for (name, url) in upstreams {
        set(format!("UPSTREAMS__{name}"), url.clone());
    }
    service::load_settings(&gateway::about(), &[], environment).unwrap()
}

/// A client that follows nothing.
pub(crate) fn client() -> Client {
    let settings =
        HttpClientSettings { connect_timeout_ms: 1000, timeout_ms: 20_000, idle_connections_max: 8 };
    service::http_client(&settings).unwrap()
}

/// The status of a raw answer.
pub(crate) fn status(answer: &str) -> String {
    answer.split(' ').nth(1).unwrap_or("none").to_owned()
}

/// What the upstream received.
pub(crate) async fn received(answer: Response) -> Received {
    assert_eq!(answer.status(), 200, "{answer:?}");
    answer.json().await.unwrap()
}

/// Status and code of a problem.
pub(crate) async fn problem(answer: Response) -> String {
    let status = answer.status().as_u16();
    let problem: api::Problem = answer.json().await.unwrap();
    assert_eq!(problem.status, status);
    format!("{status} {}", problem.code())
}

/// A header of an answer.
pub(crate) fn header<'a>(answer: &'a Response, name: &str) -> Option<&'a str> {
    answer.headers().get(name).map(|value| value.to_str().unwrap())
}
