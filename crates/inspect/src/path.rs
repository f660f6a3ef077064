//! Request targets that every server on the way reads alike.
//!
//! The target is refused, never repaired: what the gateway matched against its routing table must be byte for byte what
//! the service behind it sees.

use crate::Refusal;

/// Checks the path and the query of a request target.
pub fn check_target(path: &str, query: Option<&str>, length_max: usize) -> Result<(), Refusal> {
    let length = path.len() + query.map_or(0, |query| query.len() + 1);
    if length > length_max {
        return Err(Refusal::TargetLength);
    }
    check_path(path)?;
    query.map_or(Ok(()), check_query)
}

/// Checks a path, as sent, without its query.
pub fn check_path(path: &str) -> Result<(), Refusal> {
    let Some(relative) = path.strip_prefix('/') else {
        return Err(Refusal::TargetForm);
    };
    check_plain_bytes(path)?;
    if path.contains("//") {
        return Err(Refusal::EmptySegment);
    }
    if path.contains('%') {
        let decoded = decode(path)?;
        if decoded.encoded.iter().any(|byte| is_separator(*byte)) {
            return Err(Refusal::EncodedSeparator);
        }
        let text = std::str::from_utf8(&decoded.bytes).map_err(|_not_utf8| Refusal::NotUtf8)?;
        check_segments(text.strip_prefix('/').unwrap_or(text))?;
        let is_hidden = decoded.encoded.iter().any(|byte| is_unreserved(*byte));
        return if is_hidden { Err(Refusal::EncodedUnreserved) } else { Ok(()) };
    }
    check_segments(relative)
}

/// Whether a byte means itself wherever it stands (RFC 3986, section 2.3). Encoded, it would give a path two spellings.
pub fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Checks a query, as sent, without its question mark.
pub fn check_query(query: &str) -> Result<(), Refusal> {
    check_plain_bytes(query)?;
    if !query.contains('%') {
        return Ok(());
    }
    let decoded = decode_once(query)?;
    if decoded.encoded.contains(&0) {
        return Err(Refusal::EncodedSeparator);
    }
    std::str::from_utf8(&decoded.bytes).map(|_text| ()).map_err(|_not_utf8| Refusal::NotUtf8)
}

fn check_plain_bytes(text: &str) -> Result<(), Refusal> {
    if text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\' && byte != b'#') {
        Ok(())
    } else {
        Err(Refusal::TargetBytes)
    }
}

/// A segment's parameters begin at `;`: some servers look at `..;x` as at `..`.
fn check_segments(relative: &str) -> Result<(), Refusal> {
    let is_dot = |segment: &str| matches!(segment.split(';').next(), Some("." | ".."));
    if relative.split('/').any(is_dot) { Err(Refusal::DotSegment) } else { Ok(()) }
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b'/' | b'\\') || byte.is_ascii_control()
}

struct Decoded {
    /// The whole text, decoded once.
    bytes: Vec<u8>,
    /// Only the bytes that were encoded.
    encoded: Vec<u8>,
}

fn decode(path: &str) -> Result<Decoded, Refusal> {
    let decoded = decode_once(path)?;
    if decoded.encoded.contains(&b'%') && holds_encoding(&decoded.bytes) {
        return Err(Refusal::DoubleEncoding);
    }
    Ok(decoded)
}

fn decode_once(text: &str) -> Result<Decoded, Refusal> {
    let mut decoded = Decoded { bytes: Vec::with_capacity(text.len()), encoded: Vec::new() };
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.bytes.push(byte);
            continue;
        }
        let high = bytes.next().and_then(hex_digit).ok_or(Refusal::PercentEncoding)?;
        let low = bytes.next().and_then(hex_digit).ok_or(Refusal::PercentEncoding)?;
        decoded.bytes.push(high << 4 | low);
        decoded.encoded.push(high << 4 | low);
    }
    Ok(decoded)
}

