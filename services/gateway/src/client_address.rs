//! Whose request it is, when other proxies stand in front.

use std::net::{IpAddr, SocketAddr};

use actix_web::http::header::{HeaderMap, HeaderValue};
use ipnet::IpNet;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// What proxies add to the requests they pass on.
const FORWARDED: [&str; 3] = ["forwarded", FORWARDED_FOR, "x-real-ip"];

/// Who sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    /// The address.
    pub(crate) address: IpAddr,
    /// Whether it is the client's own, as far as we can see. Otherwise it is that of a proxy whose word we do not take:
    /// what that address may do, everybody behind it could do.
    pub(crate) is_certain: bool,
}

impl Client {
    /// Finds who sent a request.
    pub(crate) fn of(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let forwarded_for: Vec<&[u8]> = headers.get_all(FORWARDED_FOR).map(HeaderValue::as_bytes).collect();
        let (address, is_readable) = client_address(peer, forwarded_for.into_iter(), trusted);
        let is_forwarded = FORWARDED.iter().any(|name| headers.contains_key(*name));
        let is_certain = is_readable && (!is_forwarded || is_trusted(peer.to_canonical(), trusted));
        Self { address, is_certain }
    }
}

/// Finds the client's address, and whether every entry on the way to it could be read.
///
/// Without a trusted peer it is the peer. Behind trusted proxies it is the right-most entry of `X-Forwarded-For` that
/// is not itself a trusted proxy: everything left of it was written by somebody we do not know. An entry that cannot be
/// read ends the walk at the proxy that wrote it.
fn client_address<'a>(
    peer: IpAddr,
    forwarded_for: impl DoubleEndedIterator<Item = &'a [u8]>,
    trusted: &[IpNet],
) -> (IpAddr, bool) {
    let mut client = peer.to_canonical();
    if !is_trusted(client, trusted) {
        return (client, true);
    }
    for line in forwarded_for.rev() {
        for entry in line.rsplit(|byte| *byte == b',') {
            let Some(address) = parse_entry(entry) else {
                return (client, false);
            };
            client = address;
            if !is_trusted(client, trusted) {
                return (client, true);
            }
        }
    }
    (client, true)
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address))
}

/// Reads `192.0.2.1`, `192.0.2.1:1234`, `2001:db8::1` and `[2001:db8::1]:1234`.
fn parse_entry(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?.trim();
    let address =
        text.parse::<IpAddr>().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderName;

    use super::*;

    fn find(peer: &str, forwarded_for: &[&str]) -> String {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let lines = forwarded_for.iter().map(|line| line.as_bytes());
        client_address(peer.parse().unwrap(), lines, &trusted).0.to_string()
    }

    fn is_certain(peer: &str, headers: &[(&'static str, &'static str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        Client::of(peer.parse().unwrap(), &map, &["10.0.0.0/8".parse().unwrap()]).is_certain
    }

    #[test]
    fn an_address_is_uncertain_behind_a_proxy_whose_word_is_not_taken() {
        assert!(is_certain("127.0.0.1", &[]));
        assert!(!is_certain("127.0.0.1", &[("x-forwarded-for", "198.51.100.1")]));
        assert!(!is_certain("127.0.0.1", &[("forwarded", "for=198.51.100.1")]));
        assert!(!is_certain("127.0.0.1", &[("x-real-ip", "198.51.100.1")]));
        assert!(is_certain("10.0.0.1", &[("x-forwarded-for", "127.0.0.1")]));
        assert!(is_certain("::ffff:10.0.0.1", &[("x-forwarded-for", "198.51.100.1")]));
        assert!(!is_certain("10.0.0.1", &[("x-forwarded-for", "unknown")]));
    }

    #[test]
    fn an_unknown_peer_is_the_client_whatever_it_claims() {
        assert_eq!(find("192.0.2.9", &[]), "192.0.2.9");
        assert_eq!(find("192.0.2.9", &["198.51.100.1"]), "192.0.2.9");
        assert_eq!(find("::ffff:192.0.2.9", &["198.51.100.1"]), "192.0.2.9");
    }

    #[test]
    fn behind_trusted_proxies_the_right_most_unknown_entry_is_the_client() {
        assert_eq!(find("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(find("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(find("10.0.0.1", &["203.0.113.5, 198.51.100.1"]), "198.51.100.1");
        assert_eq!(find("10.0.0.1", &["203.0.113.5, 198.51.100.1, 10.0.0.2"]), "198.51.100.1");
        assert_eq!(find("10.0.0.1", &["203.0.113.5", "198.51.100.1", "10.0.0.2"]), "198.51.100.1");
        assert_eq!(find("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
        assert_eq!(find("::ffff:10.0.0.1", &["[2001:db8::1]:4711"]), "2001:db8::1");
        assert_eq!(find("fd00::1", &["198.51.100.1:80"]), "198.51.100.1");
    }

    #[test]
    fn an_unreadable_entry_ends_the_walk() {
        assert_eq!(find("10.0.0.1", &["198.51.100.1, unknown"]), "10.0.0.1");
        assert_eq!(find("10.0.0.1", &["198.51.100.1, unknown, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(find("10.0.0.1", &[""]), "10.0.0.1");
    }
}
