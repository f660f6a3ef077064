//! Directions between crates, and what every crate has.

use std::collections::BTreeSet;

use crate::tree::{File, Finding, Tree};

/// Which of our crates each may use; `testkit` and itself only in tests.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("api", &["domain"]),
    ("queue", &[]),
    ("inspect", &[]),
    ("local", &[]),
    ("store", &["domain", "queue"]),
    ("app", &["domain", "queue", "store"]),
    ("service", &["api", "domain"]),
    ("testkit", &["api", "app", "domain", "local", "queue", "service", "store"]),
    ("cli", &["api", "app", "domain", "local", "queue", "service", "store"]),
    ("xtask", &[]),
    ("gateway", &["api", "domain", "inspect", "service"]),
    ("auth", &["api", "app", "domain", "service", "store"]),
    ("web", &["api", "app", "domain", "service", "store"]),
    ("worker", &["api", "app", "domain", "queue", "service", "store"]),
    ("mqtt-bridge", &["api", "app", "domain", "queue", "service", "store"]),
    ("health", &["api", "domain", "queue", "service"]),
];

/// Foreign crates that only these of ours may use.
const RESERVED: &[(&str, &[&str])] = &[
    ("rumqttc", &["mqtt-bridge", "cli"]),
    ("lettre", &["worker"]),
    ("askama", &["web", "worker"]),
    ("actix-web", &["service", "gateway", "auth", "web", "health"]),
    ("refinery", &["store"]),
];

fn is_manifest(file: &File) -> bool {
    file.path.ends_with("/Cargo.toml")
        && (file.path.starts_with("crates/") || file.path.starts_with("services/"))
}

fn crate_name(file: &File) -> &str {
    file.path.rsplit('/').nth(1).unwrap_or(&file.path)
}

fn dependency_names(manifest: &toml::Table, section: &str) -> BTreeSet<String> {
    manifest
        .get(section)
        .and_then(toml::Value::as_table)
        .map_or_else(BTreeSet::new, |table| table.keys().cloned().collect())
}

/// Crates use each other only in the directions of docs/ARCHITECTURE.md.
pub(crate) fn directions(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| is_manifest(file)) {
        let name = crate_name(file);
        let Ok(manifest) = file.text.parse::<toml::Table>() else {
            findings.push(file.finding("directions", 0, "not readable as TOML"));
            continue;
        };
        let Some((_, allowed)) = MAY_USE.iter().find(|(known, _)| *known == name) else {
            findings.push(file.finding("directions", 0, "a new crate: say in xtask what it may use"));
            continue;
        };
        for used in dependency_names(&manifest, "dependencies") {
            let ours = MAY_USE.iter().any(|(known, _)| *known == used);
            if ours && !allowed.contains(&used.as_str()) {
                findings.push(file.finding("directions", 0, format!("{name} may not use {used}")));
            }
            let reserved = RESERVED.iter().find(|(foreign, _)| *foreign == used);
            if reserved.is_some_and(|(_, owners)| !owners.contains(&name)) {
                findings.push(file.finding("directions", 0, format!("{used} is not for {name}")));
            }
        }
    }
    findings
}

/// Every crate has a README that is its documentation, and the workspace's lints and versions.
pub(crate) fn furniture(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| is_manifest(file)) {
        let folder = file.path.trim_end_matches("Cargo.toml");
        if tree.file(&format!("{folder}README.md")).is_none() {
            findings.push(file.finding("furniture", 0, "no README.md beside it"));
        }
        if !file.text.contains("[lints]\nworkspace = true") {
            findings.push(file.finding("furniture", 0, "add `[lints] workspace = true`"));
        }
        for (index, line) in file.text.lines().enumerate() {
            let pinned_here = line.contains("version = \"") || line.contains(" = \"");
            let metadata = ["name", "description", "path", "build", "harness", "[["]
                .iter()
                .any(|key| line.starts_with(key));
            if pinned_here && !metadata && !line.contains("workspace = true") {
                findings.push(file.finding(
                    "furniture",
                    index + 1,
                    "versions stand in the root Cargo.toml only",
                ));
            }
        }
    }
    findings
}
