//! A database per test, engines in it, and waiting for conditions.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use local::postgres::{Cluster, Programs, SUPERUSER};
use queue::{Builder, Engine, EngineSettings, NewTask};
use tokio::sync::OnceCell;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_postgres::{Client, Config, NoTls};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const PASSWORD: &str = "only-for-tests-on-this-machine";
const TEMPLATE: &str = "queue_template";
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
        let name = format!("queue_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let server = connect(&config(port, "postgres", SUPERUSER), &mut connections).await;
        server.batch_execute(&format!("create database {name} template {TEMPLATE}")).await.unwrap();
        let admin = connect(&config(port, &name, SUPERUSER), &mut connections).await;
        let config = config(port, &name, "youtility_worker");
        Self { admin, pool: pool(&config), config, connections }
    }

    /// Connects as another role.
    pub(crate) async fn connect_as(&mut self, role: &str) -> Client {
        let mut config = self.config.clone();
        config.user(role);
        connect(&config, &mut self.connections).await
    }

    /// An engine that hears of work only through notifications, unless told otherwise.
    pub(crate) fn engine(&self, settings: EngineSettings) -> Builder {
        Engine::builder(self.pool.clone(), settings).listen(self.config.clone(), NoTls)
    }

    pub(crate) async fn enqueue(&self, tasks: &[NewTask]) -> Vec<Option<Uuid>> {
        queue::enqueue(&self.admin, tasks).await.unwrap()
    }

    pub(crate) async fn enqueue_one(&self, task: NewTask) -> Uuid {
        self.enqueue(&[task]).await.remove(0).expect("the key is free")
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

    /// Waits until the engine has ended by itself.
    pub(crate) async fn ended(mut self) -> Result<(), queue::Error> {
        self.work.join_next().await.unwrap().unwrap()
    }
}

/// Settings under which only notifications wake, and everything else is quick.
pub(crate) fn settings() -> EngineSettings {
    EngineSettings {
        poll_interval_ms: 60_000,
        promote_interval_ms: 5,
        lease_ms: 6_000,
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

/// Starts a cluster for this run of the tests; it stays until the next one.
async fn cluster() -> u16 {
    let port = tokio::task::spawn_blocking(start_cluster).await.unwrap();
    let mut connections = JoinSet::new();
    let server = connect(&config(port, "postgres", SUPERUSER), &mut connections).await;
    let roles: String = ["youtility_worker", "youtility_web", "youtility_health"]
        .map(|role| format!("create role {role} login password '{PASSWORD}';"))
        .concat();
    server.batch_execute(&roles).await.unwrap();
    server.batch_execute(&format!("create database {TEMPLATE}")).await.unwrap();
    let template = connect(&config(port, TEMPLATE, SUPERUSER), &mut connections).await;
    template.batch_execute(queue::SCHEMA).await.unwrap();
    port
}

fn start_cluster() -> u16 {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/testkit-queue");
    std::fs::create_dir_all(&home).unwrap();
    let home = home.canonicalize().unwrap();
    // One process at a time may make, start and clean the cluster; the lock is held until the process ends.
    let lock = std::fs::File::create(home.join("lock")).unwrap();
    lock.lock().unwrap();
    Box::leak(Box::new(lock));
    let describe = |port| {
        Cluster::new(Programs::find(&[]).unwrap(), &home, port)
            .unwrap()
            .option("max_connections=400")
            .option("fsync=off")
            .option("synchronous_commit=off")
    };
    let old = describe(0);
    if old.exists() {
        old.stop().unwrap();
    }
    // Made anew rather than cleaned: dropping the databases of the last run would take longer.
    if old.data().exists() {
        std::fs::remove_dir_all(old.data()).unwrap();
    }
    let cluster = describe(local::port::free(0).unwrap());
    cluster.init(PASSWORD).unwrap();
    cluster.start().unwrap();
    cluster.port()
}
