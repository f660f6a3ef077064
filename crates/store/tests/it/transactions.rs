//! What a transaction promises: isolation, repetition, tenant scope, a clean connection afterwards.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use domain::{Actor, ClientId, Fault, FaultKind, SiteId};
use store::{Error, Statement, Store};
use testkit::Database;

static NUMBER: Statement<(), i64> = Statement::new("test::NUMBER", "select last_number from ticket_counter");
static SET_NUMBER: Statement<(i64,), ()> =
    Statement::new("test::SET_NUMBER", "update ticket_counter set last_number = $1");
static START: Statement<(ClientId,), ()> =
    Statement::new("test::START", "insert into ticket_counter (client_id) values ($1)");
static SITES: Statement<(), SiteId> = Statement::new("test::SITES", "select id from site");
static SLEEP: Statement<(), ()> = Statement::new("test::SLEEP", "select pg_sleep_for('30 s')");
static NONSENSE: Statement<(), ()> = Statement::new("test::NONSENSE", "select 1 / 0");

async fn start_counter(store: &Store, actor: &Actor) {
    store
        .run_tx(actor, "start_counter", |tx| async move { tx.execute_one(&START, (actor.client_id,)).await })
        .await
        .unwrap();
}

async fn number(store: &Store, actor: &Actor) -> i64 {
    store.read(actor, "read_number", |tx| async move { tx.one(&NUMBER, ()).await }).await.unwrap()
}

async fn increment(store: &Store, actor: &Actor) -> Result<(), Error> {
    store
        .run_tx(actor, "increment", |tx| async move {
            let number = tx.one(&NUMBER, ()).await?;
            tx.execute_one(&SET_NUMBER, (number + 1,)).await
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_hundred_increments_by_eight_rivals_count_four_hundred() {
    let db = Database::create().await;
    let actor = db.actor(db.client("ACME").await);
    let mut settings = db.settings("web");
    settings.transaction_attempts_max = 100;
    let store = Store::new(&settings, "test").unwrap();
    start_counter(&store, &actor).await;
    let mut rivals = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (store, actor) = (store.clone(), actor.clone());
        rivals.spawn(async move {
            for _ in 0..50 {
                increment(&store, &actor).await.unwrap();
            }
        });
    }
    rivals.join_all().await;
    assert_eq!(number(&store, &actor).await, 400);
}

#[tokio::test]
async fn a_transaction_that_always_loses_ends_as_unavailable() {
    let db = Database::create().await;
    let actor = db.actor(db.client("ACME").await);
    let mut settings = db.settings("web");
    settings.transaction_attempts_max = 3;
    let store = Store::new(&settings, "test").unwrap();
    start_counter(&store, &actor).await;
    let attempts = AtomicU32::new(0);
    let error = store
        .run_tx(&actor, "lose", |tx| {
            attempts.fetch_add(1, Ordering::Relaxed);
            let (store, actor) = (&store, &actor);
            async move {
                let number = tx.one(&NUMBER, ()).await?;
                increment(store, actor).await?;
                tx.execute_one(&SET_NUMBER, (number + 1,)).await
            }
        })
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.code()), (FaultKind::Unavailable, "database-busy"));
    assert_eq!(error.sqlstate(), Some("40001"));
    assert_eq!(attempts.into_inner(), 3);
}

#[tokio::test]
async fn a_dropped_transaction_leaves_nothing_behind() {
    let db = Database::create().await;
    let actor = db.actor(db.client("ACME").await);
    let mut settings = db.settings("web");
    settings.pool_size = 1;
    let store = Store::new(&settings, "test").unwrap();
    start_counter(&store, &actor).await;
    let abandoned = store.run_tx(&actor, "abandon", |tx| async move {
        tx.execute_one(&SET_NUMBER, (99,)).await?;
        tx.execute(&SLEEP, ()).await?;
        Ok::<_, Error>(())
    });
    assert!(tokio::time::timeout(Duration::from_millis(300), abandoned).await.is_err());
    assert_eq!(number(&store, &actor).await, 0);
    increment(&store, &actor).await.unwrap();
    assert_eq!(number(&store, &actor).await, 1);
}

