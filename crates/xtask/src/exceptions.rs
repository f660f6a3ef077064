//! Findings that stand, each with a reason.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::tree::{Finding, Tree};

const LIST: &str = "crates/xtask/exceptions.toml";

#[derive(Deserialize)]
#[serde(transparent)]
struct Exceptions {
    /// Check to path to reason.
    by_check: BTreeMap<String, BTreeMap<String, String>>,
}

/// Drops the findings that stand, and reports exceptions nobody needs.
pub(crate) fn apply(tree: &Tree, found: &[Finding]) -> Result<Vec<Finding>> {
    let list = tree.file(LIST).context("crates/xtask/exceptions.toml is missing")?;
    let exceptions: Exceptions = toml::from_str(&list.text).context("reading exceptions.toml")?;
    let stands = |finding: &Finding| {
        exceptions.by_check.get(finding.check).is_some_and(|paths| paths.contains_key(&finding.path))
    };
    let mut rest: Vec<Finding> = found.iter().filter(|finding| !stands(finding)).cloned().collect();
    for (check, paths) in &exceptions.by_check {
        for path in paths.keys() {
            if !found.iter().any(|finding| finding.check == check && finding.path == *path) {
                rest.push(list.finding(
                    "exceptions",
                    0,
                    format!("nothing is wrong with {path} in {check}: remove it"),
                ));
            }
        }
    }
    Ok(rest)
}
