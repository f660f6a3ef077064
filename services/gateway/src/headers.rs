//! Headers on their way through the gateway, in both directions.

use actix_web::http::header as client_side;
use http::header as upstream_side;

use crate::cookies;

/// Prefix of the headers between our own processes.
const INTERNAL_PREFIX: &str = "x-youtility-";

/// Prefix of what proxies tell about clients.
const FORWARDED_PREFIX: &str = "x-forwarded-";

/// Copies a client's headers for the upstream, without those that belong to the connection, to the gateway, or to
/// nobody but ourselves.
pub(crate) fn to_upstream(headers: &client_side::HeaderMap) -> upstream_side::HeaderMap {
    let mut copied = upstream_side::HeaderMap::with_capacity(headers.len() + 8);
    let listed =
        ListedNames::of(headers.get_all(client_side::CONNECTION).map(client_side::HeaderValue::as_bytes));
    for (name, value) in headers {
        if is_kept_from_upstream(name.as_str()) || listed.holds(name.as_str()) {
            continue;
        }
        if name == client_side::COOKIE {
            if let Some(line) = cookies::without_ours(value.as_bytes()) {
                append_upstream(&mut copied, name.as_str(), &line);
            }
        } else {
            append_upstream(&mut copied, name.as_str(), value.as_bytes());
        }
    }
    copied
}

/// Copies an upstream's headers for the client.
pub(crate) fn to_client(headers: &upstream_side::HeaderMap, copied: &mut client_side::HeaderMap) {
    let listed = ListedNames::of(
        headers.get_all(upstream_side::CONNECTION).iter().map(upstream_side::HeaderValue::as_bytes),
    );
    for (name, value) in headers {
        if is_kept_from_client(name.as_str()) || listed.holds(name.as_str()) {
            continue;
        }
        let name = client_side::HeaderName::from_bytes(name.as_str().as_bytes());
        let value = client_side::HeaderValue::from_bytes(value.as_bytes());
        if let (Ok(name), Ok(value)) = (name, value) {
            copied.append(name, value);
        }
    }
}

/// Both libraries accept the same names and values; one that does not fit is left behind.
fn append_upstream(headers: &mut upstream_side::HeaderMap, name: &str, value: &[u8]) {
    let name = upstream_side::HeaderName::from_bytes(name.as_bytes());
    let value = upstream_side::HeaderValue::from_bytes(value);
    if let (Ok(name), Ok(value)) = (name, value) {
        headers.append(name, value);
    }
}

/// Headers that speak about one connection only (RFC 9110, section 7.6.1).
fn is_of_connection(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

fn is_kept_from_upstream(name: &str) -> bool {
    let is_gateways = matches!(
        name,
        "authorization"
            | "baggage"
            | "content-length"
            | "expect"
            | "forwarded"
            | "host"
            | "traceparent"
            | "tracestate"
            | "via"
            | "x-correlation-id"
            | "x-csrf-token"
            | "x-real-ip"
    );
    is_gateways
        || is_of_connection(name)
        || name.starts_with(INTERNAL_PREFIX)
        || name.starts_with(FORWARDED_PREFIX)
}

fn is_kept_from_client(name: &str) -> bool {
    let is_gateways = matches!(
        name,
        "content-length"
            | "date"
            | "server"
            | "traceparent"
            | "tracestate"
            | "via"
            | "x-correlation-id"
            | "x-powered-by"
    );
    is_gateways || is_of_connection(name) || name.starts_with(INTERNAL_PREFIX)
}

/// The names a `Connection` header adds to those that speak about one connection.
struct ListedNames<'a>(Vec<&'a [u8]>);

impl<'a> ListedNames<'a> {
    fn of(lines: impl Iterator<Item = &'a [u8]>) -> Self {
        let is_name = |name: &&[u8]| {
            !name.is_empty()
                && !name.eq_ignore_ascii_case(b"keep-alive")
                && !name.eq_ignore_ascii_case(b"close")
        };
        Self(
            lines
                .flat_map(|line| line.split(|byte| *byte == b','))
                .map(<[u8]>::trim_ascii)
                .filter(is_name)
                .collect(),
        )
    }

    fn holds(&self, name: &str) -> bool {
        self.0.iter().any(|listed| listed.eq_ignore_ascii_case(name.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incoming(pairs: &[(&'static str, &'static str)]) -> client_side::HeaderMap {
        let mut headers = client_side::HeaderMap::new();
        for (name, value) in pairs {
            headers.append(
                client_side::HeaderName::from_static(name),
                client_side::HeaderValue::from_static(value),
            );
        }
        headers
    }

    fn names(headers: &upstream_side::HeaderMap) -> Vec<String> {
        let mut names: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        names.sort();
        names
    }

    #[test]
    fn what_belongs_to_connection_gateway_or_ourselves_does_not_reach_the_upstream() {
        let headers = incoming(&[
            ("host", "y.example"),
            ("accept", "text/html"),
            ("accept", "*/*"),
            ("connection", "keep-alive, X-Hop"),
            ("x-hop", "1"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("content-length", "5"),
            ("expect", "100-continue"),
            ("authorization", "Bearer secret"),
            ("cookie", "__Host-session=secret; theme=dark"),
            ("cookie", "__Host-visitor=v"),
            ("forwarded", "for=1.2.3.4"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-host", "evil"),
            ("x-real-ip", "1.2.3.4"),
            ("x-correlation-id", "mine"),
            ("traceparent", "00-1-1-01"),
            ("x-youtility-identity", "forged"),
            ("x-youtility-internal-key", "forged"),
            ("idempotency-key", "k"),
        ]);
        assert_eq!(
            names(&to_upstream(&headers)),
            ["accept: */*", "accept: text/html", "cookie: theme=dark", "idempotency-key: k"]
        );
    }

    #[test]
    fn what_belongs_to_connection_or_upstream_does_not_reach_the_client() {
        let mut headers = upstream_side::HeaderMap::new();
        for (name, value) in [
            ("content-type", "text/html"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("server", "actix"),
            ("date", "today"),
            ("content-length", "5"),
            ("x-youtility-nonce", "n"),
            ("x-correlation-id", "theirs"),
        ] {
            headers.append(upstream_side::HeaderName::from_static(name), value.parse().unwrap());
        }
        let mut copied = client_side::HeaderMap::new();
        to_client(&headers, &mut copied);
        let mut names: Vec<_> =
            copied.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        names.sort();
        assert_eq!(names, ["content-type: text/html", "set-cookie: a=1", "set-cookie: b=2"]);
    }
}
