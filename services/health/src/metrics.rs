//! This service's metrics: names, units, descriptions, and the function that records.

use std::time::Duration;

use api::health::HealthStatus;
use metrics::{Unit, describe_gauge, describe_histogram, gauge, histogram};

const CHECK_STATUS: &str = "health_check_status";
const PROBE_DURATION: &str = "health_probe_duration_seconds";

/// Says what each metric means.
pub(crate) fn describe() {
    describe_gauge!(CHECK_STATUS, "1 healthy, 0.5 degraded, 0 unhealthy, by check");
    describe_histogram!(PROBE_DURATION, Unit::Seconds, "How long a target takes to answer, by check");
}

/// Records what a target answered and how long it took.
pub(crate) fn asked(check: &str, status: HealthStatus, duration: Duration) {
    let level = match status {
        HealthStatus::Healthy => 1.0,
        HealthStatus::Degraded => 0.5,
        HealthStatus::Unhealthy => 0.0,
    };
    gauge!(CHECK_STATUS, "check" => check.to_owned()).set(level);
    histogram!(PROBE_DURATION, "check" => check.to_owned()).record(duration);
}
