#![doc = include_str!("../README.md")]

pub mod device;
pub mod headers;
pub mod identity;
pub mod page;
pub mod person;
pub mod problem;
pub mod session;
pub mod ticket;

pub use identity::{Identity, IdentityRequest, IdentityResponse};
pub use page::Page;
pub use problem::Problem;
