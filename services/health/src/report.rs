//! From what is known to what is answered.

use std::collections::{BTreeMap, BTreeSet};

use api::health::{HealthCheck, HealthReport, HealthStatus, Readiness, ReadyReport};
use jiff::Timestamp;

use crate::board::Standing;
use crate::cause::Causes;
use crate::targets::Weight;

/// Who reads a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Anybody: no versions, no words of other processes.
    Everyone,
    /// Those inside the networks the gateway lets through.
    Operators,
}

/// Puts together the whole report. `uptime_seconds` and `system_info` are the caller's.
pub(crate) fn health(standings: &[Standing], timestamp: Timestamp, audience: Audience) -> HealthReport {
    let depends_on = standings.iter().map(|one| (one.name.clone(), one.depends_on.clone())).collect();
    let failing = with_status(standings, HealthStatus::Unhealthy);
    let causes = Causes { depends_on: &depends_on, failing: &failing };
    let roots: BTreeSet<String> = failing.iter().map(|name| causes.root_of(name)).collect();
    let checks = standings
        .iter()
        .map(|one| {
            let cause = failing.contains(&one.name).then(|| causes.root_of(&one.name));
            (one.name.clone(), check(one, cause, audience))
        })
        .collect();
    HealthReport {
        status: overall(standings),
        timestamp,
        uptime_seconds: 0,
        causes: roots.into_iter().collect(),
        checks,
        system_info: None,
    }
}

/// Puts together whether work can be sent here.
pub(crate) fn ready(standings: &[Standing], timestamp: Timestamp) -> ReadyReport {
    let details: BTreeMap<String, String> = standings
        .iter()
        .filter(|one| one.weight == Weight::Serving && one.finding.status == HealthStatus::Unhealthy)
        .map(|one| (one.name.clone(), one.finding.message.clone()))
        .collect();
    let status = if details.is_empty() { Readiness::Ready } else { Readiness::NotReady };
    ReadyReport { status, timestamp, details }
}

fn with_status(standings: &[Standing], status: HealthStatus) -> BTreeSet<String> {
    standings.iter().filter(|one| one.finding.status == status).map(|one| one.name.clone()).collect()
}

fn overall(standings: &[Standing]) -> HealthStatus {
    let worst = standings.iter().map(|one| match (one.weight, one.finding.status) {
        (Weight::Minor, HealthStatus::Unhealthy) => HealthStatus::Degraded,
        (_, status) => status,
    });
    worst.max().unwrap_or(HealthStatus::Healthy)
}

fn check(one: &Standing, cause: Option<String>, audience: Audience) -> HealthCheck {
    let mut details = one.finding.details.clone();
    if audience == Audience::Operators {
        details.extend(one.finding.internal.clone());
    }
    let seen = one.observation.as_ref();
    HealthCheck {
        status: one.finding.status,
        critical: one.weight != Weight::Minor,
        message: one.finding.message.clone(),
        timestamp: seen.map(|seen| seen.at),
        duration_ms: seen.map_or(0, |seen| u64::try_from(seen.duration.as_millis()).unwrap_or(u64::MAX)),
        since: seen.and_then(|seen| seen.since),
        cause,
        details,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Finding;

    fn standing(name: &str, weight: Weight, finding: Finding) -> Standing {
        let depends_on = if name == "database" { vec![] } else { vec!["database".to_owned()] };
        Standing { name: name.to_owned(), weight, depends_on, finding, observation: None }
    }

    fn report(standings: &[Standing], audience: Audience) -> HealthReport {
        health(standings, Timestamp::UNIX_EPOCH, audience)
    }

    #[test]
    fn one_failing_service_degrades_and_a_critical_check_breaks() {
        let mut standings = vec![
            standing("database", Weight::Serving, Finding::healthy("answers")),
            standing("web", Weight::Minor, Finding::unhealthy("cannot be reached")),
        ];
        assert_eq!(report(&standings, Audience::Everyone).status, HealthStatus::Degraded);
        assert_eq!(ready(&standings, Timestamp::UNIX_EPOCH).status, Readiness::Ready);
        standings[0].finding = Finding::unhealthy("no answer within 500 ms");
        let broken = report(&standings, Audience::Everyone);
        assert_eq!(broken.status, HealthStatus::Unhealthy);
        assert_eq!(broken.causes, ["postgresql"]);
        assert_eq!(broken.checks["web"].cause.as_deref(), Some("postgresql"));
        assert_eq!(ready(&standings, Timestamp::UNIX_EPOCH).status, Readiness::NotReady);
    }

    #[test]
    fn a_queue_nobody_works_on_is_unhealthy_and_takes_no_visitor_away() {
        let standings = [
            standing("database", Weight::Serving, Finding::healthy("answers")),
            standing("task_queue", Weight::Working, Finding::unhealthy("no worker is alive")),
        ];
        let report = report(&standings, Audience::Everyone);
        assert_eq!((report.status, report.checks["task_queue"].critical), (HealthStatus::Unhealthy, true));
        assert_eq!(ready(&standings, Timestamp::UNIX_EPOCH).status, Readiness::Ready);
    }

    #[test]
    fn versions_are_for_operators() {
        let finding =
            Finding::healthy("answers").detail("query_time_ms", 1).internal("database_version", "15.18");
        let standings = [standing("database", Weight::Serving, finding)];
        let keys = |audience| {
            report(&standings, audience).checks["database"].details.keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!(keys(Audience::Everyone), ["query_time_ms"]);
        assert_eq!(keys(Audience::Operators), ["database_version", "query_time_ms"]);
    }
}
