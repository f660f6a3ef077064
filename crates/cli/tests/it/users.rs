//! People and clients from the terminal, as the owner of the schema.

use domain::Capability;
use testkit::Database;
use testkit::process::Binary;

use crate::home::Folder;
use crate::youtility;

/// A client `ACME` with a person `asha` who has `WEB`, another client, and the command.
async fn owner() -> (Database, Binary, Folder) {
    let (db, home) = (Database::create().await, Folder::new());
    let (acme, other) = (db.client("ACME").await, db.client("OTHER").await);
    for client in [acme, other] {
        db.person(client, "asha")
            .login(&format!("asha.{client}"), "Walk-the-site-42")
            .capabilities(&[Capability::Web])
            .await;
    }
    let home_env = ("YOUTILITY_HOME".to_owned(), home.path().to_str().unwrap().to_owned());
    let command = youtility().env(db.env("owner")).env([home_env]);
    (db, command, home)
}

const ASHA: [&str; 4] = ["--client", "ACME", "--person", "asha"];

async fn run(command: &Binary, words: &[&str], rest: &[&str]) -> String {
    command.run(&[words, &ASHA, rest].concat()).await.succeeded()
}

#[tokio::test]
async fn what_reaches_every_client_is_given_and_taken_here_and_written_down() {
    let (db, command, _home) = owner().await;
    let said = run(&command, &["user", "grant"], &["support", "OPERATE", "WEB"]).await;
    assert!(said.contains("2 of 3 capabilities changed"), "{said}");
    let said = run(&command, &["user", "show"], &[]).await;
    assert!(said.contains("given     OPERATE SUPPORT WEB"), "{said}");
    let said = run(&command, &["user", "revoke"], &["OPERATE"]).await;
    assert!(said.contains("1 of 1 capabilities changed"), "{said}");
    // The person of the same code in another client has what they had.
    assert_eq!(db.count("select count(*) from person_capability").await, 3);
    let lines =
        "select count(*) from audit_event where action in ('capabilities_given', 'capabilities_taken')
                  and detail ->> 'by' like 'cli:%'";
    assert_eq!(db.count(lines).await, 2);
}

#[tokio::test]
async fn a_client_loses_what_is_taken_and_others_keep_it() {
    let (db, command, _home) = owner().await;
    let before = db.count("select count(*) from client_capability").await;
    let said = command.run(&["client", "revoke", "--client", "ACME", "REPORT", "NOC"]).await.succeeded();
    assert!(said.contains("2 of 2 capabilities changed"), "{said}");
    assert_eq!(db.count("select count(*) from client_capability").await, before - 2);
    let said = command.run(&["client", "list"]).await.succeeded();
    let acme = said.lines().find(|line| line.contains("ACME")).unwrap();
    assert!(!acme.contains("REPORT") && said.contains("REPORT"), "{said}");
    let said = command.run(&["client", "grant", "--client", "ACME", "REPORT"]).await.succeeded();
    assert!(said.contains("1 of 1 capabilities changed"), "{said}");
}

#[tokio::test]
async fn people_are_listed_shut_out_and_let_in_again() {
    let (db, command, _home) = owner().await;
    let boss = "insert into person_capability (client_id, person_id, capability) select client_id, id, 'ADMIN' from person";
    db.admin().await.batch_execute(boss).await.unwrap();
    let acme: domain::ClientId = db
        .admin()
        .await
        .query_one("select client_id from client where code = 'ACME'", &[])
        .await
        .unwrap()
        .get(0);
    db.person(acme, "ben").name("Ben Roy").login("ben", "Walk-the-site-42").await;
    let said = command.run(&["user", "list", "--client", "ACME"]).await.succeeded();
    assert!(said.contains("asha  asha  login asha.") && said.contains("ben  Ben Roy  login ben"), "{said}");
    let sql = "insert into session (client_id, id, person_id, token_hash, idle_expires_at, expires_at)
               select client_id, gen_random_uuid(), id, sha256(id::text::bytea), now() + interval '1 hour', now() + interval '1 hour'
                 from person";
    db.admin().await.batch_execute(sql).await.unwrap();
    let live = "select count(*) from session where revoked_at is null";
    let said = run(&command, &["user", "end-sessions"], &[]).await;
    assert!(said.contains("1 sessions ended"), "{said}");
    assert_eq!(db.count(live).await, 2);
    run(&command, &["user", "disable"], &[]).await;
    assert_eq!(db.count("select count(*) from person where not enabled").await, 1);
    run(&command, &["user", "enable"], &[]).await;
    assert_eq!(db.count("select count(*) from person where not enabled").await, 0);
    let said = command.run(&["user", "show", "--client", "ACME", "--person", "nobody"]).await.failed();
    assert!(said.contains("there is no person nobody in ACME"), "{said}");
}
