//! Commands on the MQTT broker and its accounts.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use domain::text::Code;

use super::tasks::QueuePlace;

/// Commands on the MQTT broker.
#[derive(Subcommand)]
pub(crate) enum BrokerCommand {
    /// Writes the password and access files of a Mosquitto that asks nobody: every device of every active client.
    Files(FileOptions),
}

/// Options of `broker files`.
#[derive(Args)]
pub(crate) struct FileOptions {
    /// Where the devices are.
    #[command(flatten)]
    pub(crate) place: QueuePlace,
    /// The password file to write (`password_file` of the broker).
    #[arg(long, value_name = "FILE")]
    pub(crate) passwords: PathBuf,
    /// The access file to write (`acl_file` of the broker).
    #[arg(long, value_name = "FILE")]
    pub(crate) access: PathBuf,
    /// Holds the bridge's password; without it the bridge has no account.
    #[arg(long, value_name = "FILE")]
    pub(crate) bridge_password_file: Option<PathBuf>,
    /// Holds the health service's password; without it the service has no account.
    #[arg(long, value_name = "FILE")]
    pub(crate) health_password_file: Option<PathBuf>,
    /// The broker's pid file: a broker whose files changed is told to read them again.
    #[arg(long, value_name = "FILE")]
    pub(crate) reload: Option<PathBuf>,
}

/// Options of `device password`.
#[derive(Args)]
pub(crate) struct PasswordOptions {
    /// The client's code.
    pub(crate) client: Code,
    /// The device's code.
    pub(crate) device: Code,
    /// Where the device is.
    #[command(flatten)]
    pub(crate) place: QueuePlace,
}
