#![doc = include_str!("../README.md")]

pub mod account;
pub mod attachment;
pub mod broker;
pub mod demo;
pub mod elevation;
pub mod escalation;
pub mod factor;
pub mod guess;
pub mod handset_rules;
pub mod key;
pub mod mail;
pub mod operator;
pub mod outbox;
pub mod password;
pub mod people;
pub mod person;
pub mod publish;
pub mod queue;
pub mod rates;
pub mod recovery;
pub mod security;
pub mod sign_in;
pub mod site;
pub mod telemetry;
pub mod tenant;
pub mod ticket;
pub mod token;
pub mod trail;
pub mod upkeep;

mod account_error;
mod error;
mod news;
mod right;

pub use account_error::AccountError;
pub use error::Error;
