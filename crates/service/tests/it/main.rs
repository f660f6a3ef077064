//! A real service on a free port, seen from outside.
#![cfg(test)]

mod admin;
mod bench;
mod client;
mod connection;
mod drain;
mod error_table;
mod identity;
mod process;
mod public;
mod settings;
