//! TLS in each of libpq's modes, against a server whose certificate names `localhost` only.

use store::{DatabaseSettings, Error, Statement, Store, TlsMode};
use testkit::Database;

static ENCRYPTED: Statement<(), bool> =
    Statement::new("test::ENCRYPTED", "select ssl from pg_stat_ssl where pid = pg_backend_pid()");

fn settings(db: &Database, tls: TlsMode, host: &str) -> DatabaseSettings {
    let ca_file = testkit::ca_file().to_string_lossy().into_owned();
    DatabaseSettings { tls, host: host.to_owned(), ca_file, ..db.settings("web") }
}

async fn encrypted(settings: &DatabaseSettings) -> Result<bool, Error> {
    let store = Store::new(settings, "test")?;
    store.run_system("look_at_encryption", |tx| async move { tx.one(&ENCRYPTED, ()).await }).await
}

#[tokio::test]
async fn disable_does_not_encrypt_and_prefer_does() {
    let db = Database::create().await;
    assert!(!encrypted(&settings(&db, TlsMode::Disable, "localhost")).await.unwrap());
    assert!(encrypted(&settings(&db, TlsMode::Prefer, "127.0.0.1")).await.unwrap());
}

#[tokio::test]
async fn a_trusted_certificate_of_the_right_name_is_believed() {
    let db = Database::create().await;
    for mode in [TlsMode::Require, TlsMode::VerifyCa, TlsMode::VerifyFull] {
        assert!(encrypted(&settings(&db, mode, "localhost")).await.unwrap(), "{mode:?}");
    }
}

#[tokio::test]
async fn another_name_is_refused_unless_only_the_authority_counts() {
    let db = Database::create().await;
    for mode in [TlsMode::Require, TlsMode::VerifyFull] {
        let error = encrypted(&settings(&db, mode, "127.0.0.1")).await.unwrap_err();
        assert!(matches!(error, Error::Pool(_)), "{mode:?}: {error:?}");
    }
    assert!(encrypted(&settings(&db, TlsMode::VerifyCa, "127.0.0.1")).await.unwrap());
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused() {
    let db = Database::create().await;
    for mode in [TlsMode::Require, TlsMode::VerifyCa, TlsMode::VerifyFull] {
        let settings = DatabaseSettings { ca_file: String::new(), ..settings(&db, mode, "localhost") };
        assert!(encrypted(&settings).await.is_err(), "{mode:?}");
    }
}

#[test]
fn a_missing_authority_is_named_at_start() {
    let settings = DatabaseSettings {
        tls: TlsMode::VerifyFull,
        ca_file: "/nowhere/ca.pem".to_owned(),
        ..DatabaseSettings::default()
    };
    let error = Store::new(&settings, "test").err().unwrap();
    assert_eq!(error.to_string(), "the certificate authorities in /nowhere/ca.pem cannot be read");
}
