//! The one cluster all test processes share, and the templates in it.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use domain::Secret;
use local::port;
use local::postgres::{Cluster, Programs, SUPERUSER};
use store::{DatabaseSettings, TlsMode};
use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls};

use crate::certificates;

/// Enough for tests of several crates at once.
const CONNECTIONS_MAX: u16 = 400;

/// The superuser's password; the cluster listens on this machine only and holds nothing.
const SUPERUSER_PASSWORD: &str = "qJ7rV2mXw9TzKb4LcYd8HnPf3GsAe6Ru1Ovi5Mx0Bqt-testkit-su";

/// The roles that may sign in, with passwords that pass for strong.
const ROLES: &[(&str, &str)] = &[
    ("youtility_owner", "t8Kp3vRw6Zs1Xm9Ln4Qb7Jd2Hf5Gy0Tc-owner-Ua8Ie3Wo6Vx1Nz"),
    ("youtility_auth", "h4Nz9Lw2Vt7Rk5Xq1Bm8Jc3Gp6Fd0Ys-auth-Oe7Ua2Ti9Wv4Kx"),
    ("youtility_web", "m6Xc1Jv8Kq3Zt5Rb9Lw2Hn7Gd4Fp0Ys-web-Ai8Ue3Ov6Tx1Wz5"),
    ("youtility_worker", "r2Gt7Wn4Xk9Lb1Vz6Qm3Jc8Hd5Fp0Ys-worker-Ea9Io4Uv7Tw2"),
    ("youtility_bridge", "w5Rk8Zb3Vx6Nq1Lt9Jm4Gc7Hd2Fp0Ys-bridge-Oa3Ei8Uw6Tv1"),
    ("youtility_health", "z9Lq4Mt7Rw2Xb5Kv8Nj1Gc6Hd3Fp0Ys-health-Ie5Ao2Ut9Wv8"),
];

/// Where the shared cluster is and which template is this build's.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) port: u16,
    pub(crate) template: String,
}

static SHARED: OnceCell<Shared> = OnceCell::const_new();

/// The shared cluster with this build's template; started and made by whoever comes first.
pub(crate) async fn shared() -> Result<&'static Shared> {
    SHARED.get_or_try_init(prepare).await
}

/// Stops the shared cluster, if it runs.
///
/// # Errors
/// When PostgreSQL is not installed or does not stop.
pub fn stop() -> Result<()> {
    let _lock = lock()?;
    stop_if_made(&cluster(0)?)?;
    // The queue's tests stand alone and keep a cluster of their own beside this one.
    stop_if_made(&Cluster::new(Programs::find(&[])?, &home().with_file_name("testkit-queue"), 0)?)
}

fn stop_if_made(cluster: &Cluster) -> Result<()> {
    if cluster.exists() { cluster.stop() } else { Ok(()) }
}

/// Settings for a role of the product, or for the superuser.
pub(crate) fn settings(port: u16, database: &str, role: &str) -> DatabaseSettings {
    let password =
        ROLES.iter().find(|(name, _)| *name == role).map_or(SUPERUSER_PASSWORD, |(_, known)| known);
    DatabaseSettings {
        port,
        name: database.to_owned(),
        user: role.to_owned(),
        password: Secret::new(password),
        tls: TlsMode::Disable,
        ..DatabaseSettings::default()
    }
}

/// Connects as superuser. The connection's task ends with the client.
#[expect(clippy::disallowed_methods, reason = "the task ends with the client")]
pub(crate) async fn superuser(port: u16, database: &str) -> Result<Client> {
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(port).dbname(database).user(SUPERUSER).password(SUPERUSER_PASSWORD);
    config.application_name("testkit");
    let (client, connection) = config.connect(NoTls).await.context("connecting to the test cluster")?;
    tokio::spawn(connection);
    Ok(client)
}

async fn prepare() -> Result<Shared> {
    let _lock = tokio::task::spawn_blocking(lock).await.context("locking the test cluster")??;
    let (port, state) = tokio::task::spawn_blocking(start).await.context("starting the test cluster")??;
    let admin = superuser(port, "postgres").await?;
    if state == State::JustStarted {
        drop_leftovers(&admin).await?;
    }
    let template = template_name();
    if !database_exists(&admin, &template).await? {
        make_template(port, &admin, &template).await?;
    }
    Ok(Shared { port, template })
}

