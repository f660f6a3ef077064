//! Cleaning up by hand.

use testkit::Database;
use testkit::process::Binary;

use crate::home::Folder;
use crate::youtility;

/// A database and the command that works on it as the schema's owner.
async fn owner() -> (Database, Binary, Folder) {
    let (db, home) = (Database::create().await, Folder::new());
    let home_env = ("YOUTILITY_HOME".to_owned(), home.path().to_str().unwrap().to_owned());
    let command = youtility().env(db.env("owner")).env([home_env]);
    (db, command, home)
}

#[tokio::test]
async fn sessions_that_ended_are_counted_first_and_removed_when_that_is_meant() {
    let (db, command, _home) = owner().await;
    let client = db.client("ACME").await;
    let asha = db.person(client, "asha").await;
    let sql = "insert into session (client_id, id, person_id, token_hash, idle_expires_at, expires_at)
               select $1, gen_random_uuid(), $2, sha256(number::text::bytea),
                      now() + make_interval(mins => number), now() + make_interval(mins => number + 60)
                 from generate_series(-1, 1, 2) as number";
    db.admin().await.execute(sql, &[&client, &asha]).await.unwrap();
    let said = command.run(&["cleanup-sessions", "--dry-run"]).await.succeeded();
    assert!(said.contains("1 sessions have ended"), "{said}");
    assert_eq!(db.count("select count(*) from session").await, 2);
    let said = command.run(&["cleanup-sessions"]).await.succeeded();
    assert!(said.contains("1 sessions removed, 1 left"), "{said}");
}

#[tokio::test]
async fn counted_attempts_are_shown_and_forgotten_by_name_by_address_and_all() {
    let (db, command, _home) = owner().await;
    let attempt = "select reserve_sign_in_attempt(inet '192.0.2.1', login, interval '15 minutes', 5, 15)
                     from unnest(array['asha', 'ben']) as login";
    db.admin().await.query(attempt, &[]).await.unwrap();
    let said = command.run(&["reset-rate-limit", "--show"]).await.succeeded();
    assert!(said.contains("3 counters") && said.contains("login:asha  1"), "{said}");
    for (arguments, left) in [
        (["reset-rate-limit", "--username", "Asha"].as_slice(), 2),
        (["reset-rate-limit", "--ip", "192.0.2.1"].as_slice(), 1),
        (["reset-rate-limit", "--all"].as_slice(), 0),
    ] {
        let said = command.run(arguments).await.succeeded();
        assert!(said.contains("1 counters forgotten"), "{said}");
        assert_eq!(db.count("select count(*) from sign_in_counter").await, left);
    }
}

#[tokio::test]
async fn cached_answers_are_measured_cleaned_up_and_cleared_of_one_client_or_all() {
    let (db, command, _home) = owner().await;
    let (acme, other) = (db.client("ACME").await, db.client("OTHER").await);
    let sql = "insert into select2_cache (client_id, key, value, expires_at)
               values ($1, 'a', '1', now() + interval '1 hour'), ($1, 'ran out', '1', now() - interval '1 second'),
                      ($2, 'a', '1', now() + interval '1 hour')";
    db.admin().await.execute(sql, &[&acme, &other]).await.unwrap();
    let run =
        async |arguments: &[&str]| command.run(&[&["select2-cache"], arguments].concat()).await.succeeded();

    let said = run(&["stats"]).await;
    assert!(said.contains("3 cached answers") && said.contains("1 of them ran out"), "{said}");
    assert!(said.contains("mv_people_dropdown  refreshed "), "{said}");
    let said = run(&["stats", "--client", "OTHER"]).await;
    assert!(said.contains("1 cached answers") && said.contains("0 of them ran out"), "{said}");
    let said = run(&["cleanup", "--dry-run"]).await;
    assert!(said.contains("1 cached answers would be removed"), "{said}");
    let said = run(&["cleanup"]).await;
    assert!(said.contains("1 of 3 cached answers removed"), "{said}");
    let said = run(&["clear", "--client", "OTHER"]).await;
    assert!(said.contains("1 cached answers removed"), "{said}");
    assert!(run(&["clear"]).await.contains("1 cached answers removed"));
    assert_eq!(db.count("select count(*) from select2_cache").await, 0);
}
