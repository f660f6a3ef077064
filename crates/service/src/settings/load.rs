//! Layers: defaults, files, environment.

use std::path::{Path, PathBuf};

use config::{Config, File, FileFormat};

use super::environment::Overrides;
use super::{Environment, Mistake, Mistakes, Settings, fit, secret_files};
use crate::About;

/// Loads a process's settings: `default.toml` < `files` in their order < `env` (`YOUTILITY_SECTION__KEY`).
///
/// # Errors
/// Every mistake at once: unknown keys, values that do not fit, unreadable files, and what [`Settings::check`] finds.
pub fn load_settings<S: Settings>(
    about: &About,
    files: &[PathBuf],
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<S, Mistakes> {
    let mut found = Vec::new();
    let defaults = parse_defaults(about, &mut found);
    let overrides = Overrides::read(&defaults, env, &mut found);
    let mut tree = layer(about, files, &overrides, &mut found);
    secret_files::resolve(&mut tree, &defaults, &overrides, &mut found);
    let settings = fit::fit::<S>(tree, &defaults, &mut found);
    let environment =
        settings.as_ref().map_or(Environment::Production, |settings| settings.process().environment);
    let mut mistakes = Mistakes::new(environment);
    for Mistake { key, what } in found {
        mistakes.add(key, what);
    }
    let Some(settings) = settings else {
        return Err(mistakes);
    };
    settings.process().check(&mut mistakes);
    settings.check(&mut mistakes);
    if mistakes.is_empty() { Ok(settings) } else { Err(mistakes) }
}

fn parse_defaults(about: &About, found: &mut Vec<Mistake>) -> toml::Table {
    match about.defaults.parse() {
        Ok(defaults) => defaults,
        Err(error) => {
            found.push(Mistake { key: "default.toml".to_owned(), what: toml::de::Error::to_string(&error) });
            toml::Table::new()
        }
    }
}

/// Lays the readable layers over each other; those that cannot be read are mistakes.
fn layer(about: &About, files: &[PathBuf], overrides: &Overrides, found: &mut Vec<Mistake>) -> toml::Table {
    let mut layers = Config::builder().add_source(File::from_str(about.defaults, FileFormat::Toml));
    for path in files {
        match Config::builder().add_source(source(path)).build() {
            Ok(_) => layers = layers.add_source(source(path)),
            Err(error) => found.push(Mistake { key: path.display().to_string(), what: error.to_string() }),
        }
    }
    layers
        .add_source(File::from_str(&overrides.to_toml(), FileFormat::Toml))
        .build()
        .and_then(Config::try_deserialize)
        .unwrap_or_else(|error| {
            found.push(Mistake { key: "settings".to_owned(), what: error.to_string() });
            toml::Table::new()
        })
}

fn source(path: &Path) -> File<config::FileSourceFile, FileFormat> {
    File::from(path).format(FileFormat::Toml)
}
