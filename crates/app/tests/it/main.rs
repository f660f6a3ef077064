//! Use cases against a real PostgreSQL, as the roles the services connect with.
#![cfg(test)]

mod demo;
mod escalation;
mod mail;
mod outbox;
mod publish;
mod queue;
mod rights;
mod sign_in;
mod telemetry;
mod tickets;
mod trail;
mod upkeep;
mod world;
