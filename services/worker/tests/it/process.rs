//! The binary itself.

use testkit::Database;
use testkit::process::Binary;

use crate::world::{TestSink, environment};

fn worker() -> Binary {
    Binary::new(env!("CARGO_BIN_EXE_worker"))
}

#[tokio::test]
async fn the_binary_becomes_ready_and_leaves_with_zero_at_sigterm() {
    let db = Database::create().await;
    let sink = TestSink::start().await;
    worker().env(environment(&db, sink.address)).start().await.terminate().await;
}

#[tokio::test]
async fn weak_secrets_and_missing_settings_are_refused_in_production_all_at_once() {
    worker()
        .set(&[("DATABASE__PASSWORD", "changeme"), ("MAIL__USERNAME", "robot")])
        .refuses_settings(&["database.password", "mail.password", "mail.from", "mail.public_url"])
        .await;
}

#[tokio::test]
async fn unknown_keys_and_impossible_values_are_named() {
    let development = worker().set(&[("PROCESS__ENVIRONMENT", "development")]);
    development.clone().set(&[("MAIL__HOSTNAME", "x")]).refuses_settings(&["hostname"]).await;
    development
        .clone()
        .set(&[("MAIL__FROM", "nobody"), ("QUEUE__LEASE_MS", "1")])
        .refuses_settings(&["mail.from", "queue.lease_ms"])
        .await;
    development
        .set(&[("SCHEDULES__QUEUE_CLEANUP", "at noon"), ("SCHEDULES__TIME_ZONE", "Mars/Olympus")])
        .refuses_settings(&["schedules.queue_cleanup", "schedules.time_zone"])
        .await;
}

#[tokio::test]
async fn what_others_could_hear_on_the_way_is_refused() {
    let strong = worker().set(&[
        ("DATABASE__PASSWORD", "q8Zt4nXw1Lr7Vb2Ky9Hs3Md6Pf0Gj5Tc8Ra4We1Uo7Ix2NzQvEyB"),
        ("MAIL__FROM", "Youtility <no-reply@example.com>"),
        ("MAIL__PUBLIC_URL", "https://app.example.com"),
        ("MAIL__TLS", "none"),
        ("MAIL__HOST", "relay.example.com"),
    ]);
    strong.clone().accepts_settings().await;
    let with_password =
        strong.set(&[("MAIL__USERNAME", "robot"), ("MAIL__PASSWORD", "q8Zt4nXw1Lr7Vb2Ky9Hs3Md6")]);
    with_password.clone().refuses_settings(&["mail.tls"]).await;
    for host in ["localhost", "127.0.0.1", "::1"] {
        with_password.clone().set(&[("MAIL__HOST", host)]).accepts_settings().await;
    }
    with_password
        .clone()
        .set(&[("MAIL__TLS", "starttls"), ("MAIL__PUBLIC_URL", "http://app.example.com")])
        .refuses_settings(&["mail.public_url"])
        .await;
}

#[tokio::test]
async fn strong_secrets_pass_and_are_never_printed() {
    let strong = worker().set(&[
        ("DATABASE__PASSWORD", "q8Zt4nXw1Lr7Vb2Ky9Hs3Md6Pf0Gj5Tc8Ra4We1Uo7Ix2NzQvEyB"),
        ("MAIL__FROM", "Youtility <no-reply@example.com>"),
        ("MAIL__PUBLIC_URL", "https://app.example.com"),
    ]);
    strong.accepts_settings().await;
    let shown = strong.printed_settings().await;
    assert!(shown.contains("ticket_escalate = \"*/30 * * * *\""), "{shown}");
}
