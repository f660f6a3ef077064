//! What holds for any input: no panic, the same verdict twice, linear work, findings fit for logs.

use inspect::{Action, FINDINGS_MAX, Inspector, Limits, Policy, RequestParts, Verdict};
use proptest::prelude::*;

const TYPES: [Option<&str>; 6] = [
    None,
    Some("application/json"),
    Some("application/x-www-form-urlencoded"),
    Some("multipart/form-data; boundary=b"),
    Some("text/plain"),
    Some("text/plain; charset=latin1"),
];

/// Pieces of attacks and of formats: their mixtures reach further into the detectors than random bytes.
const PIECES: &[&[u8]] = &[
    b"' or 1=1--",
    b"\" or \"a\"=\"a",
    b"union/**/select",
    b"/*!50000",
    b"*/",
    b"<script",
    b"<svg onload=",
    b"javascript:",
    b"&#x3c;",
    b"&lt",
    b"%253c",
    b"%u003c",
    b"\\u003c",
    b"\\u{",
    b"\\x",
    b"{{",
    b"${jndi:",
    b"$(",
    b"`id`",
    b"../",
    b"\\\\",
    b"\xc0\xbc",
    b"\xe0\x80",
    b"\xef\xbc\x9c",
    b"\0",
    b"\r\n--b\r\n",
    b"--b--",
    b"Content-Disposition: form-data; name=\"",
    b"filename=\"",
    b"\r\n\r\n",
    b"{\"a\":",
    b"[",
    b"]",
    b"}",
    b",",
    b"\"",
    b"'",
    b"#",
    b"--",
    b";",
    b"=",
    b"&",
    b"(",
    b")",
    b"select",
    b"from",
    b" and ",
    b"SLEEP(",
    b"0x41424344",
    b"1e9",
    b"@@",
    b"on",
    b"style=",
    b"\xff",
    b"\xf0\x9f\x98\x80",
];

fn mixture() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        3 => proptest::sample::select(PIECES).prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(any::<u8>(), 0..8),
        1 => "[ -~]{0,12}".prop_map(String::into_bytes),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn judge(content_type: Option<&str>, body: &[u8]) -> Verdict {
    let text = String::from_utf8_lossy(body);
    let request =
        RequestParts { method: "POST", path: &text, query: Some(&text), content_type, body: Some(body) };
    Inspector::new(Policy::default())
        .inspect(&request, [("x-own", body), ("cookie", body), ("referer", body)])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_judged_twice_alike_and_leave_findings_fit_for_logs(
        kind in 0..TYPES.len(),
        bytes in prop_oneof![mixture(), proptest::collection::vec(any::<u8>(), 0..300)],
    ) {
        let verdict = judge(TYPES[kind], &bytes);
        prop_assert_eq!(&verdict, &judge(TYPES[kind], &bytes));
        prop_assert!(verdict.findings.len() <= FINDINGS_MAX);
        for finding in &verdict.findings {
            let texts = [&finding.excerpt, &finding.location.name];
            prop_assert!(texts.iter().all(|text| text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())));
            prop_assert!(texts.iter().all(|text| text.len() <= 4 * 64 + 3));
        }
    }

    #[test]
    fn encoding_an_attack_once_more_does_not_hide_it(
        attack in proptest::sample::select(&["' or 1=1--", "<script>alert(1)</script>", "5 union select 1,2,3"][..]),
        layers in 0_usize..3,
    ) {
        let encode = |text: String| crate::percent_encoded(&text);
        let value = (0..layers).fold(attack.to_owned(), |text, _| encode(text));
        let body = serde_json::json!([value]).to_string();
        prop_assert_eq!(judge(TYPES[1], body.as_bytes()).action, Action::Block);
    }

    #[test]
    fn letters_digits_and_blanks_in_any_script_pass(text in "[\\p{L}\\p{N} ,.?!]{0,200}") {
        let body = serde_json::json!({ "text": text }).to_string();
        let request = RequestParts { content_type: TYPES[1], body: Some(body.as_bytes()), ..RequestParts::default() };
        let verdict = Inspector::new(Policy::default()).inspect_body(&request);
        prop_assert_eq!(verdict.action, Action::Pass, "{:?}", verdict);
    }
}

/// The work for a body of about `bytes` made of one unit again and again.
fn work(content_type: &str, unit: &str, bytes: usize) -> u64 {
    let limits = Limits {
        value_bytes_max: bytes * 2,
        request_bytes_max: bytes * 4,
        fields_max: bytes,
        ..Limits::default()
    };
    let body = unit.repeat(bytes / unit.len());
    let request = RequestParts {
        content_type: Some(content_type),
        body: Some(body.as_bytes()),
        ..RequestParts::default()
    };
    Inspector::new(Policy { limits, ..Policy::default() }).inspect_body(&request).work
}

#[test]
fn twice_the_input_is_at_most_twice_the_work() {
    let units = [
        "'",
        "\"",
        "' or ",
        "/*",
        "/*!",
        "*/",
        "--",
        "-- \n",
        "<",
        "<a ",
        "<a \"",
        "<a b='",
        "<!--",
        "</",
        "< ",
        "on=",
        "%25",
        "%2525252525",
        "&#",
        "&#x3c;",
        "&amp;",
        "\\u003c",
        "\\",
        "(select ",
        "union select ",
        "select(from ",
        "{{",
        "${",
        "${${",
        "../",
        "..\\",
        ";cat ",
        "`",
        "$(",
        "javascript:",
        "j a v a",
        "a=b&",
        "'\"`",
        "\u{ff1c}",
        "\u{e9}",
        "[]",
        "![]",
        "case when ",
        "if(1,",
        "0x41414141",
        "1e9e9",
        "@@",
        "\n",
        "\r\n\r\n",
        "__proto__.",
        "style=",
        "alert(",
        "data:",
        "match ",
        "using(",
    ];
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
    {
        for unit in units {
            let (small, large) = (work(content_type, unit, 1024), work(content_type, unit, 8 * 1024));
            assert!(large <= small * 8 + small / 2 + 1024, "{content_type} {unit:?}: {small} -> {large}");
            assert!(large <= 8 * 1024 * 80, "{content_type} {unit:?}: {large}");
        }
    }
}
