//! Web as a client meets it: a real server on a port of its own, with its own database.
#![cfg(test)]

mod assets;
mod change;
mod create;
mod harness;
mod list;
mod lookups;
mod openapi;
mod operate;
mod operate_api;
mod permissions;
mod process;
mod sign_in;