fn holds_encoding(bytes: &[u8]) -> bool {
    bytes.windows(3).any(
        |window| matches!(window, [b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit()),
    )
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_paths_pass() {
        for path in [
            "/",
            "/tickets",
            "/tickets/",
            "/assets/app-3f2a.min.js",
            "/api/v1/tickets/0197c3a0-0000-7000-8000-000000000000",
            "/sites/Caf%C3%A9%20Nord",
            "/discounts/100%25",
            "/a.b/..c/d..",
            "/.well-known/security.txt",
            "/search;page=2",
            "/~asha/@me:1,2!$&'()*+=",
        ] {
            assert_eq!(check_path(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn paths_that_two_servers_would_read_differently_are_refused() {
        for (path, refusal) in [
            ("*", Refusal::TargetForm),
            ("", Refusal::TargetForm),
            ("http://other/", Refusal::TargetForm),
            ("//other/tickets", Refusal::EmptySegment),
            ("/tickets//1", Refusal::EmptySegment),
            ("/assets/../login", Refusal::DotSegment),
            ("/assets/./app.js", Refusal::DotSegment),
            ("/assets/..", Refusal::DotSegment),
            ("/assets/%2e%2e/login", Refusal::DotSegment),
            ("/assets/%2E./login", Refusal::DotSegment),
            ("/assets/..;/login", Refusal::DotSegment),
            ("/assets/..;x=1/login", Refusal::DotSegment),
            ("/assets%2f..%2flogin", Refusal::EncodedSeparator),
            ("/assets%2Flogin", Refusal::EncodedSeparator),
            ("/assets%5clogin", Refusal::EncodedSeparator),
            ("/assets\\..\\login", Refusal::TargetBytes),
            ("/assets%00.js", Refusal::EncodedSeparator),
            ("/assets%0d%0aSet-Cookie:x", Refusal::EncodedSeparator),
            ("/assets%7f", Refusal::EncodedSeparator),
            ("/assets%252e%252e/login", Refusal::DoubleEncoding),
            ("/assets/%25%32%65", Refusal::DoubleEncoding),
            ("/health/%64etailed/", Refusal::EncodedUnreserved),
            ("/health/detaile%44/", Refusal::EncodedUnreserved),
            ("/assets/app%2Ejs", Refusal::EncodedUnreserved),
            ("/a%2Db", Refusal::EncodedUnreserved),
            ("/a%5fb", Refusal::EncodedUnreserved),
            ("/%7Easha", Refusal::EncodedUnreserved),
            ("/tickets/%31", Refusal::EncodedUnreserved),
            ("/assets/%c0%ae%c0%ae/login", Refusal::NotUtf8),
            ("/assets/%c0%af", Refusal::NotUtf8),
            ("/assets/%2", Refusal::PercentEncoding),
            ("/assets/%zz", Refusal::PercentEncoding),
            ("/assets/%u002e", Refusal::PercentEncoding),
            ("/assets/a b", Refusal::TargetBytes),
            ("/assets/caf\u{e9}", Refusal::TargetBytes),
            ("/assets#/login", Refusal::TargetBytes),
        ] {
            assert_eq!(check_path(path), Err(refusal), "{path}");
        }
    }

    #[test]
    fn queries_may_hold_encoded_separators_but_no_nul() {
        assert_eq!(check_query("next=%2Ftickets%3Fstate%3DOPEN&q=100%2525"), Ok(()));
        assert_eq!(check_query("q=a%0Ab"), Ok(()));
        assert_eq!(check_query("q=%00"), Err(Refusal::EncodedSeparator));
        assert_eq!(check_query("q=%ff"), Err(Refusal::NotUtf8));
        assert_eq!(check_query("q=%4"), Err(Refusal::PercentEncoding));
        assert_eq!(check_query("q=a\\b"), Err(Refusal::TargetBytes));
    }

    #[test]
    fn long_targets_are_refused() {
        assert_eq!(check_target("/1234", Some("67"), 8), Ok(()));
        assert_eq!(check_target("/1234", Some("678"), 8), Err(Refusal::TargetLength));
    }
}
