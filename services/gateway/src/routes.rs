//! The routing table: which prefix goes to which upstream, and who may pass.

use std::sync::Arc;

use domain::Capability;
use inspect::Mode;
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
    /// The class of its requests in `[rates.classes]`; without one they are not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// What happens to requests that look like attacks, where it is not what `[inspection]` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inspect: Option<Mode>,
    /// What who passes must at least have. The service behind looks again, and more closely.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission: Option<Capability>,
    /// Whether a connection here may become a WebSocket.
    #[serde(default)]
    pub upgrade: bool,
    /// Whether an answer here may be silent and long: server-sent events.
    #[serde(default)]
    pub stream: bool,
    /// The largest upload: a form with files of who is signed in, passed on while it arrives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload_bytes_max: Option<usize>,
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

/// Whether a text may be the prefix of a route: a path with nothing to decode.
pub(crate) fn is_prefix(text: &str) -> bool {
    let is_plain = text.bytes().all(|byte| byte == b'/' || inspect::path::is_unreserved(byte));
    is_plain && inspect::path::check_path(text).is_ok()
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

    /// The prefixes as the settings give them.
    pub(crate) fn prefixes(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|line| line.route.prefix.as_str())
    }

    /// The line of a checked path: the longest prefix that covers it.
    pub(crate) fn find(&self, path: &str) -> Option<&Line> {
        if covers(INTERNAL_PREFIX, path) {
            return None;
        }
        self.0.iter().find(|line| line.route.holds(path))
    }
}

/// Whether `path` is `prefix`, given without a slash at its end, or lies below it. `/log` does not cover `/login`.
pub(crate) fn covers(prefix: &str, path: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes() -> Routes {
        let route = |prefix: &str, upstream: &str, access| Route {
            access,
            ..serde_json::from_value(serde_json::json!({
                "prefix": prefix, "upstream": upstream, "access": "public"
            }))
            .unwrap()
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
        let route: Route = serde_json::from_value(serde_json::json!({
            "prefix": "/health/detailed/", "upstream": "health", "access": "public",
            "networks": ["10.0.0.0/8", "::1/128"],
        }))
        .unwrap();
        let admits = |address: &str, is_certain| {
            route.admits(Client { address: address.parse().unwrap(), is_certain })
        };
        assert!(admits("10.1.2.3", true));
        assert!(admits("::1", true));
        assert!(!admits("192.0.2.1", true));
        assert!(!admits("10.1.2.3", false));
    }
}
