//! A database per test, engines in it, and waiting for conditions.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use local::postgres::{Cluster, Programs, SUPERUSER};
use queue::{Builder, Engine, EngineSettings, Enqueued, Kind, NewTask};
use tokio::sync::OnceCell;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_postgres::{Client, Config, NoTls};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const PASSWORD: &str = "only-for-tests-on-this-machine";
const WAIT: Duration = Duration::from_secs(20);

static MADE: AtomicUsize = AtomicUsize::new(0);
static PORT: OnceCell<u16> = OnceCell::const_new();

/// A database with the queue's tables and nothing else.
pub(crate) struct Queue {
    pub(crate) admin: Client,
    pub(crate) config: Config,
    /// As the worker's role.
    pub(crate) pool: Pool,
    connections: JoinSet<()>,
}

/// An engine at work.
pub(crate) struct Running {
    pub(crate) id: Uuid,
    stop: CancellationToken,
    work: JoinSet<Result<(), queue::Error>>,
}

impl Queue {
    pub(crate) async fn create() -> Self {
        let port = *PORT.get_or_init(cluster).await;
        let mut connections = JoinSet::new();
        let name = create_database(port, &template()).await;
        let admin = connect(&config(port, &name, SUPERUSER), &mut connections).await;
        // What may be enqueued before an engine starts.
        let idle = |name| Kind::new(name, "default", |_| async { Ok(()) });
        queue::declare(&admin, &[idle("a"), idle("b")]).await.unwrap();
        let config = config(port, &name, "youtility_worker");
        Self { admin, pool: pool(&config), config, connections }
    }

    /// Connects as another role.
    pub(crate) async fn connect_as(&mut self, role: &str) -> Client {
        let mut config = self.config.clone();
        config.user(role);
        connect(&config, &mut self.connections).await
    }

    /// Makes a role that engines run as beside the worker's.
    pub(crate) fn become_role(&mut self, role: &str) {
        self.config.user(role);
        self.pool = pool(&self.config);
    }

    /// An engine that hears of work only through notifications, unless told otherwise.
    pub(crate) fn engine(&self, settings: EngineSettings) -> Builder {
        Engine::builder(self.pool.clone(), settings).listen(self.config.clone(), NoTls)
    }

    pub(crate) async fn enqueue(&self, tasks: &[NewTask]) -> Vec<Enqueued> {
        queue::enqueue(&self.admin, tasks).await.unwrap()
    }

    pub(crate) async fn enqueue_one(&self, task: NewTask) -> Uuid {
        self.enqueue(&[task]).await.remove(0).new_id().expect("the key is free")
    }

    /// The one number a statement answers with.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        self.admin.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// The texts a statement answers with.
    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        self.admin.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }

    /// Waits until a statement answers with this number.
    pub(crate) async fn until(&self, sql: &str, wanted: i64) {
        wait_until(sql, async || {
            let number = self.number(sql).await;
            if number == wanted { Ok(()) } else { Err(number.to_string()) }
        })
        .await;
    }

    /// Waits until some statement waits for a lock.
    pub(crate) async fn until_blocked(&self) {
        let sql = "select count(*) from pg_stat_activity
                    where datname = current_database() and wait_event_type = 'Lock'";
        self.until(sql, 1).await;
    }

    pub(crate) async fn until_done(&self, tasks: i64) {
        self.until("select count(*) from task_history where outcome = 'SUCCEEDED'", tasks).await;
    }
}

impl Running {
    pub(crate) fn start(builder: Builder) -> Self {
        let engine = builder.build().unwrap();
        let (id, stop) = (engine.id(), CancellationToken::new());
        let mut work = JoinSet::new();
        work.spawn(engine.run(stop.clone()));
        Self { id, stop, work }
    }

    /// Tells the engine to stop without waiting for it.
    pub(crate) fn begin_stop(&self) {
        self.stop.cancel();
    }

    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        self.work.join_next().await.unwrap().unwrap().unwrap();
    }
}

/// A database without any table, as its owner.
pub(crate) async fn empty_database() -> Config {
    let port = *PORT.get_or_init(cluster).await;
    let name = create_database(port, "template1").await;
    config(port, &name, SUPERUSER)
}

