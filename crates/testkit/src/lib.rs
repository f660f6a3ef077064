#![doc = include_str!("../README.md")]

mod builders;
mod certificates;
mod chaos;
mod cluster;
mod database;
mod devices;
mod tickets;
mod wait;

pub mod identity;

pub use builders::PersonBuilder;
pub use chaos::ChaosProxy;
pub use cluster::{ca_file, stop};
pub use database::Database;
pub use devices::{AlarmRuleBuilder, DeviceBuilder};
pub use identity::{INTERNAL_KEY, trust_env};
pub use tickets::TicketBuilder;
pub use wait::wait_until;
