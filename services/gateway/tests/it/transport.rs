//! A gateway in front of web servers that a test makes itself.

use std::net::SocketAddr;

use actix_web::web::ServiceConfig;
use gateway::{Route, Settings};
use reqwest::{Client, Response};
use serde_json::json;
use service::Running;

use crate::upstream::{Auth, Upstream, bind};
use crate::world::{client, settings};

/// A gateway whose web service has the replicas of the test.
pub(crate) struct Transport {
    pub(crate) auth: Auth,
    pub(crate) gateway: Running,
    pub(crate) client: Client,
    _replicas: Vec<Upstream>,
    _auth_upstream: Upstream,
}

impl Transport {
    /// Starts everything, in front of replicas that are running.
    pub(crate) async fn before(replicas: Vec<Upstream>, change: impl FnOnce(&mut Settings)) -> Self {
        let auth = Auth::new();
        let auth_upstream = auth.start();
        let web = replicas.iter().map(Upstream::url).collect::<Vec<_>>().join(",");
        let mut settings = settings(&[("AUTH", auth_upstream.url()), ("WEB", web.clone()), ("HEALTH", web)]);
        change(&mut settings);
        let gateway = service::spawn(gateway::about(), settings, gateway::start).await.unwrap();
        Self { auth, gateway, client: client(), _replicas: replicas, _auth_upstream: auth_upstream }
    }

    /// Where the gateway is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.gateway.address.unwrap()
    }

    /// The answer to a GET.
    pub(crate) async fn get(&self, path: &str) -> Response {
        self.client.get(format!("http://{}{path}", self.address())).send().await.unwrap()
    }

    /// The status of a GET.
    pub(crate) async fn status_of(&self, path: &str) -> u16 {
        self.get(path).await.status().as_u16()
    }
}

/// A running web server.
pub(crate) fn web(configure: impl Fn(&mut ServiceConfig) + Clone + Send + 'static) -> Upstream {
    Upstream::start(bind(), configure)
}

/// A line for the routing table: a path of web, with what is special about it.
pub(crate) fn route(prefix: &str, special: &str) -> Route {
    let mut route = json!({ "prefix": prefix, "upstream": "web", "access": "optional" });
    route[special] = true.into();
    serde_json::from_value(route).unwrap()
}
