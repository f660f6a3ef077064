//! A database per test.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use domain::{Actor, ClientId, CorrelationId};
use local::postgres::SUPERUSER;
use store::{DatabaseSettings, Store};
use tokio::sync::OnceCell;
use tokio_postgres::Client;
use tokio_postgres::types::{FromSqlOwned, ToSql};

use crate::cluster::{self, Shared};
use crate::wait::{PATIENCE, wait_until};

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// A migrated database of its own, dropped with this value.
pub struct Database {
    name: String,
    port: u16,
    builder: OnceCell<Client>,
}

impl Database {
    /// Copies the template; the first caller starts the cluster and makes the template.
    ///
    /// # Panics
    /// When PostgreSQL is not installed, does not start, or refuses a migration.
    pub async fn create() -> Self {
        Self::copy(|shared| shared.template.clone()).await.expect("a test database")
    }

    /// Makes a database without roles' rights and without tables, for tests of migrations.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start.
    pub async fn create_empty() -> Self {
        Self::copy(|_shared| "template0".to_owned()).await.expect("an empty test database")
    }

    async fn copy(template: impl FnOnce(&Shared) -> String) -> Result<Self> {
        let shared = cluster::shared().await?;
        let name = format!("test_{}_{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        let admin = cluster::superuser(shared.port, "postgres").await?;
        admin
            .batch_execute(&format!("drop database if exists {name}"))
            .await
            .context("dropping a namesake")?;
        let create = format!("create database {name} template {}", template(shared));
        admin.batch_execute(&create).await.context("copying the template")?;
        Ok(Self { name, port: shared.port, builder: OnceCell::new() })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its server listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Settings to connect as a role: `web` for `youtility_web`, and so on; also `owner` and `superuser`.
    pub fn settings(&self, role: &str) -> DatabaseSettings {
        let role = if role == "superuser" { SUPERUSER.to_owned() } else { format!("youtility_{role}") };
        cluster::settings(self.port, &self.name, &role)
    }

    /// The same settings as environment variables of a service.
    pub fn env(&self, role: &str) -> Vec<(String, String)> {
        let settings = self.settings(role);
        [
            ("HOST", settings.host),
            ("PORT", settings.port.to_string()),
            ("NAME", settings.name),
            ("USER", settings.user),
            ("TLS", "disable".to_owned()),
            ("PASSWORD", settings.password.expose().to_owned()),
        ]
        .map(|(key, value)| (format!("YOUTILITY_DATABASE__{key}"), value))
        .to_vec()
    }

    /// A store that connects as a role.
    ///
    /// # Panics
    /// When the pool cannot be set up.
    pub fn store(&self, role: &str) -> Store {
        Store::new(&self.settings(role), "testkit").expect("a store")
    }

    /// An actor without a person: a process of the client, with every capability and every site.
    pub fn actor(&self, client: ClientId) -> Actor {
        Actor::process(client, CorrelationId::generate())
    }

    /// A connection of the superuser, who sees every row.
    ///
    /// # Panics
    /// When the server is gone.
    pub async fn admin(&self) -> Client {
        cluster::superuser(self.port, &self.name).await.expect("a superuser's connection")
    }

    /// The number in the only row of a query, as the superuser sees it.
    ///
    /// # Panics
    /// When the query fails or does not count.
    pub async fn count(&self, sql: &str) -> i64 {
        self.value(sql, &[]).await
    }

    /// Waits until a query counts so many.
    ///
    /// # Panics
    /// When it does not within [`PATIENCE`]; with what it counted last.
    pub async fn wait_for_count(&self, sql: &str, wanted: i64) {
        wait_until(&format!("{wanted} from {sql}"), PATIENCE, async || match self.count(sql).await {
            counted if counted == wanted => Ok(()),
            counted => Err(counted),
        })
        .await;
    }

    /// Inserts for a builder.
    pub(crate) async fn insert(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) {
        let client = self.builder.get_or_init(|| self.admin()).await;
        client.execute(sql, params).await.unwrap_or_else(|error| panic!("{error:?}\n{sql}"));
    }

    /// Reads one value.
    pub(crate) async fn value<T: FromSqlOwned>(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> T {
        let client = self.builder.get_or_init(|| self.admin()).await;
        let row = client.query_one(sql, params).await.unwrap_or_else(|error| panic!("{error:?}\n{sql}"));
        row.get(0)
    }
}

impl Drop for Database {
    /// Drops the database from a thread of its own, because `drop` cannot wait inside the test's runtime.
    fn drop(&mut self) {
        let (port, name) = (self.port, self.name.clone());
        let dropping = std::thread::spawn(move || -> Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let admin = cluster::superuser(port, "postgres").await?;
                let sql = format!("drop database if exists {name} with (force)");
                admin.batch_execute(&sql).await.context("dropping a test database")
            })
        });
        // A database that stays is dropped when the cluster next starts; a test that failed keeps its own words.
        drop(dropping.join());
    }
}
