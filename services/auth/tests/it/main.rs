//! The auth service against a real database, in this process and as the real binary.
#![cfg(test)]

mod broker;
mod events;
mod faults;
mod identities;
mod keys;
mod limits;
mod person;
mod process;
mod rates;
mod refresh_reuse;
mod revocations;
mod second_factor;
mod sign_in;
mod stage;
mod tokens;
