//! Headers: those with a grammar of their own are held against it, the rest is text.

use crate::fields;
use crate::inspection::Inspection;
use crate::verdict::Place;

/// Looks at one header.
pub(crate) fn inspect_header(inspection: &mut Inspection<'_>, name: &str, value: &[u8]) {
    let mut lower = [0_u8; 32];
    let Some(name) = lower_case(name, &mut lower) else {
        return inspection.field(Place::Header, name.as_bytes(), value);
    };
    match Grammar::of(name) {
        Grammar::Cookies => inspect_cookies(inspection, value),
        Grammar::Address => inspect_address(inspection, name, value),
        Grammar::Structured(fits) if value.iter().all(|byte| fits(*byte)) => {}
        Grammar::Brands if is_brand_list(value) => {}
        Grammar::Structured(_) | Grammar::Brands | Grammar::Text => {
            inspection.field(Place::Header, name, value);
        }
    }
}

fn lower_case<'b>(name: &str, buffer: &'b mut [u8; 32]) -> Option<&'b [u8]> {
    let lower = buffer.get_mut(..name.len())?;
    lower.copy_from_slice(name.as_bytes());
    lower.make_ascii_lowercase();
    Some(lower)
}

/// How the value of a header is read.
enum Grammar {
    /// Pairs, each looked at by itself.
    Cookies,
    /// An address with a query.
    Address,
    /// Nothing but these bytes: with them alone nothing can be said to a database, browser or shell.
    Structured(fn(u8) -> bool),
    /// Names of browsers with their versions, in quotes.
    Brands,
    /// Anything.
    Text,
}

impl Grammar {
    fn of(name: &[u8]) -> Self {
        let is_among = |names: &[&[u8]]| names.contains(&name);
        match name {
            b"cookie" => Self::Cookies,
            b"referer" | b"origin" => Self::Address,
            _ if is_among(LISTS) => Self::Structured(is_list_byte),
            _ if is_among(MEDIA) => Self::Structured(is_media_byte),
            _ if is_among(CREDENTIALS) => Self::Structured(is_credential_byte),
            _ if is_among(VALIDATORS) => Self::Structured(is_validator_byte),
            _ if is_among(BRANDS) => Self::Brands,
            _ => Self::Text,
        }
    }
}

/// Lists of words, numbers and identifiers.
#[rustfmt::skip]
const LISTS: &[&[u8]] = &[
    b"host", b"content-length", b"connection", b"accept-encoding", b"accept-language", b"accept-charset",
    b"te", b"trailer", b"transfer-encoding", b"upgrade-insecure-requests", b"dnt", b"sec-gpc", b"priority",
    b"pragma", b"cache-control", b"expect", b"max-forwards", b"range", b"save-data", b"device-memory",
    b"downlink", b"ect", b"rtt", b"viewport-width", b"width", b"early-data", b"traceparent", b"tracestate",
    b"x-request-id", b"x-correlation-id", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host",
    b"x-forwarded-port", b"x-real-ip", b"sec-fetch-site", b"sec-fetch-mode", b"sec-fetch-dest",
    b"sec-fetch-user", b"sec-ch-ua-mobile", b"idempotency-key", b"content-encoding", b"content-language",
    b"last-event-id", b"x-csrf-token", b"x-api-key", b"x-requested-with", b"sec-websocket-key",
    b"sec-websocket-version", b"sec-websocket-extensions", b"sec-websocket-protocol",
    b"access-control-request-method", b"access-control-request-headers",
];

/// Media types with their parameters.
#[rustfmt::skip]
const MEDIA: &[&[u8]] = &[
    b"accept", b"content-type", b"accept-patch",
];

/// A scheme and a token.
#[rustfmt::skip]
const CREDENTIALS: &[&[u8]] = &[
    b"authorization", b"proxy-authorization", b"x-authorization",
];

/// Entity tags and dates.
#[rustfmt::skip]
const VALIDATORS: &[&[u8]] = &[
    b"if-match", b"if-none-match", b"if-range", b"if-modified-since", b"if-unmodified-since", b"date",
    b"etag",
];

/// What browsers say about themselves.
#[rustfmt::skip]
const BRANDS: &[&[u8]] = &[
    b"sec-ch-ua", b"sec-ch-ua-full-version-list", b"sec-ch-ua-platform", b"sec-ch-ua-arch",
    b"sec-ch-ua-model", b"sec-ch-ua-bitness", b"sec-ch-ua-platform-version",
];

fn is_list_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b' ' | b'\t'
                | b','
                | b';'
                | b'='
                | b'.'
                | b':'
                | b'-'
                | b'_'
                | b'?'
                | b'*'
                | b'['
                | b']'
                | b'@'
                | b'/'
        )
}

fn is_media_byte(byte: u8) -> bool {
    is_list_byte(byte) || matches!(byte, b'+' | b'"')
}

fn is_credential_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}

fn is_validator_byte(byte: u8) -> bool {
    is_credential_byte(byte) || matches!(byte, b'"' | b',' | b':' | b'*')
}

/// `"Name";v="1", "Other Name";v="2"`: in quotes only letters, digits, blanks and the marks browsers put there.
fn is_brand_list(value: &[u8]) -> bool {
    value.iter().all(|byte| {
        byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b' ' | b'"'
                    | b';'
                    | b'='
                    | b','
                    | b'.'
                    | b'_'
                    | b'('
                    | b')'
                    | b':'
                    | b'?'
                    | b'/'
                    | b'-'
                    | b'@'
            )
    }) && value.split(|byte| *byte == b',').all(is_brand)
}

fn is_brand(brand: &[u8]) -> bool {
    let parts = brand.split(|byte| *byte == b'"').count();
    matches!(parts, 1 | 3 | 5)
        && brand.trim_ascii().first().is_none_or(|byte| *byte == b'"' || byte.is_ascii_digit())
}

fn inspect_cookies(inspection: &mut Inspection<'_>, value: &[u8]) {
    for pair in value.split(|byte| *byte == b';') {
        let pair = pair.trim_ascii();
        let equals = memchr::memchr(b'=', pair).unwrap_or(pair.len());
        let (name, value) = pair.split_at_checked(equals).unwrap_or((pair, b""));
        inspection.field(Place::Cookie, name, value.strip_prefix(b"=").unwrap_or(value));
    }
}

/// The address as a text without its query, and the query as pairs.
fn inspect_address(inspection: &mut Inspection<'_>, name: &[u8], value: &[u8]) {
    let mark = memchr::memchr(b'?', value).unwrap_or(value.len());
    let (address, query) = value.split_at_checked(mark).unwrap_or((value, b""));
    inspection.value(Place::Header, name, address);
    if let Some(query) = query.strip_prefix(b"?") {
        fields::inspect_header_query(inspection, name, query);
    }
}
