//! Documents, templates, migrations and what else is not Rust.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::tree::{File, Finding, Tree};

const BYTES_MAX: u64 = 1_000_000;

/// Templates keep the content security policy: no inline script, style or handler.
pub(crate) fn templates(tree: &Tree) -> Vec<Finding> {
    let refused = [
        "style=\"",
        "javascript:",
        "hx-on",
        "hx-vals=\"js:",
        "<script>",
        "onclick=",
        "onload=",
        "onchange=",
        "onsubmit=",
    ];
    tree.files
        .iter()
        .filter(|file| file.path.starts_with("services/web/templates/"))
        .flat_map(|file| {
            file.text
                .lines()
                .enumerate()
                .filter_map(|(index, line)| {
                    let word = refused.iter().find(|word| line.contains(**word))?;
                    Some(file.finding(
                        "templates",
                        index + 1,
                        format!("`{word}` breaks the content security policy"),
                    ))
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Every problem code in the code is described in docs/problems.md, and the other way round.
pub(crate) fn problem_codes(tree: &Tree) -> Vec<Finding> {
    let Some(document) = tree.file("docs/problems.md") else {
        return vec![];
    };
    let described: BTreeSet<&str> = document
        .text
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(|title| title.trim_matches('`'))
        .collect();
    let mut used = BTreeSet::new();
    for file in tree.production_rust().filter(|file| !file.path.starts_with("crates/xtask/")) {
        used.extend(codes_of(file));
    }
    let missing = used.iter().filter(|code| !described.contains(code.as_str())).map(|code| {
        document.finding("problems", 0, format!("`{code}` is answered somewhere but has no section"))
    });
    let idle = described
        .iter()
        .filter(|code| !used.contains(**code))
        .map(|code| document.finding("problems", 0, format!("nothing answers `{code}`: remove the section")));
    missing.chain(idle).collect()
}

/// The codes a file answers with: literals in the body of a method `fn code(`, and those marked `code:`.
fn codes_of(file: &File) -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    let mut inside = false;
    for (_, line) in file.production_lines() {
        inside = (inside && line != "    }") || line.contains("fn code(");
        if inside || line.contains("code: \"") || line.contains("code(\"") {
            codes.extend(line.split('"').skip(1).step_by(2).filter(|text| is_code(text)).map(str::to_owned));
        }
    }
    codes
}

fn is_code(text: &str) -> bool {
    text.len() >= 4
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-')
}

/// Migrations are numbered without gaps and say why they exist.
pub(crate) fn migrations(tree: &Tree) -> Vec<Finding> {
    let mut files: Vec<&File> =
        tree.files.iter().filter(|file| file.path.starts_with("migrations/V")).collect();
    files.sort_by(|left, right| left.path.cmp(&right.path));
    let mut findings = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let wanted = format!("migrations/V{:04}__", index + 1);
        if !file.path.starts_with(&wanted) {
            findings.push(file.finding("migrations", 0, format!("expected {wanted}…: numbers have no gaps")));
        }
        if !file.text.starts_with("-- Why: ") {
            findings.push(file.finding("migrations", 1, "begin with `-- Why: `, then kind and locks"));
        }
    }
    findings
}

/// Links between documents lead somewhere.
pub(crate) fn links(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.has_extension("md")) {
        let folder = tree.root.join(&file.path).parent().map_or_else(|| tree.root.clone(), PathBuf::from);
        for (index, line) in file.text.lines().enumerate() {
            for target in line.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
                let local = !target.is_empty() && !target.contains("://");
                if local && !folder.join(target).exists() {
                    findings.push(file.finding("links", index + 1, format!("`{target}` is not there")));
                }
            }
        }
    }
    findings
}

/// Documents state what is, not what was or will be.
pub(crate) fn history(tree: &Tree) -> Vec<Finding> {
    let words = ["no longer", "previously", "as requested", "in a later", "TODO", "FIXME"];
    tree.files
        .iter()
        .filter(|file| file.has_extension("md") || file.has_extension("sql") || file.has_extension("toml"))
        .flat_map(|file| {
            file.text
                .lines()
                .enumerate()
                .filter_map(|(index, line)| {
                    let word = words.iter().find(|word| line.contains(**word))?;
                    Some(file.finding("history", index + 1, format!("`{word}` tells history or plans")))
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Nothing large is committed.
pub(crate) fn large_files(tree: &Tree) -> Vec<Finding> {
    tree.files
        .iter()
        .filter(|file| file.bytes > BYTES_MAX)
        .map(|file| file.finding("large", 0, format!("{} bytes; make it at build time", file.bytes)))
        .collect()
}
