//! The auth service against a real database, in this process and as the real binary.
#![cfg(test)]

mod faults;
mod identities;
mod limits;
mod process;
mod revocations;
mod sign_in;
mod stage;
