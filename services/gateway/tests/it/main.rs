//! The gateway from outside: a real one, in front of real HTTP servers.
#![cfg(test)]

mod answers;
mod bodies;
mod clients;
mod csrf;
mod door;
mod identity;
mod process;
mod rates;
mod replicas;
mod upstream;
mod world;
