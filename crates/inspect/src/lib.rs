#![doc = include_str!("../README.md")]

pub mod framing;
pub mod header;
pub mod path;
mod refusal;

pub use refusal::Refusal;
