//! The `youtility` command, run as a person or a migration Job runs it.
#![cfg(test)]

mod audit;
mod broker;
mod command;
mod home;
mod mail;
mod migrate;
mod tasks;
mod upkeep;
mod users;

use testkit::process::Binary;

/// The command, with nothing in its environment.
fn youtility() -> Binary {
    Binary::new(env!("CARGO_BIN_EXE_youtility"))
}
