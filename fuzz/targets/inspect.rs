//! Any bytes as a request: nothing panics, two looks agree, and the work stays linear.
//!
//! The first byte chooses the content type; byte 0x1f separates path, query, header name, header value and body.

#![no_main]

use inspect::{Inspector, Policy, RequestParts};
use libfuzzer_sys::fuzz_target;

const TYPES: [Option<&str>; 7] = [
    None,
    Some("application/json"),
    Some("application/x-www-form-urlencoded"),
    Some("multipart/form-data; boundary=b"),
    Some("text/plain"),
    Some("application/xml; charset=utf-16"),
    Some("image/png"),
];

/// Bytes that all stages together may read for each byte of the request.
const WORK_PER_BYTE_MAX: u64 = 150;

fuzz_target!(|data: &[u8]| {
    let Some((kind, rest)) = data.split_first() else {
        return;
    };
    let mut pieces = rest.splitn(5, |byte| *byte == 0x1f);
    let mut text = || String::from_utf8_lossy(pieces.next().unwrap_or(b"")).into_owned();
    let (path, query, name, value) = (text(), text(), text(), text());
    let body = pieces.next();
    let request = RequestParts {
        method: "POST",
        path: &path,
        query: Some(&query),
        content_type: TYPES[usize::from(*kind) % TYPES.len()],
        body,
    };
    let headers = [(name.as_str(), value.as_bytes()), ("cookie", value.as_bytes())];
    let inspector = Inspector::new(Policy::default());
    let verdict = inspector.inspect(&request, headers);
    assert_eq!(verdict, inspector.inspect(&request, headers));
    let bytes = path.len() + query.len() + 2 * (name.len() + value.len()) + body.map_or(0, <[u8]>::len) + 64;
    assert!(verdict.work <= WORK_PER_BYTE_MAX * bytes as u64, "{} for {bytes}", verdict.work);
    for finding in &verdict.findings {
        assert!(finding.excerpt.len() <= 4 * 64 + 3 && finding.excerpt.is_ascii());
        assert!(finding.location.name.is_ascii() && !finding.location.name.contains(['\n', '\r', '\0']));
    }
    let _refusals = (
        inspect::path::check_target(&path, Some(&query), 8192),
        inspect::header::check_name(name.as_bytes()),
        inspect::header::check_value(value.as_bytes()),
        inspect::header::check_host([value.as_bytes()]),
    );
});
