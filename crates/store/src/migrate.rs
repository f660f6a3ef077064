//! Migrations: embedded in the binary, run by one process at a time, forward only.

use std::time::{Duration, Instant};

use refinery::{Migration, Runner};
use tokio_postgres::Client;

use crate::connect;
use crate::error::Error;
use crate::settings::DatabaseSettings;
use crate::tx::Tx;

/// File stem and text of every migration, in order.
const MIGRATIONS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

/// The advisory lock of whoever migrates; any number that nobody else uses.
const LOCK: i64 = 7_016_501_001;
/// The pause between two attempts to get the lock.
const LOCK_PAUSE: Duration = Duration::from_millis(200);

/// Lets every service compare the schema with what it was compiled for.
const GRANT_HISTORY: &str = "
    grant select on refinery_schema_history
       to youtility_auth, youtility_web, youtility_worker, youtility_bridge, youtility_health";

crate::queries! {
    /// The version of the schema; 0 before the first migration.
    VERSION: () => i32 = "
        select coalesce(max(version), 0)
          from refinery_schema_history";
}

/// What a run of [`migrate`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationReport {
    /// Names of the migrations applied by this run, in order.
    pub applied: Vec<String>,
    /// The version of the schema afterwards.
    pub version: i32,
}

/// The version of the schema this binary was compiled with.
pub fn compiled_version() -> i32 {
    let versions = MIGRATIONS.iter().filter_map(|(name, _)| version_of(name));
    versions.max().unwrap_or(0)
}

/// File stem and text of every embedded migration, in order: what a test hashes to know its template.
pub fn embedded_migrations() -> &'static [(&'static str, &'static str)] {
    MIGRATIONS
}

/// Brings the schema up to date, as `youtility_owner`.
///
/// While another process migrates it waits, at most the settings' `statement_timeout_ms`; a migration itself may take
/// as long as it takes.
///
/// # Errors
/// [`Error::MigrationBusy`], [`Error::Migration`] with the applied ones standing, and errors of connecting.
pub async fn migrate(settings: &DatabaseSettings) -> Result<MigrationReport, Error> {
    let link = connect::open(settings, settings.bare_connection("youtility-migrate")).await?;
    link.run(async |client| migrate_on(client, settings.migration_wait()).await).await
}

async fn migrate_on(client: &mut Client, wait: Duration) -> Result<MigrationReport, Error> {
    let failed = |source| Error::from_driver("migrate", source);
    lock(client, wait).await?;
    client.batch_execute("set role youtility_owner").await.map_err(failed)?;
    let migrations = MIGRATIONS
        .iter()
        .map(|(name, sql)| Migration::unapplied(name, sql))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Error::Migration(Box::new(error)))?;
    let outcome = Runner::new(&migrations).run_async(client).await;
    let report = outcome.map_err(|error| Error::Migration(Box::new(error)))?;
    client.batch_execute(GRANT_HISTORY).await.map_err(failed)?;
    client.execute("select pg_advisory_unlock($1)", &[&LOCK]).await.map_err(failed)?;
    Ok(MigrationReport {
        applied: report.applied_migrations().iter().map(ToString::to_string).collect(),
        version: compiled_version(),
    })
}

/// Polls for the lock instead of waiting in it: a waiter inside PostgreSQL would hold a snapshot and block
/// `create index concurrently`.
async fn lock(client: &Client, wait: Duration) -> Result<(), Error> {
    let started = Instant::now();
    loop {
        let row = client.query_one("select pg_try_advisory_lock($1)", &[&LOCK]).await;
        let got: bool =
            row.and_then(|row| row.try_get(0)).map_err(|source| Error::from_driver("migrate", source))?;
        if got {
            return Ok(());
        }
        if started.elapsed() > wait {
            return Err(Error::MigrationBusy { waited: started.elapsed() });
        }
        tokio::time::sleep(LOCK_PAUSE).await;
    }
}

/// The version of the schema that a transaction sees.
pub(crate) async fn version(tx: &Tx) -> Result<i32, Error> {
    tx.one(&VERSION, ()).await
}

fn version_of(name: &str) -> Option<i32> {
    name.strip_prefix('V')?.split_once("__")?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_migration_has_a_version_and_says_why() {
        assert!(
            MIGRATIONS.iter().all(|(name, sql)| version_of(name).is_some() && sql.starts_with("-- Why: "))
        );
        assert!(compiled_version() >= 1);
    }
}
