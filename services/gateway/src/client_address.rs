//! Whose request it is, when other proxies stand in front.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

/// Finds the client's address.
///
/// Without a trusted peer it is the peer. Behind trusted proxies it is the right-most entry of `X-Forwarded-For` that
/// is not itself a trusted proxy: everything left of it was written by somebody we do not know. An entry that cannot be
/// read ends the walk at the proxy that wrote it.
pub(crate) fn client_address<'a>(
    peer: IpAddr,
    forwarded_for: impl DoubleEndedIterator<Item = &'a [u8]>,
    trusted: &[IpNet],
) -> IpAddr {
    let mut client = peer.to_canonical();
    if !is_trusted(client, trusted) {
        return client;
    }
    for line in forwarded_for.rev() {
        for entry in line.rsplit(|byte| *byte == b',') {
            let Some(address) = parse_entry(entry) else {
                return client;
            };
            client = address;
            if !is_trusted(client, trusted) {
                return client;
            }
        }
    }
    client
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
    use super::*;

    fn find(peer: &str, forwarded_for: &[&str]) -> String {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let lines = forwarded_for.iter().map(|line| line.as_bytes());
        client_address(peer.parse().unwrap(), lines, &trusted).to_string()
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
