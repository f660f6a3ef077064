#![doc = include_str!("../README.md")]

mod about;
mod admin;
mod client;
mod clock;
mod connection;
mod context;
mod drain;
mod entrance;
mod error_page;
pub mod extract;
mod grammar;
pub mod identity;
mod listener;
mod metrics;
mod panics;
pub mod permission;
mod problem;
mod process;
mod random;
mod readiness;
mod run;
mod server;
mod settings;
mod tasks;
mod telemetry;
pub mod tls;
mod trace;

pub use about::About;
pub use client::{http_client, propagate};
pub use clock::Clock;
pub use context::Context;
pub use drain::Drain;
pub use entrance::{Entrance, Place};
pub use identity::{Caller, ClientAddress, IdentityVerifier, Internal, Trust};
pub use problem::Problem;
pub use process::Process;
pub use random::random;
pub use readiness::Readiness;
pub use run::{Running, run, spawn};
pub use server::{correlation_id, name_route, prefers_page};
pub use settings::{
    Environment, HttpClientSettings, HttpSettings, LogFormat, Mistake, Mistakes, ProcessSettings, Settings,
    TrustSettings, load_settings,
};
pub use tasks::Tasks;
pub use trace::{adopt_traceparent, continue_trace, traceparent};

/// The allocator of every process: requests are many small, short allocations on several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
