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

pub mod account_token;
pub mod api_key;
pub mod attachment;
pub mod audit;
pub mod broker;
pub mod client;
pub mod device;
pub mod elevation;
pub mod escalation;
pub mod factor;
pub mod group;
pub mod handset;
pub mod heartbeat;
pub mod known_device;
pub mod mail;
pub mod operator;
pub mod outbox;
pub mod passkey;
pub mod person;
pub mod queue;
pub mod refresh_token;
pub mod request_rate;
pub mod security_event;
pub mod select2;
pub mod session;
pub mod sign_in;
pub mod site;
pub mod telemetry;
pub mod ticket;
pub mod trail;
pub mod user;

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
        account_token::STATEMENTS,
        api_key::STATEMENTS,
        attachment::STATEMENTS,
        audit::STATEMENTS,
        broker::STATEMENTS,
        client::STATEMENTS,
        device::STATEMENTS,
        elevation::STATEMENTS,
        escalation::STATEMENTS,
        factor::STATEMENTS,
        group::STATEMENTS,
        handset::STATEMENTS,
        heartbeat::STATEMENTS,
        known_device::STATEMENTS,
        mail::STATEMENTS,
        migrate::STATEMENTS,
        operator::STATEMENTS,
        outbox::STATEMENTS,
        passkey::STATEMENTS,
        person::STATEMENTS,
        queue::STATEMENTS,
        refresh_token::STATEMENTS,
        request_rate::STATEMENTS,
        security_event::STATEMENTS,
        select2::STATEMENTS,
        session::STATEMENTS,
        sign_in::STATEMENTS,
        site::STATEMENTS,
        telemetry::STATEMENTS,
        ticket::STATEMENTS,
        trail::STATEMENTS,
        user::STATEMENTS,
    ];
    modules.concat()
}
