#![doc = include_str!("../README.md")]

mod bootstrap;
mod connect;
mod constraints;
mod driver;
mod error;
mod listen;
mod measures;
mod migrate;
mod params;
mod pool;
mod row;
mod settings;
mod statement;
mod store;
mod tls;
mod transaction;
mod tx;

pub mod audit;
pub mod client;
pub mod device;
pub mod escalation;
pub mod group;
pub mod heartbeat;
pub mod mail;
pub mod operator;
pub mod outbox;
pub mod person;
pub mod queue;
pub mod select2;
pub mod session;
pub mod sign_in;
pub mod site;
pub mod telemetry;
pub mod ticket;

pub use bootstrap::{ROLES_SQL, bootstrap, create_database};
pub use constraints::{Breach, RULES, Rule};
pub use driver::DriverError;
pub use error::Error;
pub use listen::{Heard, Listener};
pub use measures::describe_metrics;
pub use migrate::{MigrationReport, compiled_version, embedded_migrations, migrate};
pub use params::{Bind, Binds, Parameter, Params};
pub use row::{Column, FromRow};
pub use settings::{DatabaseSettings, TlsMode};
pub use statement::{Describe, Statement};
pub use store::Store;
#[doc(hidden)]
pub use tokio_postgres;
pub use tx::Tx;

/// Every statement of the product, for the schema test. A module with `queries!` that is not listed fails a test.
pub fn all_statements() -> Vec<&'static dyn Describe> {
    let modules: &[&[&'static dyn Describe]] = &[
        audit::STATEMENTS,
        client::STATEMENTS,
        device::STATEMENTS,
        escalation::STATEMENTS,
        group::STATEMENTS,
        heartbeat::STATEMENTS,
        mail::STATEMENTS,
        migrate::STATEMENTS,
        operator::STATEMENTS,
        outbox::STATEMENTS,
        person::STATEMENTS,
        queue::STATEMENTS,
        select2::STATEMENTS,
        session::STATEMENTS,
        sign_in::STATEMENTS,
        site::STATEMENTS,
        telemetry::STATEMENTS,
        ticket::STATEMENTS,
    ];
    modules.concat()
}
