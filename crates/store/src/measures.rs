//! Names of the store's metrics.

use metrics::{Unit, describe_counter, describe_histogram};

/// How long callers waited for a connection.
pub(crate) const POOL_WAIT_SECONDS: &str = "db_pool_wait_seconds";
/// How long transactions took, all attempts together, by name and outcome.
pub(crate) const TRANSACTION_SECONDS: &str = "db_transaction_seconds";
/// Attempts of transactions, by name.
pub(crate) const TRANSACTION_ATTEMPTS: &str = "db_transaction_attempts_total";
/// How long statements took, by name.
pub(crate) const STATEMENT_SECONDS: &str = "db_statement_seconds";
/// Connections that left the pool before their time.
pub(crate) const CONNECTIONS_DISCARDED: &str = "db_connections_discarded_total";

/// Tells the recorder what the store's metrics mean. Once per process, after the recorder is installed.
pub fn describe_metrics() {
    describe_histogram!(POOL_WAIT_SECONDS, Unit::Seconds, "time callers waited for a database connection");
    describe_histogram!(TRANSACTION_SECONDS, Unit::Seconds, "time of transactions with all their attempts");
    describe_counter!(TRANSACTION_ATTEMPTS, Unit::Count, "attempts of transactions");
    describe_histogram!(STATEMENT_SECONDS, Unit::Seconds, "time of statements");
    describe_counter!(CONNECTIONS_DISCARDED, Unit::Count, "database connections discarded before their time");
}
