//! What a healthy system looks like, and what is said to whom.

use api::health::{HealthReport, HealthStatus, Readiness, ReadyReport};
use testkit::Database;

use crate::stage::{Health, env, env_with};

async fn worker_beats(db: &Database) {
    let sql = "insert into task_worker (id, name, state, queues, running, buffered)
               values (gen_random_uuid(), 'test', 'WORKING', '{default}', 0, 0)";
    db.admin().await.execute(sql, &[]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_with_a_worker_is_healthy() {
    let db = Database::create().await;
    worker_beats(&db).await;
    let health = Health::start(env(&db)).await;
    let (status, report) =
        health.report_where("health", |report| report.status == HealthStatus::Healthy).await;
    assert_eq!(status, 200);
    assert_eq!(report.causes, Vec::<String>::new());
    let names: Vec<&str> = report.checks.keys().map(String::as_str).collect();
    assert_eq!(names, ["database", "postgresql_functions", "task_queue"]);
    let database = &report.checks["database"];
    assert_eq!((database.message.as_str(), database.since), ("answers", None));
    assert_eq!(database.details["connection_status"], "connected");
    let functions = &report.checks["postgresql_functions"].details["functions"];
    assert_eq!(*functions, serde_json::json!({ "check_rate_limit": true, "cleanup_expired_sessions": true }));
    let (status, ready) = health.get("/ready/").await;
    assert_eq!(
        (status.as_u16(), serde_json::from_str::<ReadyReport>(&ready).unwrap().status),
        (200, Readiness::Ready)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_and_figures_stand_in_the_detailed_report_only() {
    let db = Database::create().await;
    let health = Health::start(env(&db)).await;
    let asked = |report: &HealthReport| report.checks.values().all(|check| check.timestamp.is_some());
    health.report_where("all answers", asked).await;
    let (_, open) = health.get("/health/").await;
    let (status, detailed) = health.get("/health/detailed/").await;
    assert_eq!(status, 200);
    for word in ["database_version", "workers_alive", "system_info", "process_id"] {
        assert!(!open.contains(word), "{word} in {open}");
        assert!(detailed.contains(word), "{word} not in {detailed}");
    }
    let password = db.settings("health").password.expose().to_owned();
    for secret in [password.as_str(), "youtility_health", db.name(), "127.0.0.1"] {
        assert!(!detailed.contains(secret), "{secret} in {detailed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_function_is_named() {
    let db = Database::create().await;
    db.admin().await.batch_execute("drop function cleanup_expired_sessions()").await.unwrap();
    let health = Health::start(env(&db)).await;
    let (status, report) = health
        .report_where("the look into the catalogue", |report| {
            report.checks["database"].status == HealthStatus::Healthy
                && report.checks["postgresql_functions"].message == "missing: cleanup_expired_sessions"
        })
        .await;
    assert_eq!((status.as_u16(), report.status), (503, HealthStatus::Unhealthy));
    assert!(report.causes.contains(&"postgresql_functions".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn alive_needs_nobody() {
    let db = Database::create().await;
    let health = Health::start(env_with(&db, &[("DATABASE__PORT", "1")])).await;
    let (status, alive) = health.get("/alive/").await;
    assert_eq!(status, 200);
    assert!(alive.contains(r#""status":"alive""#), "{alive}");
    let (status, ready) = health.get("/ready/").await;
    assert_eq!(status, 503);
    assert!(ready.contains("not_ready"), "{ready}");
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_do_not_exist_are_problems() {
    let db = Database::create().await;
    let health = Health::start(env(&db)).await;
    let (status, problem) = health.get("/health/secret/").await;
    assert_eq!(status, 404);
    assert!(problem.contains("/problems/not-found"), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_is_ready_once_everything_was_asked() {
    let db = Database::create().await;
    let health = Health::start(env(&db)).await;
    testkit::wait_until_ready(health.running.admin).await;
    health.running.stop().await.unwrap();
}
