//! Fits a tree of values into the settings struct and collects everything that does not fit.

use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use toml::{Table, Value};

use super::Mistake;

/// After so many mistakes somebody gave the wrong file.
const MISTAKES_MAX: usize = 50;

/// Words of keys whose value is not repeated in a message.
const SECRET_WORDS: &[&str] = &["password", "secret", "key", "token"];

/// Deserializes; a value that does not fit is noted, replaced by its default, and the rest is tried again.
pub(super) fn fit<S: DeserializeOwned>(
    mut tree: Table,
    defaults: &Table,
    found: &mut Vec<Mistake>,
) -> Option<S> {
    for _ in 0..MISTAKES_MAX {
        let error = match serde_path_to_error::deserialize::<_, S>(Value::Table(tree.clone())) {
            Ok(settings) => return Some(settings),
            Err(error) => error,
        };
        let path: Vec<Segment> = error.path().iter().cloned().collect();
        found.push(Mistake { key: error.path().to_string(), what: describe(&path, error.inner()) });
        repair(&mut tree, defaults, &path)?;
    }
    None
}

fn describe(path: &[Segment], error: &toml::de::Error) -> String {
    let secret = matches!(path.last(), Some(Segment::Map { key }) if SECRET_WORDS.iter().any(|word| key.contains(word)));
    if secret && !error.message().starts_with("unknown field") {
        return "does not fit: a text is expected".to_owned();
    }
    error.message().trim().to_owned()
}

/// Replaces the value at a path by its default, or removes it when it has none or that is the default already.
fn repair(table: &mut Table, defaults: &Table, path: &[Segment]) -> Option<()> {
    let (Segment::Map { key }, rest) = path.split_first()? else { return None };
    let default = defaults.get(key);
    match (table.get_mut(key), rest) {
        (Some(Value::Table(inner)), [_, ..]) => {
            let none = Table::new();
            repair(inner, default.and_then(Value::as_table).unwrap_or(&none), rest)
        }
        (Some(Value::Array(items)), [Segment::Seq { index }, ..]) => {
            (*index < items.len()).then(|| drop(items.remove(*index)))
        }
        (Some(_), _) => replace(table, key, default),
        (None, _) => None,
    }
}

fn replace(table: &mut Table, key: &str, default: Option<&Value>) -> Option<()> {
    let current = table.get(key)?;
    match default {
        Some(default) if default != current => table.insert(key.to_owned(), default.clone()),
        Some(_) | None => table.remove(key),
    }
    .map(drop)
}
