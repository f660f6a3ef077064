//! Header names and values with one spelling and one meaning.

use crate::Refusal;

/// Checks a header name: letters, digits and hyphen. Servers that fold `_` into `-` make an alias of everything else.
pub fn check_name(name: &[u8]) -> Result<(), Refusal> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    if !name.is_empty() && name.iter().all(plain) { Ok(()) } else { Err(Refusal::HeaderName) }
}

/// Checks a header value: no control bytes except the tab.
pub fn check_value(value: &[u8]) -> Result<(), Refusal> {
    let plain = |byte: &u8| *byte == b'\t' || !byte.is_ascii_control();
    if value.iter().all(plain) { Ok(()) } else { Err(Refusal::HeaderValue) }
}

/// Checks that there is exactly one `Host` and that it is a host with an optional port.
pub fn check_host<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Result<(), Refusal> {
    let mut values = values.into_iter();
    match (values.next(), values.next()) {
        (Some(host), None) if is_host(host) => Ok(()),
        _ => Err(Refusal::Host),
    }
}

fn is_host(host: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(host) else {
        return false;
    };
    let (name, port) = split_port(text);
    let port_is_number = port.is_none_or(|port| port.parse::<u16>().is_ok());
    port_is_number && (is_name(name) || is_bracketed_address(name))
}

/// Splits at the last colon outside brackets.
fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        Some(_) | None => (host, None),
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

fn is_bracketed_address(name: &str) -> bool {
    name.strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_outside_letters_digits_and_hyphen_are_refused() {
        for name in ["host", "X-Csrf-Token", "sec-ch-ua-platform", "x1"] {
            assert_eq!(check_name(name.as_bytes()), Ok(()), "{name}");
        }
        for name in ["", "transfer_encoding", "x.y", "content length", "x!", "x\u{e9}"] {
            assert_eq!(check_name(name.as_bytes()), Err(Refusal::HeaderName), "{name}");
        }
    }

    #[test]
    fn values_with_control_bytes_are_refused() {
        assert_eq!(check_value(b"a\tb \xe9"), Ok(()));
        for value in [&b"a\0"[..], b"a\rb", b"a\nb", b"\x7f"] {
            assert_eq!(check_value(value), Err(Refusal::HeaderValue), "{value:?}");
        }
    }

    #[test]
    fn exactly_one_plain_host_passes() {
        for host in
            ["youtility.example", "127.0.0.1:8080", "localhost", "[::1]", "[2001:db8::1]:443", "a_b-c.d:1"]
        {
            assert_eq!(check_host([host.as_bytes()]), Ok(()), "{host}");
        }
        for host in [
            "",
            ":80",
            "a,b",
            "user@host",
            "host/path",
            "host:port",
            "host:",
            "host:99999",
            "a b",
            "::1",
            "[::1",
            "h?x",
            "h#x",
        ] {
            assert_eq!(check_host([host.as_bytes()]), Err(Refusal::Host), "{host}");
        }
        assert_eq!(check_host([]), Err(Refusal::Host));
        assert_eq!(check_host([&b"a"[..], b"a"]), Err(Refusal::Host));
    }
}