/// Migrates a database, then makes it the template in one step, so that a template is always complete.
async fn make_template(port: u16, admin: &Client, name: &str) -> Result<()> {
    let draft = format!("{name}_draft");
    admin.batch_execute(&format!("drop database if exists {draft}")).await.context("dropping a draft")?;
    store::create_database(&settings(port, "postgres", SUPERUSER), &draft).await?;
    store::bootstrap(&settings(port, &draft, SUPERUSER), ROLES).await.context("creating the roles")?;
    store::migrate(&settings(port, &draft, "youtility_owner")).await.context("migrating the template")?;
    let rename = format!("alter database {draft} rename to {name}");
    admin.batch_execute(&rename).await.context("naming the template")?;
    let close = format!("alter database {name} with allow_connections false");
    admin.batch_execute(&close).await.context("closing the template")
}

/// The template of this build's migrations.
fn template_name() -> String {
    let mut hasher = DefaultHasher::new();
    store::embedded_migrations().hash(&mut hasher);
    store::ROLES_SQL.hash(&mut hasher);
    ROLES.hash(&mut hasher);
    format!("template_{:016x}", hasher.finish())
}

async fn database_exists(admin: &Client, name: &str) -> Result<bool> {
    let found = admin.query_opt("select from pg_database where datname = $1", &[&name]).await;
    Ok(found.context("looking for the template")?.is_some())
}

/// Drops the databases of tests that were killed, and the templates of other migrations.
async fn drop_leftovers(admin: &Client) -> Result<()> {
    let sql = r"select datname from pg_database
                 where datname like 'test\_%' or (datname like 'template\_%' and datname <> $1)";
    for row in admin.query(sql, &[&template_name()]).await.context("listing leftovers")? {
        let name: String = row.try_get(0).context("reading a name")?;
        let drop = format!("drop database if exists {name} with (force)");
        admin.batch_execute(&drop).await.with_context(|| format!("dropping {name}"))?;
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running,
    JustStarted,
}

/// Starts the cluster unless it runs; one that does not start is made anew.
fn start() -> Result<(u16, State)> {
    let found = cluster(0)?;
    if found.exists() && found.is_running()? {
        return Ok((found.running_port().context("the cluster runs without a port")?, State::Running));
    }
    let cluster = cluster(port::free(0)?)?;
    if cluster.exists() && ca_file().is_file() && cluster.start().is_ok() {
        return Ok((cluster.port(), State::JustStarted));
    }
    if cluster.data().exists() {
        std::fs::remove_dir_all(cluster.data()).context("removing a broken test cluster")?;
    }
    cluster.init(SUPERUSER_PASSWORD)?;
    certificates::write(&cluster, &ca_file())?;
    cluster.start()?;
    Ok((cluster.port(), State::JustStarted))
}

fn cluster(port: u16) -> Result<Cluster> {
    let cluster = Cluster::new(Programs::find(&[])?, &home(), port)?;
    Ok(cluster
        .option(&format!("max_connections={CONNECTIONS_MAX}"))
        .option("shared_buffers=128MB")
        .option("fsync=off")
        .option("full_page_writes=off")
        .option("synchronous_commit=off")
        .option("jit=off")
        .option("ssl=on"))
}

/// The authority that vouches for the test cluster, as the host `localhost`.
pub fn ca_file() -> PathBuf {
    home().join("ca.pem")
}

fn home() -> PathBuf {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = crate_folder.ancestors().nth(2).unwrap_or(crate_folder);
    root.join("target/testkit")
}

/// Waits for the lock that orders the processes that start, fill and stop the cluster.
fn lock() -> Result<File> {
    std::fs::create_dir_all(home()).context("making the folder of the test cluster")?;
    let file = File::create(home().join("lock")).context("opening the lock of the test cluster")?;
    file.lock().context("locking the test cluster")?;
    Ok(file)
}
