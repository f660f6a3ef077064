//! The configuration reference, written from every process's `default.toml`.

use std::fmt::Write;

use anyhow::{Context, Result};

use crate::tree::{Finding, Tree};

/// Where the reference stands.
pub(crate) const PATH: &str = "docs/production/configuration.md";

const PROCESSES: &[(&str, &str)] = &[
    ("gateway", "services/gateway/default.toml"),
    ("auth", "services/auth/default.toml"),
    ("web", "services/web/default.toml"),
    ("worker", "services/worker/default.toml"),
    ("mqtt-bridge", "services/mqtt-bridge/default.toml"),
    ("health", "services/health/default.toml"),
    ("youtility migrate", "crates/cli/default.toml"),
];

const PREFACE: &str = "\
# Configuration reference

Written by `cargo xtask docs` from each process's `default.toml`; change those, not this page.

A setting comes from `default.toml`, then from every `--config FILE`, then from the environment:
`YOUTILITY_SECTION__KEY`. `key_file = \"path\"` (or `YOUTILITY_SECTION__KEY_FILE`) reads a secret from a file. An unknown
key stops the start. Outside development so does a secret of ours that has fewer than 50 characters or 10 different ones, or
that contains a word such as `password` or `example`; passwords at a broker or mail relay may be shorter. `<process> config check`
reports every mistake at once; `<process> config print` shows what is in force, secrets masked.
";

/// Writes the reference.
pub(crate) fn write(tree: &Tree) -> Result<()> {
    let target = tree.root.join(PATH);
    std::fs::write(&target, text(tree)).with_context(|| format!("writing {PATH}"))
}

/// The reference is the one the defaults give.
pub(crate) fn is_current(tree: &Tree) -> Vec<Finding> {
    let Some(document) = tree.file(PATH) else {
        return vec![Finding {
            check: "docs",
            path: PATH.to_owned(),
            line: 0,
            what: "run `cargo xtask docs`".to_owned(),
        }];
    };
    if document.text == text(tree) {
        vec![]
    } else {
        vec![document.finding("docs", 0, "out of date; run `cargo xtask docs`")]
    }
}

fn text(tree: &Tree) -> String {
    PROCESSES.iter().fold(PREFACE.to_owned(), |mut page, (process, path)| {
        let defaults = tree.file(path).map_or("", |file| file.text.as_str());
        let rows = rows(defaults);
        write!(page, "\n## {process}\n\n| setting | default | meaning |\n|---|---|---|\n{rows}")
            .expect("writing to a string succeeds");
        page
    })
}

/// One table row a key: its section and name, its default, and the comment above it.
fn rows(defaults: &str) -> String {
    let mut section = "";
    let mut comment = String::new();
    let mut rows = String::new();
    for line in defaults.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_matches(['[', ']']);
            comment.clear();
        } else if let Some(words) = line.strip_prefix('#') {
            comment.push(' ');
            comment.push_str(words.trim());
        } else if let Some((key, value)) =
            line.split_once(" = ").filter(|(key, _)| !key.starts_with([' ', '"']))
        {
            let cell = |text: &str| text.trim().replace('|', "\\|");
            writeln!(rows, "| `{section}.{key}` | `{}` | {} |", cell(value), cell(&comment))
                .expect("writing to a string succeeds");
            comment.clear();
        } else if line.trim().is_empty() {
            comment.clear();
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_gets_its_section_its_default_and_the_comment_above_it() {
        let defaults = "# File.\n\n[http]\n# Where it\n# listens.\nbind = \"127.0.0.1:0\"\n";
        assert_eq!(rows(defaults), "| `http.bind` | `\"127.0.0.1:0\"` | Where it listens. |\n");
    }
}
