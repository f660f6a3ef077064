//! The queue against a real PostgreSQL.
#![cfg(test)]

mod backlog;
mod browsing;
mod cancelling;
mod completing;
mod draining;
mod enqueuing;
mod example;
mod failing;
mod keys;
mod leases;
mod limits;
mod narrow_role;
mod results;
mod running;
mod schedules;
mod steering;
mod support;
mod waking;
mod workflows;
