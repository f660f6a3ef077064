//! The worker between a real database and a real mail server.
#![cfg(test)]

mod account_mail;
mod escalation;
mod mail;
mod process;
mod relay_tls;
mod upkeep;
mod world;
