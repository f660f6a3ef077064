//! Everything that is asked: the only place that knows all the others' addresses.

use std::time::Duration;

use reqwest::Client;
use service::Tasks;

use crate::broker::BrokerProbe;
use crate::database::{DatabaseProbe, FunctionsProbe};
use crate::endpoint::ServiceProbe;
use crate::finding::Finding;
use crate::session::Connector;
use crate::settings::Settings;
use crate::task_queue::TaskQueueProbe;

/// PostgreSQL itself.
pub(crate) const DATABASE: &str = "database";
/// The functions that operators call when people cannot sign in, and that tidy up after them.
pub(crate) const FUNCTIONS: &str = "postgresql_functions";
/// The task queue and its workers.
pub(crate) const TASK_QUEUE: &str = "task_queue";
/// The MQTT broker.
pub(crate) const BROKER: &str = "broker";

/// One thing that is asked.
pub(crate) struct Target {
    /// Its check's name.
    pub(crate) name: String,
    /// What the whole is without it.
    pub(crate) weight: Weight,
    /// Checks whose failure explains this one's.
    pub(crate) depends_on: Vec<String>,
    /// How often it is asked.
    pub(crate) interval: Duration,
    /// How it is asked.
    pub(crate) probe: Probe,
}

/// What the whole is without a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// No page can be served: unhealthy and not ready.
    Serving,
    /// Pages are served, but what they promise is not done: unhealthy, and still ready. A load balancer that sent nobody
    /// here would add to the damage.
    Working,
    /// It does with less: degraded.
    Minor,
}

/// How something is asked.
pub(crate) enum Probe {
    /// By a statement.
    Database(DatabaseProbe),
    /// By a look into the catalogue.
    Functions(FunctionsProbe),
    /// By the queue's own figures.
    TaskQueue(TaskQueueProbe),
    /// By a CONNECT packet.
    Broker(BrokerProbe),
    /// Over HTTP.
    Service(ServiceProbe),
}

impl Probe {
    /// Asks once. Dropping the future gives up.
    pub(crate) async fn ask(&mut self) -> Finding {
        match self {
            Self::Database(probe) => probe.ask().await,
            Self::Functions(probe) => probe.ask().await,
            Self::TaskQueue(probe) => probe.ask().await,
            Self::Broker(probe) => probe.ask().await,
            Self::Service(probe) => probe.ask().await,
        }
    }
}

/// Lists the targets of the settings.
pub(crate) fn targets(settings: &Settings, client: &Client, tasks: &Tasks) -> anyhow::Result<Vec<Target>> {
    let interval = settings.probe.interval();
    let connector = Connector::new(&settings.database, settings.probe, tasks)?;
    let database = Probe::Database(DatabaseProbe::new(connector.clone()));
    let functions = Probe::Functions(FunctionsProbe::new(connector.clone()));
    let task_queue = Probe::TaskQueue(TaskQueueProbe::new(connector, settings.task_queue));
    let mut targets = vec![
        Target { weight: Weight::Serving, ..target(DATABASE, &[], interval, database) },
        Target { weight: Weight::Serving, ..target(FUNCTIONS, &[DATABASE], interval, functions) },
        Target {
            weight: Weight::Working,
            ..target(TASK_QUEUE, &[DATABASE], settings.task_queue.interval(), task_queue)
        },
    ];
    if !settings.broker.host.is_empty() {
        let broker = Probe::Broker(BrokerProbe::new(settings.broker.clone())?);
        targets.push(target(BROKER, &[], interval, broker));
    }
    for (name, service) in settings.services.iter().filter(|(_, service)| !service.url.is_empty()) {
        let depends_on: Vec<&str> = service.depends_on.iter().map(String::as_str).collect();
        let probe = Probe::Service(ServiceProbe::new(client.clone(), &service.url));
        targets.push(target(name, &depends_on, interval, probe));
    }
    Ok(targets)
}

/// A target the whole can do without.
fn target(name: &str, depends_on: &[&str], interval: Duration, probe: Probe) -> Target {
    Target {
        name: name.to_owned(),
        weight: Weight::Minor,
        depends_on: depends_on.iter().map(|&name| name.to_owned()).collect(),
        interval,
        probe,
    }
}
