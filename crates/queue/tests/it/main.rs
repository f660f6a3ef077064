//! The queue against a real PostgreSQL.
#![cfg(test)]

mod backlog;
mod draining;
mod enqueuing;
mod failing;
mod leases;
mod running;
mod schedules;
mod steering;
mod support;
mod waking;
