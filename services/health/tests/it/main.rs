//! The health service against a real database, real sockets, and the real binary.
#![cfg(test)]

mod answers;
mod binary;
mod broker;
mod faults;
mod stage;
