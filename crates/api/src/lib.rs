#![doc = include_str!("../README.md")]

pub mod device;
pub mod headers;
pub mod health;
pub mod identity;
pub mod page;
pub mod person;
pub mod problem;
pub mod schema;
pub mod session;
pub mod site;
pub mod task;
pub mod ticket;

pub use identity::{Identity, IdentityRequest, IdentityResponse};
pub use page::Page;
pub use problem::Problem;
