//! The gateway from outside: a real one, in front of real HTTP servers.
#![cfg(test)]

mod answers;
mod auth;
mod bodies;
mod clients;
mod csrf;
mod door;
mod grace;
mod identity;
mod inspection;
mod networks;
mod process;
mod rates;
mod replicas;
mod request_rates;
mod rights;
mod spool;
mod step_cookies;
mod upstream;
mod world;
