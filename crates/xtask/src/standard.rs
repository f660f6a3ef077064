//! docs/security/asvs.md names every requirement of its selection, and only tests that exist.

use std::collections::BTreeMap;

use crate::tree::{File, Finding, Tree};

const PATH: &str = "docs/security/asvs.md";

/// The requirements of levels 1 and 2 that the document is about, by chapter. Facts of the standard, no text of it.
const SELECTION: &[(&str, &[&str])] = &[
    ("V1", &["3.3", "5.1"]),
    ("V2", &["2.1", "2.2", "4.1"]),
    (
        "V3",
        &[
            "2.1", "3.1", "3.2", "3.3", "3.4", "4.1", "4.2", "4.3", "4.4", "4.5", "4.6", "5.1", "5.2", "5.3",
            "7.2",
        ],
    ),
    ("V4", &["1.1", "1.2", "1.3", "2.1", "3.1", "3.2", "4.2"]),
    ("V5", &["2.1", "2.2", "2.3", "3.1", "3.2", "4.1", "4.2"]),
    (
        "V6",
        &[
            "1.1", "2.1", "2.4", "2.6", "2.7", "2.8", "2.9", "2.10", "2.12", "3.1", "3.3", "4.1", "4.3",
            "5.1", "5.2", "5.5", "6.3",
        ],
    ),
    (
        "V7",
        &["2.1", "2.2", "2.3", "2.4", "3.1", "3.2", "4.1", "4.2", "4.3", "4.5", "5.1", "5.2", "6.1", "6.2"],
    ),
    ("V8", &["2.1", "2.2", "4.1"]),
    ("V9", &["1.1", "1.2", "1.3", "2.1", "2.2", "2.3", "2.4"]),
    ("V10", &["2.1", "2.2", "4.1", "4.2", "4.3", "4.5", "4.6", "5.1", "5.2", "5.3", "5.4", "5.5"]),
    ("V11", &["4.2", "4.3"]),
    ("V13", &["4.1", "4.2", "4.4", "4.5"]),
    ("V14", &["2.1", "2.4"]),
    ("V15", &["2.2"]),
    ("V16", &["2.1", "2.2", "2.4", "2.5", "3.1", "3.2", "3.3", "3.4", "4.1", "4.2", "5.1", "5.2", "5.3"]),
];

/// Every requirement has a row with a test that exists, or with the reason why it does not apply.
pub(crate) fn requirements(tree: &Tree) -> Vec<Finding> {
    let Some(document) = tree.file(PATH) else {
        return vec![];
    };
    let rows: BTreeMap<&str, (usize, &str)> = document
        .text
        .lines()
        .enumerate()
        .filter_map(|(index, line)| Some((number_of(line)?, (index + 1, line))))
        .collect();
    let wanted = SELECTION
        .iter()
        .flat_map(|(chapter, numbers)| numbers.iter().map(move |number| format!("{chapter}.{number}")));
    let missing = wanted
        .filter(|number| !rows.contains_key(number.as_str()))
        .map(|number| document.finding("standard", 0, format!("{number} has no row")));
    let rows = rows.values().flat_map(|(line, row)| row_findings(tree, document, *line, row));
    missing.chain(rows).collect()
}

/// The requirement a row of the table is about.
fn number_of(line: &str) -> Option<&str> {
    let number = line.strip_prefix("| V")?.split(' ').next()?;
    let begins_with_digit = number.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
    begins_with_digit.then(|| line.get(2..3 + number.len())).flatten()
}

fn row_findings(tree: &Tree, document: &File, line: usize, row: &str) -> Vec<Finding> {
    let named: Vec<&str> = row.split('`').skip(1).step_by(2).filter(|span| is_test(span)).collect();
    let idle = named.is_empty() && !row.contains("does not apply");
    let idle = idle.then(|| document.finding("standard", line, "name a test, or say why it does not apply"));
    let unknown = named
        .into_iter()
        .filter(|name| !exists(tree, name))
        .map(|name| document.finding("standard", line, format!("`{name}` is no test")));
    idle.into_iter().chain(unknown).collect()
}

/// Whether a code span names a test: `crate::module::fact` or `journeys/file: title`.
fn is_test(span: &str) -> bool {
    span.starts_with("journeys/") || span.split("::").count() > 2
}

fn exists(tree: &Tree, name: &str) -> bool {
    if let Some((file, title)) = name.strip_prefix("journeys/").and_then(|rest| rest.split_once(": ")) {
        let path = format!("services/gateway/journeys/{file}.spec.mjs");
        return tree.file(&path).is_some_and(|file| file.text.contains(&format!("test(\"{title}\"")));
    }
    let parts: Vec<&str> = name.split("::").collect();
    let [owner, modules @ .., fact] = parts.as_slice() else {
        return false;
    };
    let module = modules.join("/");
    let function = format!("fn {fact}(");
    ["services", "crates"]
        .iter()
        .flat_map(|root| ["tests/it", "src"].map(|folder| format!("{root}/{owner}/{folder}/{module}.rs")))
        .filter_map(|path| tree.file(&path))
        .any(|file| file.text.lines().any(|line| line.contains(&function) && is_after_test(file, line)))
}

/// Whether a test attribute stands right above a function.
fn is_after_test(file: &File, function: &str) -> bool {
    let mut above = "";
    for line in file.text.lines() {
        if line == function {
            return above.contains("#[test]")
                || above.contains("#[tokio::test")
                || above.contains("#[actix_web::test")
                || above.contains("reason =");
        }
        above = line.trim();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_known_by_its_number() {
        assert_eq!(number_of("| V6.2.10 | 2 | passwords | nothing | `a::b::c` |"), Some("V6.2.10"));
        assert_eq!(number_of("| number | level |"), None);
        assert_eq!(number_of("| Very | 2 |"), None);
    }

    #[test]
    fn spans_that_name_tests_are_told_from_code() {
        assert!(is_test("auth::sign_in::a_fact") && is_test("journeys/account: a title"));
        for code in ["nosniff", "DELETE /api/v1/users/{id}", "x-youtility-*", "sessions.idle_seconds"] {
            assert!(!is_test(code), "{code}");
        }
    }
}
