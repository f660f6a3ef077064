//! The bridge between a real broker and a real database.
#![cfg(test)]

mod broker_rules;
mod crashes;
mod faults;
mod flow;
mod poison;
mod process;
mod publishing;
mod world;
