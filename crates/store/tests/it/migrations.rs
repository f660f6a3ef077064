//! Migrating: once, by one process, forward only.

use domain::{Fault, FaultKind};
use store::{DatabaseSettings, Error};
use testkit::Database;

#[tokio::test]
async fn of_three_processes_that_migrate_at_once_one_does() {
    let db = Database::create_empty().await;
    store::bootstrap(&db.settings("superuser"), &[]).await.unwrap();
    let owner = db.settings("owner");
    let (first, second, third) =
        tokio::join!(store::migrate(&owner), store::migrate(&owner), store::migrate(&owner));
    let applied = [first, second, third].map(|report| report.unwrap().applied.len());
    assert_eq!(applied.iter().sum::<usize>(), store::embedded_migrations().len());
    assert_eq!(applied.iter().filter(|count| **count == 0).count(), 2);
}

#[tokio::test]
async fn a_migrated_database_needs_nothing_and_every_service_sees_its_version() {
    let db = Database::create().await;
    let report = store::migrate(&db.settings("owner")).await.unwrap();
    assert_eq!((report.applied.len(), report.version), (0, store::compiled_version()));
    for role in ["auth", "web", "worker", "bridge", "health"] {
        db.store(role).check().await.unwrap();
    }
}

#[tokio::test]
async fn a_schema_that_is_behind_keeps_services_unready() {
    let db = Database::create().await;
    let sql = "delete from refinery_schema_history where version > 1";
    db.admin().await.execute(sql, &[]).await.unwrap();
    let error = db.store("web").check().await.unwrap_err();
    assert!(matches!(error, Error::SchemaBehind { found: 1, .. }));
    assert_eq!((error.kind(), error.code()), (FaultKind::Unavailable, "schema-behind"));
}

#[tokio::test]
async fn a_changed_migration_is_refused() {
    let db = Database::create().await;
    let sql = "update refinery_schema_history set checksum = '1' where version = 1";
    db.admin().await.execute(sql, &[]).await.unwrap();
    let error = store::migrate(&db.settings("owner")).await.unwrap_err();
    assert!(matches!(error, Error::Migration(_)), "{error:?}");
}

#[tokio::test]
async fn waiting_for_another_process_that_migrates_ends() {
    let db = Database::create().await;
    let admin = db.admin().await;
    admin.execute("select pg_advisory_lock(7016501001)", &[]).await.unwrap();
    let settings = DatabaseSettings { statement_timeout_ms: 300, ..db.settings("owner") };
    let error = store::migrate(&settings).await.unwrap_err();
    assert!(matches!(error, Error::MigrationBusy { .. }), "{error:?}");
}

#[tokio::test]
async fn a_service_role_cannot_migrate() {
    let db = Database::create().await;
    let error = store::migrate(&db.settings("web")).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("42501"));
}

#[tokio::test]
async fn bootstrapping_twice_changes_nothing() {
    let db = Database::create().await;
    let superuser = db.settings("superuser");
    store::create_database(&superuser, db.name()).await.unwrap();
    store::bootstrap(&superuser, &[]).await.unwrap();
    db.store("web").check().await.unwrap();
}
