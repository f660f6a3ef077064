#![doc = include_str!("../README.md")]

mod accounts;
mod admin;
mod builders;
mod certificates;
mod chaos;
mod cluster;
mod database;
mod devices;
mod environment;
mod tickets;
mod wait;

pub mod identity;
pub mod process;

pub use accounts::OpenSession;
pub use admin::{metric_count, readiness, wait_until_ready};
pub use builders::PersonBuilder;
pub use certificates::Certificate;
pub use chaos::ChaosProxy;
pub use cluster::{ca_file, stop};
pub use database::Database;
pub use devices::{AlarmRuleBuilder, DeviceBuilder};
pub use environment::{env_with, process_env};
pub use identity::{INTERNAL_KEY, trust_env};
pub use tickets::TicketBuilder;
pub use wait::{PATIENCE, Sight, wait_until};
