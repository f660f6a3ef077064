//! The audit trail from the terminal.

use testkit::Database;
use testkit::process::Binary;

use crate::home::Folder;
use crate::youtility;

/// A database with a sealed trail, and the command that works on it as the schema's owner.
async fn owner() -> (Database, Binary, Folder) {
    let (db, home) = (Database::create().await, Folder::new());
    db.client("ACME").await;
    let sql = "insert into audit_event (client_id, id, action, subject_kind, correlation_id, detail)
               select client_id, gen_random_uuid(), 'door_opened', 'door', gen_random_uuid(), '{\"key\": \"a\\u001b[2K\"}'
                 from client";
    db.admin().await.batch_execute(sql).await.unwrap();
    db.admin().await.batch_execute("select seal_audit_trail(100)").await.unwrap();
    let home_env = ("YOUTILITY_HOME".to_owned(), home.path().to_str().unwrap().to_owned());
    let command = youtility().env(db.env("owner")).env([home_env]);
    (db, command, home)
}

#[tokio::test]
async fn a_trail_as_it_was_written_is_verified_and_its_end_can_be_kept() {
    let (db, command, _home) = owner().await;
    let said = command.run(&["audit", "verify"]).await.succeeded();
    assert!(said.contains("ACME: 1 lines, end 1:"), "{said}");
    let end = said.split("end ").nth(1).unwrap().trim();
    command.run(&["audit", "verify", "--client", "ACME", "--head", end]).await.succeeded();
    let other = format!("1:{}", "0".repeat(64));
    let said = command.run(&["audit", "verify", "--client", "ACME", "--head", &other]).await.failed();
    assert!(said.contains("the trails are not as they were written"), "{said}");
    db.client("OTHER").await;
    let said = command.run(&["audit", "verify"]).await.succeeded();
    assert!(said.contains("OTHER: nothing is sealed yet"), "{said}");
}

#[tokio::test]
async fn a_trail_that_was_changed_fails_the_command() {
    let (db, command, _home) = owner().await;
    let meddling = "set session_replication_role = replica; update audit_event set action = 'door_closed'";
    db.admin().await.batch_execute(meddling).await.unwrap();
    let said = command.run(&["audit", "verify"]).await.failed();
    assert!(said.contains("the trails are not as they were written"), "{said}");
    let said = command.run(&["audit", "verify", "--client", "NOBODY"]).await.failed();
    assert!(said.contains("there is no client NOBODY"), "{said}");
}

#[tokio::test]
async fn the_latest_lines_are_printed_and_no_terminal_obeys_them() {
    let (_db, command, _home) = owner().await;
    let said = command.run(&["audit", "list", "--client", "ACME"]).await.succeeded();
    assert!(said.contains("1 lines") && said.contains("door_opened  door"), "{said}");
    assert!(!said.contains('\u{1b}'), "{said:?}");
}
