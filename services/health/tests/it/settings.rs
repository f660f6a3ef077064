//! The settings, and how they fit those of the others.

use api::health::HealthStatus;
use testkit::Database;

use crate::stage::{Health, env, env_with};

/// Where a service's admin listener is unless somebody moves it.
fn admin_bind(service: &str) -> String {
    let file = format!("{}/../{service}/default.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&file).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("admin_bind = ")).unwrap();
    line.trim_matches('"').to_owned()
}

#[test]
fn by_default_every_service_is_asked_where_it_listens_by_default() {
    let pairs = [("YOUTILITY_PROCESS__ENVIRONMENT".to_owned(), "development".to_owned())];
    let settings: health::Settings = service::load_settings(&health::about(), &[], pairs).unwrap();
    let mut taken = vec![admin_bind("health")];
    for (name, service) in &settings.services {
        let bind = admin_bind(&name.replace('_', "-"));
        assert_eq!(service.url, format!("http://{bind}"), "{name}");
        assert!(!taken.contains(&bind), "{name} shares {bind}");
        taken.push(bind);
    }
    assert_eq!(taken.len(), 6);
}

#[test]
fn the_word_for_tls_that_every_process_takes_is_taken_here_too() {
    for tls in ["disable", "prefer", "require", "verify-ca", "verify-full"] {
        let pairs = [("PROCESS__ENVIRONMENT", "development"), ("DATABASE__TLS", tls)];
        let pairs = pairs.map(|(key, value)| (format!("YOUTILITY_{key}"), value.to_owned()));
        let settings = service::load_settings::<health::Settings>(&health::about(), &[], pairs);
        assert!(settings.is_ok(), "{tls}: {settings:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_ca_believes_the_authority_and_overlooks_the_name() {
    let db = Database::create().await;
    let ca_file = testkit::ca_file();
    let ca_file = ca_file.to_str().unwrap();
    let asked = async |tls: &str, ca_file: &str| {
        let changes =
            [("DATABASE__HOST", "127.0.0.1"), ("DATABASE__TLS", tls), ("DATABASE__CA_FILE", ca_file)];
        let health = Health::start(env_with(&db, &changes)).await;
        let seen = |report: &api::health::HealthReport| report.checks["database"].timestamp.is_some();
        health.report_where("an answer", seen).await.1.checks["database"].status
    };
    assert_eq!(asked("verify-ca", ca_file).await, HealthStatus::Healthy);
    assert_eq!(asked("verify-full", ca_file).await, HealthStatus::Unhealthy, "its name is localhost");
    assert_eq!(asked("verify-ca", "").await, HealthStatus::Unhealthy, "the authority is its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_in_trouble_degrades_and_keeps_the_product_in_rotation() {
    let db = Database::create().await;
    let health = Health::start(env(&db)).await;
    let (status, report) = health
        .report_where("no worker", |report| {
            report.checks["database"].status == HealthStatus::Healthy
                && report.checks["postgresql_functions"].status == HealthStatus::Healthy
                && report.checks["task_queue"].message == "no worker is alive"
        })
        .await;
    assert_eq!((status.as_u16(), report.status), (200, HealthStatus::Degraded));
    assert_eq!(health.get("/ready/").await.0.as_u16(), 200);
}
