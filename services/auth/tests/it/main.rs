//! The auth service against a real database, in this process and as the real binary.
#![cfg(test)]

mod binary;
mod faults;
mod identities;
mod limits;
mod revocations;
mod sign_in;
mod stage;
