#![doc = include_str!("../README.md")]

mod canonical;
mod command;
mod fields;
pub mod framing;
mod gate;
pub mod header;
mod headers;
mod html;
mod inspection;
mod inspector;
mod json;
pub mod multipart;
pub mod path;
mod patterns;
mod policy;
mod protocol;
mod refusal;
mod scan;
mod script;
mod sql;
mod template;
mod traversal;
mod verdict;

pub use inspector::{Inspector, RequestParts};
pub use policy::{FieldRule, Limits, Mode, Policy, THRESHOLD_DEFAULT};
pub use refusal::Refusal;
pub use verdict::{Action, Class, FINDINGS_MAX, Finding, Location, Place, Verdict};
