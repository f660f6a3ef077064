//! Database and roles of an installation.

use tokio_postgres::Client;

use crate::connect;
use crate::error::Error;
use crate::settings::DatabaseSettings;

/// Creates the roles; safe to repeat.
pub const ROLES_SQL: &str = include_str!("../../../migrations/bootstrap/roles.sql");

/// What these connections call themselves.
const APPLICATION: &str = "youtility-bootstrap";

/// Creates a database if it does not exist, while connected to another one, such as `postgres`.
///
/// # Errors
/// Errors of connecting, and [`Error::Failed`] when the role may not do this.
pub async fn create_database(settings: &DatabaseSettings, name: &str) -> Result<(), Error> {
    let sql = "select format('create database %I', $1::text)
                where not exists (select from pg_database where datname = $1)";
    let link = connect::open(settings, settings.bare_connection(APPLICATION)).await?;
    link.run(async |client| run_generated(client, sql, &[&name]).await).await
}

/// Creates the product's roles in the database of the settings, and lets the given ones sign in with passwords.
///
/// The settings name a role that may create roles. Safe to repeat. Passwords leave this process as SCRAM verifiers, so
/// that no server log can hold one.
///
/// # Errors
/// Errors of connecting, and [`Error::Failed`] when the role may not do this.
pub async fn bootstrap(settings: &DatabaseSettings, passwords: &[(&str, &str)]) -> Result<(), Error> {
    let link = connect::open(settings, settings.bare_connection(APPLICATION)).await?;
    link.run(async |client| create_roles(client, passwords).await).await
}

async fn create_roles(client: &mut Client, passwords: &[(&str, &str)]) -> Result<(), Error> {
    client.batch_execute(ROLES_SQL).await.map_err(failed)?;
    for (role, password) in passwords {
        let verifier = postgres_protocol::password::scram_sha_256(password.as_bytes());
        let sql = "select format('alter role %I login password %L', $1::text, $2::text)";
        run_generated(client, sql, &[role, &verifier]).await?;
    }
    Ok(())
}

/// Runs the statement that another one writes: `format` quotes what must not be put together here.
async fn run_generated(
    client: &Client,
    sql: &str,
    params: &[&(dyn postgres_types::ToSql + Sync)],
) -> Result<(), Error> {
    if let Some(row) = client.query_opt(sql, params).await.map_err(failed)? {
        let generated: String = row.try_get(0).map_err(failed)?;
        client.batch_execute(&generated).await.map_err(failed)?;
    }
    Ok(())
}

fn failed(source: tokio_postgres::Error) -> Error {
    Error::from_driver("bootstrap", source)
}
