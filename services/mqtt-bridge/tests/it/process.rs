//! The binary itself.

use testkit::Database;
use testkit::process::Binary;

use crate::world::{TestBroker, environment};

const STRONG: &str = "q8Zt4nXw1Lr7Vb2Ky9Hs3Md6Pf0Gj5Tc8Ra4We1Uo7Ix2NzQvEyB";

fn bridge() -> Binary {
    Binary::new(env!("CARGO_BIN_EXE_mqtt-bridge"))
}

#[tokio::test]
async fn the_binary_becomes_ready_and_leaves_with_zero_at_sigterm() {
    let db = Database::create().await;
    let broker = TestBroker::start().await;
    bridge().env(environment(&db, broker.port)).start().await.terminate().await;
}

#[tokio::test]
async fn weak_secrets_are_refused_in_production_all_at_once() {
    let weak = bridge().set(&[("BROKER__PASSWORD", "changeme")]);
    weak.refuses_settings(&["database.password", "broker.password"]).await;
}

#[tokio::test]
async fn unknown_keys_and_impossible_values_are_named() {
    let development = bridge().set(&[("PROCESS__ENVIRONMENT", "development")]);
    development.clone().set(&[("BROKER__HOSTNAME", "x")]).refuses_settings(&["hostname"]).await;
    let impossible = development.set(&[("BROKER__KEEP_ALIVE_SECONDS", "1")]);
    impossible.refuses_settings(&["broker.keep_alive_seconds"]).await;
}

#[tokio::test]
async fn strong_secrets_pass_and_are_never_printed() {
    let strong = bridge().set(&[("DATABASE__PASSWORD", STRONG), ("BROKER__PASSWORD", STRONG)]);
    strong.accepts_settings().await;
    let shown = strong.printed_settings().await;
    assert!(shown.contains("client_id = \"youtility-bridge-0\""), "{shown}");
}
