//! The gateway from outside: a real one, in front of real HTTP servers.
#![cfg(test)]

mod answers;
mod auth;
mod bodies;
mod breaker;
mod clients;
mod csrf;
mod door;
mod ejection;
mod grace;
mod identity;
mod inspection;
mod networks;
mod per_address;
mod process;
mod rates;
mod raw_cases;
mod reload;
mod replicas;
mod request_rates;
mod rights;
mod server_sent_events;
mod slow_clients;
mod smuggling;
mod spool;
mod step_cookies;
mod tape;
mod tls;
mod transport;
mod uploads;
mod upstream;
mod websocket;
mod world;
