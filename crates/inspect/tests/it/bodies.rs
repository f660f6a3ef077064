//! JSON, forms, multipart, text, and what is none of them.

use inspect::{Action, Class, Inspector, Place, Policy, RequestParts, Verdict};

use crate::judge_body;

const JSON: &str = "application/json";

fn rules(verdict: &Verdict) -> Vec<&'static str> {
    verdict.findings.iter().map(|finding| finding.rule).collect()
}

#[test]
fn a_finding_in_json_names_the_pointer() {
    let verdict = judge_body(JSON, r#"{"notes":[{"text":"ok"},{"te/xt":"' or 1=1--"}]}"#);
    assert_eq!(verdict.findings[0].location.to_string(), "json:/notes/1/te~1xt");
    assert_eq!(verdict.action, Action::Block);
}

#[test]
fn keys_are_looked_at_like_values() {
    for body in [r#"{"<script>":1}"#, r#"{"a":{"$where":"1"}}"#, r#"{"__proto__":{"admin":true}}"#] {
        assert_eq!(judge_body(JSON, body).action, Action::Block, "{body}");
    }
}

#[test]
fn escapes_of_json_hide_nothing() {
    for body in [r#"{"a":"\u0027 or 1=1--"}"#, r#"{"a":"\u003cscript\u003e"}"#, r#"{"\u003cscript\u003e":1}"#]
    {
        assert_eq!(judge_body(JSON, body).action, Action::Block, "{body}");
    }
}

#[test]
fn a_key_that_comes_twice_is_reported_and_passes() {
    let verdict = judge_body(JSON, r#"{"a":{"role":1,"role":2},"b":{"role":1}}"#);
    assert_eq!(rules(&verdict), ["json.duplicate-key"]);
    assert_eq!(verdict.findings[0].location.to_string(), "json:/a/role");
    assert_eq!(verdict.action, Action::Pass);
}

#[test]
fn what_is_no_json_is_malformed() {
    for body in [
        "{",
        "{'a':1}",
        "[1,]",
        "{\"a\":1,}",
        "nul",
        "01",
        "\"\\x41\"",
        "[1]]",
        "{\"a\":\"\u{1}\"}",
        "NaN",
        "\u{feff}[]",
        "{\"a\" 1}",
        "[\"\\ud800\"]",
        "// x\n1",
    ] {
        let verdict = judge_body(JSON, body);
        assert!(verdict.is_only_malformed(), "{body}: {verdict:?}");
    }
    let attack = judge_body(JSON, "{\"a\":\"<script>alert(1)</script>\"");
    assert_eq!(attack.action, Action::Block);
    assert!(!attack.is_only_malformed());
}

#[test]
fn json_in_another_encoding_than_utf_8_is_malformed() {
    let request =
        RequestParts { content_type: Some(JSON), body: Some(b"{\"a\":\"\xff\"}"), ..RequestParts::default() };
    let verdict = Inspector::new(Policy::default()).inspect_body(&request);
    assert!(verdict.is_only_malformed(), "{verdict:?}");
    let verdict = judge_body("application/json; charset=utf-16", "{}");
    assert_eq!(rules(&verdict), ["body.charset"]);
    assert!(verdict.is_only_malformed());
}

#[test]
fn json_nested_beyond_the_limit_is_refused_without_reading_on() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(judge_body(JSON, &nested(64)).action, Action::Pass);
    assert_eq!(rules(&judge_body(JSON, &nested(65))), ["json.depth"]);
    assert_eq!(rules(&judge_body(JSON, &"[".repeat(100_000))), ["json.depth"]);
}

#[test]
fn forms_are_read_field_by_field() {
    let verdict = judge_body("application/x-www-form-urlencoded", "a=b&c=d&note=1%27+or+%271%27%3d%271");
    assert_eq!(verdict.findings[0].location.to_string(), "form:note");
    let verdict = judge_body("Application/X-WWW-Form-Urlencoded; charset=UTF-8", "a=b&c&=d&&e=it%27s+100%");
    assert_eq!((verdict.action, verdict.findings.len()), (Action::Pass, 0));
}

fn multipart(parts: &str) -> Verdict {
    let body = parts.replace('\n', "\r\n");
    judge_body("multipart/form-data; boundary=\"xyz\"", &body)
}

#[test]
fn text_fields_and_file_names_of_multipart_are_looked_at_and_files_are_not() {
    let verdict = multipart(
        "--xyz\nContent-Disposition: form-data; name=\"note\"\n\nit's fine\n--xyz\n\
         Content-Disposition: form-data; name=\"f\"; filename=\"plan (1).pdf\"\n\
         Content-Type: application/pdf\n\n<script>' or 1=1--\n--xyz--\n",
    );
    assert_eq!((verdict.action, verdict.findings.len()), (Action::Pass, 0), "{verdict:?}");

    let verdict = multipart("--xyz\nContent-Disposition: form-data; name=\"note\"\n\n<script>\n--xyz--\n");
    assert_eq!(verdict.findings[0].location.to_string(), "multipart:note");
    assert_eq!(verdict.action, Action::Block);

    for name in ["../../x.php", "..\\\\..\\\\x", "x.png\\\" onerror=alert(1)", "/etc/passwd"] {
        let verdict = multipart(&format!(
            "--xyz\nContent-Disposition: form-data; name=\"f\"; filename=\"{name}\"\n\nx\n--xyz--\n"
        ));
        assert_eq!(verdict.action, Action::Block, "{name}");
        assert_eq!(verdict.findings[0].location.place, Place::FileName, "{name}");
    }
}

#[test]
fn broken_multipart_is_malformed() {
    for parts in [
        "",
        "--xyz\n",
        "--xyz--",
        "--abc\nContent-Disposition: form-data; name=\"a\"\n\nb\n--abc--\n",
        "--xyz\nContent-Disposition: form-data; name=\"a\"\n\nb",
        "--xyz\nContent-Disposition: form-data; name=\"a\"\n\nb\n--xyz",
        "--xyz\nContent-Disposition: form-data\n\nb\n--xyz--\n",
        "--xyz\nContent-Disposition: form-data; name=\"a\nb\n--xyz--\n",
        "--xyz\nContent-Type: text/plain\n\nb\n--xyz--\n",
        "--xyz\nContent-Disposition: form-data; name=\"a\"\nContent-Disposition: form-data; name=\"b\"\n\nb\n--xyz--\n",
    ] {
        let verdict = multipart(parts);
        let is_empty = parts.is_empty() || parts == "--xyz--";
        assert_eq!(verdict.is_only_malformed(), !is_empty, "{parts:?}: {verdict:?}");
    }
    let verdict = judge_body("multipart/form-data", "--x--");
    assert!(verdict.is_only_malformed());
    let lines = judge_body(
        "multipart/form-data; boundary=x",
        "--x\nContent-Disposition: form-data; name=a\n\nb\n--x--",
    );
    assert!(lines.is_only_malformed());
}

#[test]
fn text_is_one_value_and_pictures_are_none() {
    assert_eq!(judge_body("text/plain", "<script>").action, Action::Block);
    assert_eq!(
        judge_body("application/soap+xml", "<!ENTITY x SYSTEM 'file:///etc/passwd'>").action,
        Action::Block
    );
    assert_eq!(judge_body("", "1' or '1'='1").action, Action::Block);
    assert_eq!(judge_body("image/png", "<script>").action, Action::Pass);
    assert_eq!(judge_body("application/octet-stream", "1' or '1'='1").action, Action::Pass);
}

#[test]
fn signals_of_different_values_do_not_add_up() {
    let one = r#""SLEEP(5) in the code""#;
    let verdict = judge_body(JSON, &format!("[{one},{one},{one}]"));
    assert_eq!((verdict.action, verdict.score), (Action::Pass, 5), "{verdict:?}");
    assert!(verdict.findings.iter().all(|finding| finding.class == Class::SqlInjection));
}
