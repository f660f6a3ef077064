//! The binary itself.

use testkit::identity::Signer;
use testkit::process::Binary;

use crate::stage::{Ground, env};

/// The binary on a database.
pub(crate) fn auth(ground: &Ground) -> Binary {
    Binary::new(env!("CARGO_BIN_EXE_auth")).env(env(&ground.db))
}

#[tokio::test]
async fn it_starts_gets_ready_and_ends_with_0_on_sigterm() {
    let ground = Ground::lay().await;
    auth(&ground).start().await.terminate().await;
}

#[tokio::test]
async fn settings_are_checked_and_printed_without_secrets() {
    let ground = Ground::lay().await;
    auth(&ground).accepts_settings().await;
    let shown = auth(&ground).printed_settings().await;
    for key in ["password = \"***\"", "signing_key = \"***\"", "internal_key = \"***\""] {
        assert!(shown.contains(key), "{key} in {shown}");
    }
}

#[tokio::test]
async fn weak_secrets_and_foreign_keys_are_refused_in_production() {
    let ground = Ground::lay().await;
    let stranger = Signer::generate();
    auth(&ground)
        .set(&[
            ("PROCESS__ENVIRONMENT", "production"),
            ("DATABASE__PASSWORD", "changeme"),
            ("TRUST__INTERNAL_KEY", "short"),
            ("IDENTITY__SIGNING_KEY", stranger.private_pem()),
            ("IDENTITY__LIFETIME_SECONDS", "3600"),
        ])
        .refuses_settings(&[
            "database.password",
            "trust.internal_key",
            "identity.signing_key",
            "identity.lifetime_seconds",
        ])
        .await;
}
