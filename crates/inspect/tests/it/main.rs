//! Attacks are caught wherever they stand, ordinary values pass, and no input does harm.

#![expect(clippy::tests_outside_test_module, reason = "an integration test is a test module")]

mod attacks;
mod bodies;
mod heads;
mod ordinary;
mod policies;
mod properties;

use inspect::{Action, Inspector, Policy, RequestParts, Verdict};

/// Every byte as `%` and two digits.
pub(crate) fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |encoded, byte| encoded + &format!("%{byte:02x}"))
}

/// A form with one field.
pub(crate) fn form(value: &str) -> String {
    format!("text={}", percent_encoded(value))
}

/// A JSON body with one text.
pub(crate) fn json(value: &str) -> String {
    serde_json::json!({ "text": value }).to_string()
}

/// Judges a body by the default policy.
pub(crate) fn judge_body(content_type: &str, body: &str) -> Verdict {
    let request = RequestParts {
        method: "POST",
        path: "/notes",
        content_type: Some(content_type),
        body: Some(body.as_bytes()),
        ..RequestParts::default()
    };
    Inspector::new(Policy::default()).inspect_body(&request)
}

/// Judges a value as a query parameter, a form field and a JSON text.
pub(crate) fn judge_everywhere(value: &str) -> [Verdict; 3] {
    let query = form(value);
    let request = RequestParts { method: "GET", path: "/", query: Some(&query), ..RequestParts::default() };
    [
        Inspector::new(Policy::default()).inspect_head(&request, []),
        judge_body("application/x-www-form-urlencoded", &form(value)),
        judge_body("application/json; charset=utf-8", &json(value)),
    ]
}

/// Says which of the values are treated otherwise than they should be.
pub(crate) fn exceptions(values: &[&str], wanted: Action) -> Vec<String> {
    let odd = |value: &&&str| judge_everywhere(value).iter().any(|verdict| verdict.action != wanted);
    values.iter().filter(odd).map(|value| format!("{value:?}: {:?}", judge_everywhere(value))).collect()
}
