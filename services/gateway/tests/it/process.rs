//! The binary.

use testkit::process::Binary;

use crate::world::CSRF_SECRET;

pub(crate) fn gateway() -> Binary {
    Binary::new(env!("CARGO_BIN_EXE_gateway")).env(testkit::process_env()).set(&[
        ("PROCESS__ENVIRONMENT", "production"),
        ("CSRF__SECRET", CSRF_SECRET),
        ("TRUST__INTERNAL_KEY", testkit::INTERNAL_KEY),
        ("TRUSTED_PROXIES__NONE_IN_FRONT", "true"),
    ])
}

#[tokio::test]
async fn the_process_gets_ready_and_ends_with_its_signal() {
    gateway().start().await.terminate().await;
}

#[tokio::test]
async fn the_settings_can_be_checked_and_printed_without_their_secrets() {
    gateway().accepts_settings().await;
    let shown = gateway().printed_settings().await;
    assert!(shown.contains("secret = \"***\"") && shown.contains("internal_key = \"***\""), "{shown}");
    assert!(shown.contains("prefix = \"/api/v1/session\""), "{shown}");
}

#[tokio::test]
async fn production_refuses_weak_secrets() {
    let weak = gateway().set(&[("CSRF__SECRET", "changeme")]);
    weak.refuses_settings(&["csrf.secret"]).await;
    weak.set(&[("PROCESS__ENVIRONMENT", "development")]).accepts_settings().await;
}

#[tokio::test]
async fn production_wants_to_know_whether_proxies_stand_in_front() {
    let silent = gateway().set(&[("TRUSTED_PROXIES__NONE_IN_FRONT", "false")]);
    silent.refuses_settings(&["trusted_proxies.networks"]).await;
}

#[tokio::test]
async fn every_mistake_in_the_settings_is_named() {
    gateway()
        .set(&[
            ("UPSTREAMS__AUTH", "https://auth/path"),
            ("LIMITS__UPSTREAM_TIMEOUT_MS", "15000"),
            ("IDENTITY__CACHE_MS", "60000"),
        ])
        .refuses_settings(&["upstreams.auth", "limits.upstream_timeout_ms", "identity.cache_ms"])
        .await;
}
