#![doc = include_str!("../README.md")]

pub mod account;
pub mod broker;
pub mod device;
pub mod elevation;
pub mod file;
pub mod headers;
pub mod health;
pub mod identity;
pub mod key;
pub mod page;
pub mod person;
pub mod problem;
pub mod rate;
pub mod schema;
pub mod security;
pub mod session;
pub mod site;
pub mod task;
pub mod ticket;
pub mod token;
pub mod user;

pub use identity::{Identity, IdentityRequest, IdentityResponse};
pub use page::Page;
pub use problem::Problem;