async fn create_database(port: u16, template: &str) -> String {
    let mut connections = JoinSet::new();
    let name = format!("queue_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
    let server = connect(&config(port, "postgres", SUPERUSER), &mut connections).await;
    server.batch_execute(&format!("create database {name} template {template}")).await.unwrap();
    name
}

/// Settings under which only notifications wake, and everything else is quick.
pub(crate) fn settings() -> EngineSettings {
    EngineSettings {
        poll_interval_ms: 60_000,
        promote_interval_ms: 5,
        lease_ms: 6_000,
        crash_pause_ms: 20,
        heartbeat_ms: 200,
        drain_timeout_ms: 1_000,
        retry_max_ms: 500,
        ..EngineSettings::default()
    }
}

/// One task at a time, nothing claimed ahead.
pub(crate) fn one_by_one() -> EngineSettings {
    let queues = [("default".to_owned(), 1)].into();
    EngineSettings { queues, buffer: 0, ..settings() }
}

pub(crate) fn pool(config: &Config) -> Pool {
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(config.clone(), NoTls, recycling);
    Pool::builder(manager).max_size(6).build().unwrap()
}

/// Asks again and again, for 20 seconds at most; the last answer is in the panic.
pub(crate) async fn wait_until<T>(what: &str, mut ask: impl AsyncFnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + WAIT;
    let mut pace = tokio::time::interval(Duration::from_millis(10));
    loop {
        pace.tick().await;
        match ask().await {
            Ok(answer) => return answer,
            Err(last) => assert!(Instant::now() < deadline, "waited for {what}, last seen: {last}"),
        }
    }
}

/// A list that handlers write and tests read.
pub(crate) struct Seen<T>(Mutex<Vec<T>>);

impl<T: Clone> Seen<T> {
    pub(crate) fn new() -> std::sync::Arc<Self> {
        std::sync::Arc::new(Self(Mutex::new(Vec::new())))
    }

    pub(crate) fn push(&self, value: T) {
        self.0.lock().unwrap().push(value);
    }

    pub(crate) fn all(&self) -> Vec<T> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

async fn connect(config: &Config, connections: &mut JoinSet<()>) -> Client {
    let (client, connection) = config.connect(NoTls).await.unwrap();
    connections.spawn(async move { drop(connection.await) });
    client
}

fn config(port: u16, database: &str, user: &str) -> Config {
    let mut config = Config::new();
    config.host("127.0.0.1").port(port).dbname(database).user(user).password(PASSWORD);
    config
}

/// The cluster that the tests of all runs share, with this build's template. Whoever comes first starts it; it stays up,
/// because a runner may give every test a process of its own.
async fn cluster() -> u16 {
    let (port, _lock) = tokio::task::spawn_blocking(start_cluster).await.unwrap();
    let mut connections = JoinSet::new();
    let server = connect(&config(port, "postgres", SUPERUSER), &mut connections).await;
    drop_leftovers(&server).await;
    let made = server.query_opt("select from pg_database where datname = $1", &[&template()]).await.unwrap();
    if made.is_none() {
        make_template(port, &server, &mut connections).await;
    }
    port
}

/// Who connects.
const ROLES: [&str; 4] = ["youtility_worker", "youtility_web", "youtility_health", "youtility_bridge"];

/// A template is complete when it has its name.
async fn make_template(port: u16, server: &Client, connections: &mut JoinSet<()>) {
    for role in ROLES {
        let known = server.query_opt("select from pg_roles where rolname = $1", &[&role]).await.unwrap();
        if known.is_none() {
            let create = format!("create role {role} login password '{PASSWORD}'");
            server.batch_execute(&create).await.unwrap();
        }
    }
    server.batch_execute("drop database if exists queue_draft with (force)").await.unwrap();
    server.batch_execute("create database queue_draft").await.unwrap();
    let draft = connect(&config(port, "queue_draft", SUPERUSER), connections).await;
    draft.batch_execute(queue::SCHEMA).await.unwrap();
    drop(draft);
    let others = "select count(*) from pg_stat_activity where datname = 'queue_draft'";
    wait_until("the draft to be left", async || {
        let left: i64 = server.query_one(others, &[]).await.unwrap().get(0);
        if left == 0 { Ok(()) } else { Err(left.to_string()) }
    })
    .await;
    let rename = format!("alter database queue_draft rename to {}", template());
    server.batch_execute(&rename).await.unwrap();
}

/// The template of this build's schema.
fn template() -> String {
    let mut hasher = DefaultHasher::new();
    queue::SCHEMA.hash(&mut hasher);
    ROLES.hash(&mut hasher);
    format!("queue_template_{:016x}", hasher.finish())
}

/// Drops the databases of test processes that have ended, and the templates of other schemas.
async fn drop_leftovers(server: &Client) {
    let sql = r"select datname, substring(datname from '^queue_([0-9]+)_[0-9]+$') from pg_database
                 where datname ~ '^queue_[0-9]+_[0-9]+$' or (datname like 'queue\_template\_%' and datname <> $1)";
    for row in server.query(sql, &[&template()]).await.unwrap() {
        let (name, process): (&str, Option<&str>) = (row.get(0), row.get(1));
        let lives = process.is_some_and(|process| Path::new("/proc").join(process).exists());
        if !lives {
            server.batch_execute(&format!("drop database if exists {name} with (force)")).await.unwrap();
        }
    }
}

/// Starts the cluster unless it runs; one that does not start is made anew. The lock orders the processes.
fn start_cluster() -> (u16, File) {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/testkit-queue");
    std::fs::create_dir_all(&home).unwrap();
    let home = home.canonicalize().unwrap();
    let lock = File::create(home.join("lock")).unwrap();
    lock.lock().unwrap();
    let describe = |port| {
        Cluster::new(Programs::find(&[]).unwrap(), &home, port)
            .unwrap()
            .option("max_connections=400")
            .option("fsync=off")
            .option("synchronous_commit=off")
    };
    let found = describe(0);
    if found.exists() && found.is_running().unwrap() {
        return (found.running_port().unwrap(), lock);
    }
    let cluster = describe(local::port::free(0).unwrap());
    if !(cluster.exists() && cluster.start().is_ok()) {
        if cluster.data().exists() {
            std::fs::remove_dir_all(cluster.data()).unwrap();
        }
        cluster.init(PASSWORD).unwrap();
        cluster.start().unwrap();
    }
    (cluster.port(), lock)
}
