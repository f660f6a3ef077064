#![doc = include_str!("../README.md")]

pub mod demo;
pub mod escalation;
pub mod mail;
pub mod operator;
pub mod outbox;
pub mod password;
pub mod person;
pub mod publish;
pub mod queue;
pub mod sign_in;
pub mod site;
pub mod telemetry;
pub mod tenant;
pub mod ticket;
pub mod upkeep;

mod error;
mod news;
mod right;

pub use error::Error;