#[tokio::test]
async fn an_error_of_the_caller_rolls_back() {
    let db = Database::create().await;
    let actor = db.actor(db.client("ACME").await);
    let store = db.store("web");
    start_counter(&store, &actor).await;
    let refused = store
        .run_tx(&actor, "change_mind", |tx| async move {
            tx.execute_one(&SET_NUMBER, (5,)).await?;
            Err::<(), _>(Error::Stale { statement: "test" })
        })
        .await;
    assert!(matches!(refused, Err(Error::Stale { .. })));
    assert_eq!(number(&store, &actor).await, 0);
}

#[tokio::test]
async fn a_swallowed_failure_does_not_look_like_success() {
    let db = Database::create().await;
    let actor = db.actor(db.client("ACME").await);
    let store = db.store("web");
    start_counter(&store, &actor).await;
    let outcome = store
        .run_tx(&actor, "swallow", |tx| async move {
            tx.execute_one(&SET_NUMBER, (5,)).await?;
            assert!(tx.execute(&NONSENSE, ()).await.is_err());
            Ok::<_, Error>(())
        })
        .await;
    assert!(matches!(outcome, Err(Error::WentOn { transaction: "swallow" })));
    assert_eq!(number(&store, &actor).await, 0);
}

#[tokio::test]
async fn another_tenants_rows_do_not_exist() {
    let db = Database::create().await;
    let (acme, other) = (db.client("ACME").await, db.client("OTHER").await);
    let ours = db.site(acme, "HQ").await;
    db.site(other, "HQ").await;
    let store = db.store("web");
    let seen = store
        .read(&db.actor(acme), "list_sites", |tx| async move { tx.all(&SITES, ()).await })
        .await
        .unwrap();
    assert_eq!(seen, [ours]);
    let unscoped =
        store.run_system("list_sites", |tx| async move { tx.all(&SITES, ()).await }).await.unwrap();
    assert_eq!(unscoped, []);
}

#[tokio::test]
async fn nothing_can_be_inserted_for_another_tenant() {
    let db = Database::create().await;
    let (acme, other) = (db.client("ACME").await, db.client("OTHER").await);
    let error = db
        .store("web")
        .run_tx(&db.actor(acme), "trespass", |tx| async move { tx.execute_one(&START, (other,)).await })
        .await
        .unwrap_err();
    assert_eq!(error.sqlstate(), Some("42501"));
    assert_eq!(error.kind(), FaultKind::Internal);
}

#[tokio::test]
async fn a_read_cannot_write() {
    let db = Database::create().await;
    let actor = db.actor(db.client("ACME").await);
    let store = db.store("web");
    let attempts = AtomicU32::new(0);
    let outcome = store
        .read(&actor, "write_anyway", |tx| {
            attempts.fetch_add(1, Ordering::Relaxed);
            async move { tx.execute_one(&START, (actor.client_id,)).await }
        })
        .await;
    let error = outcome.unwrap_err();
    assert_eq!((error.sqlstate(), error.kind()), (Some("25006"), FaultKind::Internal));
    assert_eq!(attempts.into_inner(), 1);
}

#[tokio::test]
async fn the_scope_ends_with_its_transaction() {
    let db = Database::create().await;
    let acme = db.client("ACME").await;
    db.site(acme, "HQ").await;
    let mut settings = db.settings("web");
    settings.pool_size = 1;
    let store = Store::new(&settings, "test").unwrap();
    let list = async |name| {
        store.run_single(name, |tx| async move { tx.all(&SITES, ()).await }).await.unwrap().len()
    };
    store.read(&db.actor(acme), "list_sites", |tx| async move { tx.all(&SITES, ()).await }).await.unwrap();
    assert_eq!(list("list_sites").await, 0);
}

#[tokio::test]
async fn a_broken_constraint_is_named_for_the_client() {
    static COPY: Statement<(ClientId,), ()> = Statement::new(
        "test::COPY",
        "insert into ticket (client_id, id, number, site_id, title, priority, source, correlation_id)
         values ($1, gen_random_uuid(), 1, gen_random_uuid(), 'Leak', 'LOW', 'PERSON', gen_random_uuid())",
    );
    let db = Database::create().await;
    let acme = db.client("ACME").await;
    let error = db
        .store("web")
        .run_tx(&db.actor(acme), "create_ticket", |tx| async move { tx.execute_one(&COPY, (acme,)).await })
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.code()), (FaultKind::Invalid, "unknown-reference"));
    assert_eq!(error.fields()[0].pointer, "/site_id");
    assert_eq!(error.constraint(), Some("ticket_site_fkey"));
    assert!(error.is_about_values());
}
