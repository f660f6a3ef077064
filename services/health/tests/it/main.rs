//! The health service against a real database, real sockets, and the real binary.
#![cfg(test)]

mod answers;
mod broker;
mod faults;
mod process;
mod settings;
mod stage;
