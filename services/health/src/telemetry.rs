//! Names of this service's metrics.

use metrics::Unit;

/// 1 healthy, 0.5 degraded, 0 unhealthy, by check.
pub(crate) const CHECK_STATUS: &str = "health_check_status";

/// How long answers take, by check.
pub(crate) const PROBE_DURATION_SECONDS: &str = "health_probe_duration_seconds";

/// Gives the metrics their units and descriptions.
pub(crate) fn describe() {
    metrics::describe_gauge!(CHECK_STATUS, "1 healthy, 0.5 degraded, 0 unhealthy, by check");
    metrics::describe_histogram!(
        PROBE_DURATION_SECONDS,
        Unit::Seconds,
        "how long a target takes to answer, by check"
    );
}
