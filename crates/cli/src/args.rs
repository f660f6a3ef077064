//! The command line.

pub(crate) mod audit;
pub(crate) mod broker;
pub(crate) mod mail;
pub(crate) mod tasks;
pub(crate) mod upkeep;
pub(crate) mod users;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use self::audit::AuditCommand;
use self::broker::{BrokerCommand, PasswordOptions};
use self::mail::MailCommand;
use self::tasks::TasksCommand;
use self::upkeep::{CleanUpSessionsOptions, ResetRateLimitOptions, Select2Command};
use self::users::{ClientCommand, UserCommand};

/// Names the home where no argument does.
pub(crate) const HOME_VARIABLE: &str = "YOUTILITY_HOME";

/// Field operations on one PostgreSQL.
#[derive(Parser)]
#[command(name = "youtility", version, about)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Every command.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Starts everything on this machine and keeps it running until Ctrl-C.
    Up(UpOptions),
    /// Stops what `up` started.
    Down(DownOptions),
    /// Shows what runs, where it listens and whether it is ready.
    Status(Place),
    /// Prints the logs, of one process or all.
    Logs(LogOptions),
    /// Brings a database's schema up to date.
    Migrate(MigrateOptions),
    /// Background tasks and their queues: looking, repeating, cancelling, pausing, limiting, draining.
    #[command(subcommand)]
    Tasks(TasksCommand),
    /// Addresses that are not mailed.
    #[command(subcommand)]
    Mail(MailCommand),
    /// The audit trail: reading it, and whether anybody changed it.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// People of a client: looking, granting, revoking, letting in, locking out.
    #[command(subcommand)]
    User(UserCommand),
    /// What clients have bought.
    #[command(subcommand)]
    Client(ClientCommand),
    /// Removes sessions that have ended.
    CleanupSessions(CleanUpSessionsOptions),
    /// Forgets counted attempts to sign in, so that who is blocked may try again.
    ResetRateLimit(ResetRateLimitOptions),
    /// Cached answers and whole lists.
    #[command(subcommand)]
    Select2Cache(Select2Command),
    /// The MQTT broker.
    #[command(subcommand)]
    Broker(BrokerCommand),
    /// Demo data.
    #[command(subcommand)]
    Demo(DemoCommand),
    /// Devices.
    #[command(subcommand)]
    Device(DeviceCommand),
}

/// Where the running system keeps its files.
#[derive(Args, Clone)]
pub(crate) struct Place {
    /// Folder of cluster, logs, mail and secrets.
    #[arg(long, default_value = ".dev", env = HOME_VARIABLE)]
    pub(crate) home: PathBuf,
}

/// Options of `down`.
#[derive(Args)]
pub(crate) struct DownOptions {
    /// Where its files are.
    #[command(flatten)]
    pub(crate) place: Place,
    /// Also removes the cluster, the broker's memory, mail, logs and secrets.
    #[arg(long)]
    pub(crate) remove_data: bool,
}

/// Options of `up`.
#[derive(Args)]
pub(crate) struct UpOptions {
    /// Where its files go.
    #[command(flatten)]
    pub(crate) place: Place,
    /// Port of the web address; another free one is taken when this is busy, unless it was asked for.
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// Port of another part, such as `mqtt=1883`, `postgres=5433`, `smtp=2525` or `mail=8025`; may be repeated.
    #[arg(long = "port-of", value_name = "PART=PORT", value_parser = parse_port_of)]
    pub(crate) ports_of: Vec<(String, u16)>,
    /// How many gateways; the second and later ones get free ports.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=4))]
    pub(crate) gateways: u8,
    /// How many auth replicas.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=4))]
    pub(crate) auths: u8,
    /// Milliseconds before a service that ended is started again; doubled up to 5 s when it keeps ending.
    #[arg(long, default_value_t = 200)]
    pub(crate) restart_pause_ms: u64,
    /// Leaves the database empty of demo data.
    #[arg(long)]
    pub(crate) without_demo: bool,
}

/// Options of `logs`.
#[derive(Args)]
pub(crate) struct LogOptions {
    /// Where they are.
    #[command(flatten)]
    pub(crate) place: Place,
    /// Only this process, such as `web`.
    pub(crate) process: Option<String>,
    /// Lines from the end.
    #[arg(long, short = 'n', default_value_t = 50)]
    pub(crate) lines: usize,
    /// Goes on printing what is added.
    #[arg(long, short)]
    pub(crate) follow: bool,
}

/// Options of `migrate`.
#[derive(Args)]
pub(crate) struct MigrateOptions {
    /// Settings files, read in order; the environment wins.
    #[arg(long)]
    pub(crate) config: Vec<PathBuf>,
    /// Only creates the database roles; needs a role that may create roles.
    #[arg(long)]
    pub(crate) roles: bool,
}

/// Commands on demo data.
#[derive(Subcommand)]
pub(crate) enum DemoCommand {
    /// Adds the demo tenants to the running system; safe to repeat.
    Seed(Place),
}

/// Commands on devices.
#[derive(Subcommand)]
pub(crate) enum DeviceCommand {
    /// Publishes readings as one of the demo devices does.
    Simulate(SimulateOptions),
    /// Gives a device a new password at the broker and shows it, this once.
    Password(PasswordOptions),
}

/// Options of `device simulate`.
#[derive(Args)]
pub(crate) struct SimulateOptions {
    /// Where the running system keeps its files.
    #[command(flatten)]
    pub(crate) place: Place,
    /// `{client code}.{device code}`; the first demo device when absent.
    #[arg(long)]
    pub(crate) device: Option<String>,
    /// What is measured.
    #[arg(long, default_value = "temperature")]
    pub(crate) metric: String,
    /// Middle of the values.
    #[arg(long, default_value_t = 21.0)]
    pub(crate) value: f64,
    /// How far values swing around it.
    #[arg(long, default_value_t = 2.0)]
    pub(crate) swing: f64,
    /// Readings to publish; without end when absent.
    #[arg(long)]
    pub(crate) count: Option<u64>,
    /// Milliseconds between readings.
    #[arg(long, default_value_t = 1000)]
    pub(crate) interval_ms: u64,
}

fn parse_port_of(text: &str) -> Result<(String, u16), String> {
    let (name, number) = text.split_once('=').ok_or("write PART=PORT, such as mqtt=1883")?;
    let port = number.parse().map_err(|_not_a_port| format!("`{number}` is no port"))?;
    Ok((name.to_owned(), port))
}
