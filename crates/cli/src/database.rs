//! The cluster of the running system: made, started, migrated, filled.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use domain::Secret;
use local::account::Account;
use local::postgres::{Cluster, Programs, SUPERUSER};
use store::{DatabaseSettings, Store};

use crate::args::Place;
use crate::broker::{self, DeviceHashes};
use crate::home::Home;
use crate::keys::{DEMO_PASSWORD, Keys};
use crate::ports::Ports;
use crate::{say, tools};

/// The product's database.
const NAME: &str = "youtility";

/// The role that owns the schema.
const OWNER: &str = "youtility_owner";

/// Enough for every pool of a few replicas, and some for people.
const CONNECTIONS_MAX: u16 = 200;

/// Starts the cluster; makes it first when there is none.
pub(crate) fn start_cluster(home: &Home, keys: &Keys, ports: &mut Ports) -> Result<Cluster> {
    let programs = tools::postgres(home)?;
    let found = describe(home, programs.clone(), 0)?;
    let running = if found.exists() && found.is_running()? { found.running_port() } else { None };
    let port = match running {
        Some(port) => port,
        None => ports.of("postgres")?,
    };
    ports.set("postgres", port);
    let cluster = describe(home, programs.clone(), port)?;
    if !cluster.exists() {
        say::step(&format!(
            "making a PostgreSQL {} cluster in {}",
            programs.version(),
            cluster.data().display()
        ));
        cluster.init(&keys.superuser)?;
    }
    if running.is_some() {
        return Ok(cluster);
    }
    cluster.start().with_context(|| {
        format!(
            "the cluster in {} is broken; to start afresh without its data: youtility down, then remove {}",
            cluster.data().display(),
            home.root().display()
        )
    })?;
    Ok(cluster)
}

/// The cluster of a home, on a port.
pub(crate) fn describe(home: &Home, programs: Programs, port: u16) -> Result<Cluster> {
    Ok(Cluster::new(programs, &home.cluster(), port)?
        .option(&format!("max_connections={CONNECTIONS_MAX}"))
        .option("shared_buffers=256MB"))
}

/// Stops the cluster of a home, if it runs.
pub(crate) fn stop_cluster(home: &Home) -> Result<()> {
    match Programs::find(&[tools::embedded_postgres(home)]) {
        Ok(programs) => {
            let cluster = describe(home, programs, 0)?;
            if cluster.exists() { cluster.stop() } else { Ok(()) }
        }
        Err(_missing) => Ok(()),
    }
}

/// Where the cluster's files may be.
pub(crate) fn folders(home: &Home) -> Result<Vec<PathBuf>> {
    Ok(vec![Account::unprivileged("postgres")?.reachable(&home.cluster())])
}

/// The port the cluster of a running system listens on.
pub(crate) fn running_port(home: &Home) -> Result<u16> {
    describe(home, tools::postgres(home)?, 0)?
        .running_port()
        .context("the cluster does not run; start it with `make up`")
}

/// Settings for a role, as the command line itself connects.
pub(crate) fn settings(port: u16, role: &str, password: &str) -> DatabaseSettings {
    DatabaseSettings {
        port,
        name: NAME.to_owned(),
        user: role.to_owned(),
        password: Secret::new(password),
        tls: store::TlsMode::Disable,
        statement_timeout_ms: 120_000,
        pool_size: 4,
        ..DatabaseSettings::default()
    }
}

/// Creates database and roles, and brings the schema up to date.
pub(crate) async fn prepare(port: u16, keys: &Keys) -> Result<()> {
    let superuser = settings(port, SUPERUSER, &keys.superuser);
    store::create_database(&DatabaseSettings { name: "postgres".to_owned(), ..superuser.clone() }, NAME)
        .await
        .context("creating the database")?;
    let roles: Vec<(&str, &str)> =
        keys.roles.iter().map(|(role, key)| (role.as_str(), key.as_str())).collect();
    store::bootstrap(&superuser, &roles).await.context("creating the database roles")?;
    let report = store::migrate(&settings(port, OWNER, keys.role(OWNER)?)).await.context("migrating")?;
    if !report.applied.is_empty() {
        say::done(&format!("schema at version {} ({} migrations)", report.version, report.applied.len()));
    }
    Ok(())
}

/// Adds the demo tenants; what is there already stays.
pub(crate) async fn seed(port: u16, keys: &Keys, devices: &DeviceHashes) -> Result<app::demo::Report> {
    let store = Store::new(&settings(port, OWNER, keys.role(OWNER)?), "cli")?;
    let devices = devices
        .iter()
        .map(|(client, device, hash)| (broker::user_name(client, device), hash.to_string()))
        .collect();
    let passwords = app::demo::Passwords { people: DEMO_PASSWORD.to_owned(), devices };
    app::demo::seed(&store, &passwords, service::Clock::system().now()).await.context("making the demo data")
}

/// `youtility demo seed`.
pub(crate) async fn seed_again(place: &Place) -> Result<()> {
    let home = Home::open(place)?;
    ensure!(home.running()?.is_some(), "nothing runs here; start it with `make up`");
    let mut keys = Keys::load_or_create(&home)?;
    let devices = broker::device_hashes(&home, &mut keys)?;
    let report = seed(running_port(&home)?, &keys, &devices).await?;
    say::done(&format!(
        "{} tenants, {} people, {} devices, {} tickets",
        report.clients, report.people, report.devices, report.tickets
    ));
    Ok(())
}
