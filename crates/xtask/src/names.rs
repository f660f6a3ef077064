//! Names that say nothing are refused.

use crate::tree::{Finding, Tree};

const EMPTY_NAMES: &[&str] =
    &["util", "utils", "helper", "helpers", "common", "misc", "models", "types", "dto"];
const EMPTY_SUFFIXES: &[&str] = &["Dto", "Model", "Entity", "Info", "Data", "Manager", "Helper", "Impl"];

/// No file is called `utils`.
pub(crate) fn files(tree: &Tree) -> Vec<Finding> {
    tree.production_rust()
        .filter(|file| {
            let stem = file.path.rsplit('/').next().and_then(|name| name.strip_suffix(".rs"));
            stem.is_some_and(|stem| EMPTY_NAMES.contains(&stem))
        })
        .map(|file| file.finding("names", 0, "name the file for what it holds"))
        .collect()
}

/// No type is called `SomethingManager`.
pub(crate) fn suffixes(tree: &Tree) -> Vec<Finding> {
    tree.production_rust()
        .flat_map(|file| {
            file.production_lines()
                .filter_map(|(number, line)| {
                    let name = declared_type(line)?;
                    let suffix = EMPTY_SUFFIXES.iter().find(|suffix| name.ends_with(**suffix))?;
                    Some(file.finding("names", number, format!("`{name}`: drop `{suffix}`, say what it is")))
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

fn declared_type(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = line.strip_prefix("pub(crate) ").or_else(|| line.strip_prefix("pub ")).unwrap_or(line);
    let rest = ["struct ", "enum ", "trait "].iter().find_map(|word| line.strip_prefix(word))?;
    rest.split(|character: char| !character.is_alphanumeric()).next()
}
