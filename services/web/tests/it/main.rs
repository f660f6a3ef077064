//! Web as a client meets it: a real server on a port of its own, with its own database.
#![cfg(test)]

mod account_pages;
mod assets;
mod attachments;
mod change;
mod create;
mod harness;
mod house;
mod list;
mod lookups;
mod openapi;
mod operate;
mod operate_api;
mod permissions;
mod process;
mod recovery_pages;
mod scanner;
mod security_pages;
mod sign_in;
mod users_pages;
