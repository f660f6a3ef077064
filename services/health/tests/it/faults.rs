//! Broken dependencies: the answer stays fast, names the cause, and heals.

use std::time::{Duration, Instant};

use api::health::{HealthReport, HealthStatus};
use testkit::{ChaosProxy, Database};

use crate::stage::{Health, NOWHERE, answering, env, env_with, http, silent_listener};

/// Far below any probe's time limit.
const FAST: Duration = Duration::from_millis(250);

fn is(report: &HealthReport, check: &str, status: HealthStatus) -> bool {
    report.checks[check].status == status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hung_database_costs_probes_and_no_answers() {
    let db = Database::create().await;
    let (_listener, address) = silent_listener();
    let port = address.port().to_string();
    let changes = [("DATABASE__PORT", port.as_str()), ("PROBE__TIME_LIMIT_MS", "500")];
    let health = Health::start(env_with(&db, &changes)).await;
    let hung = "no answer within 500 ms";
    health.report_where("the time limit", |report| report.checks["database"].message == hung).await;
    let mut slowest = Duration::ZERO;
    for _ in 0..200 {
        let started = Instant::now();
        let (status, report) = health.report().await;
        slowest = slowest.max(started.elapsed());
        assert_eq!((status.as_u16(), report.causes.as_slice()), (503, ["postgresql".to_owned()].as_slice()));
    }
    assert!(slowest < FAST, "the slowest answer took {slowest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_hangs_fails_its_own_check_and_heals() {
    let db = Database::create().await;
    let health = Health::start(env_with(&db, &[("PROBE__TIME_LIMIT_MS", "1000")])).await;
    let drains = |report: &HealthReport| report.checks["task_queue"].message == "no worker is alive";
    health
        .report_where("the queue", |report| drains(report) && is(report, "database", HealthStatus::Healthy))
        .await;
    let admin = db.admin().await;
    admin.batch_execute("begin; lock table task in access exclusive mode").await.unwrap();
    let (_, report) = health.report_where("the hang", |report| !drains(report)).await;
    assert!(is(&report, "database", HealthStatus::Healthy), "{:?}", report.checks["database"]);
    assert_eq!(report.checks["task_queue"].cause.as_deref(), Some("task_queue"));
    admin.batch_execute("rollback").await.unwrap();
    health.report_where("the release", drains).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_database_is_the_cause_of_every_service_that_needs_it_and_heals() {
    let db = Database::create().await;
    let proxy = ChaosProxy::start(db.address()).await;
    let port = proxy.address().port().to_string();
    let gone = format!("http://{NOWHERE}");
    let changes = [
        ("DATABASE__PORT", port.as_str()),
        ("SERVICES__GATEWAY__URL", &gone),
        ("SERVICES__AUTH__URL", &gone),
        ("SERVICES__WEB__URL", &gone),
    ];
    let health = Health::start(env_with(&db, &changes)).await;
    let well = |report: &HealthReport| {
        is(report, "database", HealthStatus::Healthy)
            && is(report, "postgresql_functions", HealthStatus::Healthy)
    };
    let (_, report) = health
        .report_where("the database", |report| well(report) && is(report, "web", HealthStatus::Unhealthy))
        .await;
    assert_eq!(report.checks["web"].cause.as_deref(), Some("web"));

    proxy.cut();
    let (status, report) =
        health.report_where("the loss", |report| is(report, "database", HealthStatus::Unhealthy)).await;
    assert_eq!(status, 503);
    for name in ["gateway", "auth", "web", "database"] {
        assert_eq!(report.checks[name].cause.as_deref(), Some("postgresql"), "{name}");
    }
    let since = report.checks["database"].since.unwrap();
    let later = |report: &HealthReport| report.checks["database"].timestamp.unwrap() > since;
    let (_, report) = health.report_where("another question", later).await;
    assert_eq!(report.checks["database"].since, Some(since), "the first failure is remembered");

    proxy.heal();
    let (_, report) = health.report_where("recovery", well).await;
    assert_eq!(report.checks["database"].since, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_alive_and_not_ready_says_why_to_operators() {
    let db = Database::create().await;
    let service = answering(|request| {
        let not_ready = r#"{"ready":false,"checks":[{"name":"database","ready":false,"reason":"gone"}]}"#;
        if request.starts_with(b"GET /livez ") {
            http("200 OK", "alive")
        } else {
            http("503 Not Now", not_ready)
        }
    });
    let admin = format!("http://{service}/");
    let health = Health::start(env_with(&db, &[("SERVICES__AUTH__URL", &admin)])).await;
    let (_, report) = health
        .report_where("both", |report| {
            is(report, "database", HealthStatus::Healthy)
                && is(report, "postgresql_functions", HealthStatus::Healthy)
                && report.checks["auth"].timestamp.is_some()
        })
        .await;
    let seen = &report.checks["auth"];
    assert_eq!((seen.status, seen.message.as_str()), (HealthStatus::Unhealthy, "alive, but not ready"));
    assert_eq!(seen.cause.as_deref(), Some("auth"), "the database answers");
    assert!(!seen.critical && seen.details.is_empty());
    let (_, detailed) = health.get("/health/detailed/").await;
    assert!(detailed.contains("gone"), "{detailed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_takes_no_writes_is_not_healthy() {
    let db = Database::create().await;
    let sql = format!("alter database {} set default_transaction_read_only = on", db.name());
    db.admin().await.batch_execute(&sql).await.unwrap();
    let health = Health::start(env(&db)).await;
    let (_, report) =
        health.report_where("an answer", |report| report.checks["database"].timestamp.is_some()).await;
    let seen = &report.checks["database"];
    assert_eq!((seen.status, seen.message.as_str()), (HealthStatus::Unhealthy, "accepts no writes"));
}
