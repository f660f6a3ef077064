//! The binary itself.

use testkit::Database;
use testkit::process::Binary;

use crate::stage::{env, http_client};

fn health() -> Binary {
    Binary::new(env!("CARGO_BIN_EXE_health"))
}

#[tokio::test]
async fn it_starts_gets_ready_and_ends_with_0_on_sigterm() {
    let db = Database::create().await;
    let started = health().env(env(&db)).start().await;
    assert!(http_client().get(started.url("/alive/")).send().await.unwrap().status().is_success());
    started.terminate().await;
}

#[tokio::test]
async fn settings_are_checked_and_printed_without_secrets() {
    let db = Database::create().await;
    let health = health().env(env(&db));
    health.accepts_settings().await;
    let shown = health.printed_settings().await;
    assert!(shown.contains("password = \"***\""), "{shown}");
}

#[tokio::test]
async fn weak_secrets_are_refused_in_production() {
    health().set(&[("DATABASE__PASSWORD", "changeme")]).refuses_settings(&["database.password"]).await;
}

#[tokio::test]
async fn every_mistake_is_reported_at_once() {
    health()
        .set(&[
            ("PROCESS__ENVIRONMENT", "development"),
            ("PROBE__STALE_AFTER_MS", "10"),
            ("SERVICES__WEB__URL", "not a url"),
        ])
        .refuses_settings(&["probe.stale_after_ms", "services.web.url"])
        .await;
}
