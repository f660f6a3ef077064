//! The routing table: which prefix goes to which upstream, and who may pass.

use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::client_address::Client;
use crate::list::List;

/// Paths that only processes ask each other for. No setting opens them to the outside.
const INTERNAL_PREFIX: &str = "/internal";

/// Who may pass a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Everybody; no credential is looked at.
    Public,
    /// Everybody; who is signed in is known upstream.
    Optional,
    /// Only who is signed in.
    Required,
}

/// One line of the routing table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The path and everything below it, by whole segments; `/` is the rest.
    pub prefix: String,
    /// The name of the upstream.
    pub upstream: String,
    /// Who may pass.
    pub access: Access,
    /// Only these client networks may pass; empty means any.
    #[serde(default)]
    pub networks: List<IpNet>,
    /// Whether a `POST` here tries a password: each client may send only so many.
    #[serde(default)]
    pub sign_in: bool,
}

impl Route {
    /// Whether the client's network may pass. Where networks are named, an uncertain address is in none of them.
    pub(crate) fn admits(&self, client: Client) -> bool {
        let networks = self.networks.as_slice();
        networks.is_empty()
            || client.is_certain && networks.iter().any(|network| network.contains(&client.address))
    }

    fn holds(&self, path: &str) -> bool {
        covers(self.prefix.trim_end_matches('/'), path)
    }
}

/// A line of the table with the name it has in log and metrics.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) route: Route,
    pub(crate) template: Arc<str>,
}

/// The routing table, longest prefix first.
#[derive(Clone, Debug)]
pub(crate) struct Routes(Vec<Line>);

impl Routes {
    /// Orders the lines of the settings.
    pub(crate) fn new(mut routes: Vec<Route>) -> Self {
        routes.sort_by_key(|route| std::cmp::Reverse(route.prefix.trim_end_matches('/').len()));
        let line = |route: Route| Line { template: Arc::from(route.prefix.as_str()), route };
        Self(routes.into_iter().map(line).collect())
    }

    /// The line of a checked path: the longest prefix that covers it.
    pub(crate) fn find(&self, path: &str) -> Option<&Line> {
        if covers(INTERNAL_PREFIX, path) {
            return None;
        }
        self.0.iter().find(|line| line.route.holds(path))
    }
}

/// Whether `path` is `prefix` or lies below it. `/log` does not cover `/login`.
fn covers(prefix: &str, path: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes() -> Routes {
        let route = |prefix: &str, upstream: &str, access| Route {
            prefix: prefix.to_owned(),
            upstream: upstream.to_owned(),
            access,
            networks: List::default(),
            sign_in: false,
        };
        Routes::new(vec![
            route("/", "web", Access::Required),
            route("/api/v1/session", "auth", Access::Optional),
            route("/login", "web", Access::Public),
            route("/health", "health", Access::Public),
            route("/ready/", "health", Access::Public),
            route("/health/detailed/", "deep", Access::Public),
        ])
    }

    fn upstream_of(path: &str) -> Option<String> {
        routes().find(path).map(|line| format!("{} {}", line.route.upstream, line.route.prefix))
    }

    #[test]
    fn the_longest_prefix_of_whole_segments_wins() {
        for (path, expected) in [
            ("/", "web /"),
            ("/tickets", "web /"),
            ("/login", "web /login"),
            ("/login/", "web /login"),
            ("/loginx", "web /"),
            ("/LOGIN", "web /"),
            ("/api/v1/session", "auth /api/v1/session"),
            ("/api/v1/sessions", "web /"),
            ("/api/v1/session/other", "auth /api/v1/session"),
            ("/health/", "health /health"),
            ("/health/detailed/", "deep /health/detailed/"),
            ("/health/detailed", "deep /health/detailed/"),
            ("/ready", "health /ready/"),
            ("/ready/", "health /ready/"),
            ("/internals", "web /"),
        ] {
            assert_eq!(upstream_of(path).as_deref(), Some(expected), "{path}");
        }
    }

    #[test]
    fn internal_paths_have_no_route() {
        for path in ["/internal", "/internal/", "/internal/identity"] {
            assert_eq!(upstream_of(path), None, "{path}");
        }
    }

    #[test]
    fn a_route_may_be_for_some_networks_only() {
        let route = Route {
            prefix: "/health/detailed/".to_owned(),
            upstream: "health".to_owned(),
            access: Access::Public,
            networks: vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()].into(),
            sign_in: false,
        };
        let admits = |address: &str, is_certain| {
            route.admits(Client { address: address.parse().unwrap(), is_certain })
        };
        assert!(admits("10.1.2.3", true));
        assert!(admits("::1", true));
        assert!(!admits("192.0.2.1", true));
        assert!(!admits("10.1.2.3", false));
    }
}
