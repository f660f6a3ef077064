//! What the health service answers: `/health/`, `/ready/`, `/alive/`, `/health/detailed/`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How well something does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// It does its work.
    Healthy,
    /// It works, but somebody should look.
    Degraded,
    /// It does not work.
    Unhealthy,
}

/// `GET /health/` and `GET /health/detailed/`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthReport {
    /// The worst that matters: unhealthy when a critical check is, degraded when any check is not healthy.
    pub status: HealthStatus,
    /// When the report was put together.
    pub timestamp: Timestamp,
    /// How long the answering process runs.
    pub uptime_seconds: u64,
    /// Components everything else fails because of, each once.
    pub causes: Vec<String>,
    /// One entry per dependency and service.
    pub checks: BTreeMap<String, HealthCheck>,
    /// The answering process; only in the detailed report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_info: Option<BTreeMap<String, Value>>,
}

/// What was last seen of one dependency or service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// How well it does.
    pub status: HealthStatus,
    /// Whether the whole is unhealthy without it.
    pub critical: bool,
    /// What was seen, in words.
    pub message: String,
    /// When it was last asked; absent before the first answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// How long the answer took.
    pub duration_ms: u64,
    /// When it was first seen not healthy, while it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The component whose failure explains this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What belongs to this kind of check, such as `functions` or `query_time_ms`.
    #[serde(flatten)]
    pub details: BTreeMap<String, Value>,
}

/// `GET /ready/`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReadyReport {
    /// `ready` or `not_ready`.
    pub status: Readiness,
    /// When the report was put together.
    pub timestamp: Timestamp,
    /// The failing checks without which no page is served, with what was seen.
    pub details: BTreeMap<String, String>,
}

/// Whether work can be sent here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Readiness {
    /// Every check without which no page is served was asked and answers.
    Ready,
    /// At least one does not.
    NotReady,
}

/// `GET /alive/`: the process answers, whatever else is broken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AliveReport {
    /// Always `alive`.
    pub status: String,
    /// When it answered.
    pub timestamp: Timestamp,
    /// How long the answering process runs.
    pub uptime_seconds: u64,
}
