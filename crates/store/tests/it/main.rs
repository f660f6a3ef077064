//! The store against a real PostgreSQL.
#![cfg(test)]

mod breaches;
mod encryption;
mod enums;
mod fill;
mod guesses;
mod listening;
mod migrations;
mod plan;
mod planted;
mod pool;
mod request_rates;
mod rights_cache;
mod rows_in_errors;
mod schema;
mod sessions;
mod shape;
mod slow_statements;
mod tenancy;
mod transactions;
