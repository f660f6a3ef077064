//! `key_file` beside `key`: the value stands in a file.

use toml::{Table, Value};

use super::Mistake;
use super::environment::Overrides;

const SUFFIX: &str = "_file";

/// Replaces every `key_file`, where `key` is a documented text, by `key` with the file's trimmed content.
pub(super) fn resolve(tree: &mut Table, defaults: &Table, overrides: &Overrides, found: &mut Vec<Mistake>) {
    resolve_table(tree, defaults, &mut Walk { overrides, path: Vec::new(), found });
}

/// Where the walk stands.
struct Walk<'a> {
    overrides: &'a Overrides,
    path: Vec<String>,
    found: &'a mut Vec<Mistake>,
}

impl Walk<'_> {
    fn at(&self, key: &str) -> Vec<String> {
        self.path.iter().cloned().chain([key.to_owned()]).collect()
    }
}

fn resolve_table(tree: &mut Table, defaults: &Table, walk: &mut Walk<'_>) {
    for (key, default) in defaults {
        let (Value::Table(default), Some(Value::Table(inner))) = (default, tree.get_mut(key)) else {
            continue;
        };
        walk.path.push(key.clone());
        resolve_table(inner, default, walk);
        walk.path.pop();
    }
    let documented = defaults.iter().filter(|(_, default)| default.is_str()).map(|(key, _)| key);
    for key in documented {
        resolve_key(tree, key, defaults, walk);
    }
}

fn resolve_key(tree: &mut Table, key: &str, defaults: &Table, walk: &mut Walk<'_>) {
    let file_key = format!("{key}{SUFFIX}");
    if defaults.contains_key(&file_key) {
        return;
    }
    let Some(named) = tree.remove(&file_key) else { return };
    let by_environment = walk.overrides.sets(&walk.at(key)) && !walk.overrides.sets(&walk.at(&file_key));
    if by_environment || named.as_str() == Some("") {
        return;
    }
    let Some(path) = named.as_str() else {
        walk.found.push(Mistake {
            key: walk.at(&file_key).join("."),
            what: "is not the path of a file".to_owned(),
        });
        return;
    };
    match std::fs::read_to_string(path) {
        Ok(text) => {
            tree.insert(key.to_owned(), Value::String(text.trim().to_owned()));
        }
        Err(error) => {
            let what = format!("cannot read {path}: {error}");
            walk.found.push(Mistake { key: walk.at(&file_key).join("."), what });
        }
    }
}
