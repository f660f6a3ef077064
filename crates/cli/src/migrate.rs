//! `youtility migrate`: what the migration Job runs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use service::{Mistakes, ProcessSettings, Settings};
use store::DatabaseSettings;

use crate::args::{HOME_VARIABLE, MigrateOptions};
use crate::keys::ROLES;
use crate::say;

/// How the roles get their passwords.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleSettings {
    /// Folder with one file a role; empty gives none a password.
    passwords_folder: PathBuf,
}

/// Settings of the migration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MigrateSettings {
    /// Environment and logging.
    process: ProcessSettings,
    /// The database, as its owner.
    pub(crate) database: DatabaseSettings,
    /// Passwords of the roles.
    roles: RoleSettings,
}

impl Settings for MigrateSettings {
    fn process(&self) -> &ProcessSettings {
        &self.process
    }

    fn check(&self, mistakes: &mut Mistakes) {
        mistakes.secret("database.password", &self.database.password);
    }
}

impl MigrateSettings {
    /// Reads files and environment over the defaults.
    pub(crate) fn load(files: &[PathBuf]) -> Result<Self> {
        // The home is an argument that may stand in the environment, and no setting.
        let env = std::env::vars().filter(|(key, _)| key != HOME_VARIABLE);
        service::load_settings(&service::about!(), files, env).context("reading the settings")
    }
}

/// Brings the schema up to date, or only creates the roles.
pub(crate) async fn run(options: &MigrateOptions) -> Result<()> {
    let settings = MigrateSettings::load(&options.config)?;
    if options.roles {
        return create_roles(&settings).await;
    }
    let report = store::migrate(&settings.database).await.context("migrating the database")?;
    say::done(&format!(
        "the schema is at version {}; {} migrations were applied",
        report.version,
        report.applied.len()
    ));
    Ok(())
}

async fn create_roles(settings: &MigrateSettings) -> Result<()> {
    let folder = &settings.roles.passwords_folder;
    let passwords = if folder.as_os_str().is_empty() { vec![] } else { read_passwords(folder)? };
    let passwords: Vec<(&str, &str)> =
        passwords.iter().map(|(role, password)| (*role, password.as_str())).collect();
    store::bootstrap(&settings.database, &passwords).await.context("creating the database roles")?;
    say::done(&format!("the database roles exist; {} have a password", passwords.len()));
    Ok(())
}

/// One file a role: `database-web` holds the password of `youtility_web`.
fn read_passwords(folder: &Path) -> Result<Vec<(&'static str, String)>> {
    ROLES
        .iter()
        .map(|role| {
            let file = folder.join(role.replace("youtility_", "database-"));
            let password =
                std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
            Ok((*role, password.trim().to_owned()))
        })
        .collect()
}
