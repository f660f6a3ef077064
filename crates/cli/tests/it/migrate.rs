//! `youtility migrate` on a database.

use store::{compiled_version, embedded_migrations};
use testkit::Database;

use crate::youtility;

#[tokio::test]
async fn an_empty_database_is_migrated_once() {
    let db = Database::create_empty().await;
    let superuser = youtility().env(db.env("superuser"));
    let roles = superuser.run(&["migrate", "--roles"]).await.succeeded();
    assert!(roles.contains("the database roles exist"), "{roles}");

    let owner = youtility().env(db.env("owner"));
    for applied in [embedded_migrations().len(), 0] {
        let said = owner.run(&["migrate"]).await.succeeded();
        let expected = format!("the schema is at version {}; {applied} migrations", compiled_version());
        assert!(said.contains(&expected), "{said}");
    }
}

#[tokio::test]
async fn an_unknown_key_is_named() {
    let mistaken = youtility().set(&[("DATABASE__PASSWORT", "nobody reads this")]);
    let complaint = mistaken.run(&["migrate"]).await.failed();
    assert!(complaint.contains("passwort") && !complaint.contains("nobody reads this"), "{complaint}");
}

#[tokio::test]
async fn a_weak_password_is_refused_in_production() {
    let weak = youtility().set(&[("DATABASE__PASSWORD", "changeme")]);
    let complaint = weak.run(&["migrate"]).await.failed();
    assert!(complaint.contains("database.password") && !complaint.contains("changeme"), "{complaint}");
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_named() {
    let db = Database::create_empty().await;
    let nowhere = youtility().env(db.env("owner")).set(&[("DATABASE__PORT", "1")]);
    let complaint = nowhere.run(&["migrate"]).await.failed();
    assert!(complaint.contains("migrating the database"), "{complaint}");
}
