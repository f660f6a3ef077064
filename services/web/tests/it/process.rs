//! The binary itself.

use domain::Capability;
use serde_json::Value;
use service::HttpClientSettings;
use testkit::Database;
use testkit::identity::Signer;
use testkit::process::{Binary, Started};

const CLIENT: HttpClientSettings =
    HttpClientSettings { connect_timeout_ms: 1000, timeout_ms: 10_000, idle_connections_max: 1 };

fn web() -> Binary {
    Binary::new(env!("CARGO_BIN_EXE_web")).env(crate::harness::env(&[])).env(testkit::trust_env())
}

/// Statements about tickets a process has run; readiness asks the database too, in the background.
async fn statements(web: &Started) -> u64 {
    testkit::metric_count(web.admin, "db_statement_seconds_count", "store::ticket").await
}

#[tokio::test]
async fn the_process_starts_is_ready_and_ends_with_zero_at_sigterm() {
    let db = Database::create().await;
    web().env(db.env("web")).start().await.terminate().await;
}

#[tokio::test]
async fn a_long_list_takes_as_many_statements_as_a_short_one() {
    let db = Database::create().await;
    let client = db.client("ACME").await;
    let site = db.site(client, "HQ").await;
    let person = db.person(client, "asha").await;
    for _ in 0..30 {
        db.ticket(client, site).assignee(person).await;
    }
    let web = web().env(db.env("web")).start().await;
    let http = service::http_client(&CLIENT).unwrap();
    let identity = testkit::identity::of(client, person, Capability::ALL);
    let (name, token) = Signer::shared().header(&identity);
    let mut counts = Vec::new();
    for limit in [1, 30] {
        let before = statements(&web).await;
        let request = http.get(web.url(&format!("/api/v1/tickets?limit={limit}"))).header(name, &token);
        let list: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(list["items"].as_array().unwrap().len(), limit);
        counts.push(statements(&web).await - before);
    }
    assert_eq!(counts[0], counts[1]);
    assert!((1..=3).contains(&counts[0]), "{counts:?}");
    web.terminate().await;
}

#[tokio::test]
async fn the_defaults_need_a_key_and_a_password_in_production_only() {
    Binary::new(env!("CARGO_BIN_EXE_web"))
        .refuses_settings(&["trust.identity_public_key", "trust.internal_key", "database.password"])
        .await;
    web().accepts_settings().await;
}

#[tokio::test]
async fn an_upstream_that_is_no_address_is_named() {
    web().set(&[("UPSTREAMS__AUTH", "auth:7101")]).refuses_settings(&["upstreams.auth"]).await;
}

#[tokio::test]
async fn printed_settings_show_no_secret() {
    let shown = web().set(&[("DATABASE__PASSWORD", "a-password-nobody-may-read")]).printed_settings().await;
    assert!(shown.contains("[upstreams]"), "{shown}");
}
