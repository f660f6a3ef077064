//! Rows that PostgreSQL quotes in its DETAIL stay out of what is printed.

use domain::ClientId;
use store::{Error, Statement};
use testkit::Database;

static SPOIL: Statement<(), ()> =
    Statement::new("test::SPOIL", "insert into ticket_counter (last_number) values (null)");
static TWICE: Statement<(ClientId,), ()> =
    Statement::new("test::TWICE", "insert into ticket_counter (client_id) values ($1), ($1)");

/// Everything a log line could say about an error.
fn printed(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |cause| cause.source());
    causes.map(|cause| format!("{cause}: {cause:?}")).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn an_error_says_what_was_broken_and_shows_no_row() {
    let db = Database::create().await;
    let client = db.client("ACME").await;
    let store = db.store("web");
    let actor = db.actor(client);
    let spoilt =
        store.run_tx(&actor, "spoil", |tx| async move { tx.execute(&SPOIL, ()).await }).await.unwrap_err();
    let said = printed(&spoilt);
    assert!(said.contains("ERROR 23502: null value in column"), "{said}");
    assert!(!said.contains(&client.to_string()) && !said.contains("DETAIL"), "{said}");

    let twice: Error = store
        .run_tx(&actor, "twice", |tx| async move { tx.execute(&TWICE, (client,)).await })
        .await
        .unwrap_err();
    let said = printed(&twice);
    assert!(said.contains("ERROR 23505: duplicate key value"), "{said}");
    assert!(said.contains("(constraint ticket_counter_pkey)"), "{said}");
    assert!(!said.contains(&client.to_string()), "{said}");
    assert_eq!((twice.sqlstate(), twice.constraint()), (Some("23505"), Some("ticket_counter_pkey")));
}
