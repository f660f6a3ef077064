//! Settings from the environment.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::Mistake;

const PREFIX: &str = "YOUTILITY_";

/// Sections that several processes share. One environment may serve all of them, so a process passes over those it
/// does not have; in its own sections a misspelt key is a mistake.
const SHARED_SECTIONS: &[&str] = &["process", "http", "http_client", "trust", "database"];

/// What the environment sets.
pub(super) struct Overrides {
    tree: Table,
    paths: BTreeSet<Vec<String>>,
}

impl Overrides {
    /// Reads the variables that begin with `YOUTILITY_`; a value takes the type of its default.
    pub(super) fn read(
        defaults: &Table,
        env: impl IntoIterator<Item = (String, String)>,
        found: &mut Vec<Mistake>,
    ) -> Self {
        let mut overrides = Self { tree: Table::new(), paths: BTreeSet::new() };
        for (name, text) in env {
            let Some(path) = path_of(&name) else { continue };
            if is_foreign(&path, defaults) {
                continue;
            }
            match typed(&text, lookup(defaults, &path)) {
                Ok(value) => overrides.insert(path, value, found),
                Err(what) => {
                    found.push(Mistake { key: path.join("."), what: format!("{what} (from {name})") });
                }
            }
        }
        overrides
    }

    /// Whether the environment sets this very key.
    pub(super) fn sets(&self, path: &[String]) -> bool {
        self.paths.contains(path)
    }

    /// The same as a TOML document.
    pub(super) fn to_toml(&self) -> String {
        self.tree.to_string()
    }

    fn insert(&mut self, path: Vec<String>, value: Value, found: &mut Vec<Mistake>) {
        let Some((key, sections)) = path.split_last() else { return };
        let mut table = &mut self.tree;
        for section in sections {
            let entry = table.entry(section.clone()).or_insert_with(|| Value::Table(Table::new()));
            match entry {
                Value::Table(inner) => table = inner,
                Value::String(_)
                | Value::Integer(_)
                | Value::Float(_)
                | Value::Boolean(_)
                | Value::Datetime(_)
                | Value::Array(_) => {
                    found.push(Mistake {
                        key: path.join("."),
                        what: format!("`{section}` is set as a whole elsewhere"),
                    });
                    return;
                }
            }
        }
        table.insert(key.clone(), value);
        self.paths.insert(path);
    }
}

/// The value at a path of keys.
pub(super) fn lookup<'a>(tree: &'a Table, path: &[String]) -> Option<&'a Value> {
    let (key, sections) = path.split_last()?;
    let mut table = tree;
    for section in sections {
        table = table.get(section)?.as_table()?;
    }
    table.get(key)
}

fn path_of(name: &str) -> Option<Vec<String>> {
    let rest = name.strip_prefix(PREFIX)?;
    Some(rest.to_lowercase().split("__").map(str::to_owned).collect())
}

fn is_foreign(path: &[String], defaults: &Table) -> bool {
    path.first()
        .is_some_and(|section| SHARED_SECTIONS.contains(&section.as_str()) && !defaults.contains_key(section))
}

/// Reads a text as the type of the default; lists are TOML or separated by commas, tables are TOML.
fn typed(text: &str, default: Option<&Value>) -> Result<Value, &'static str> {
    match default {
        Some(Value::String(_) | Value::Datetime(_)) => Ok(Value::String(text.to_owned())),
        Some(Value::Integer(_)) => {
            text.parse().map(Value::Integer).map_err(|_reason| "is not a whole number")
        }
        Some(Value::Float(_)) => text.parse().map(Value::Float).map_err(|_reason| "is not a number"),
        Some(Value::Boolean(_)) => {
            text.parse().map(Value::Boolean).map_err(|_reason| "is neither true nor false")
        }
        Some(Value::Array(_)) => list(text),
        Some(Value::Table(_)) => toml_value(text).ok_or("is not a TOML table"),
        None => Ok(guessed(text)),
    }
}

fn list(text: &str) -> Result<Value, &'static str> {
    let text = text.trim();
    if text.starts_with('[') {
        return toml_value(text).ok_or("is not a TOML list");
    }
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    Ok(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
}

/// A key without default stands in a map or is misspelt: numbers and booleans are taken as such.
fn guessed(text: &str) -> Value {
    let number = text.parse().map(Value::Integer);
    number.or_else(|_| text.parse().map(Value::Boolean)).unwrap_or_else(|_| Value::String(text.to_owned()))
}

fn toml_value(text: &str) -> Option<Value> {
    format!("value = {text}").parse::<Table>().ok()?.remove("value")
}
