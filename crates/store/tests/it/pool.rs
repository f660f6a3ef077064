//! The pool heals by itself, and every wait in it ends.

use std::time::{Duration, Instant};

use domain::{Fault, FaultKind};
use store::{DatabaseSettings, Error, Statement, Store};
use testkit::{ChaosProxy, Database, wait_until};

static ONE: Statement<(), i32> = Statement::new("test::ONE", "select 1");
static BACKEND: Statement<(), i32> = Statement::new("test::BACKEND", "select pg_backend_pid()");
static SLEEP: Statement<(), ()> = Statement::new("test::SLEEP", "select pg_sleep_for('30 s')");

async fn one(store: &Store) -> Result<i32, Error> {
    store.run_system("select_one", |tx| async move { tx.one(&ONE, ()).await }).await
}

async fn backend(store: &Store) -> i32 {
    store.run_system("find_backend", |tx| async move { tx.one(&BACKEND, ()).await }).await.unwrap()
}

#[tokio::test]
async fn terminated_connections_are_replaced_without_an_error() {
    let db = Database::create().await;
    let store = db.store("web");
    let before = backend(&store).await;
    let admin = db.admin().await;
    let sql = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'youtility_web' and datname = $1";
    admin.execute(sql, &[&db.name()]).await.unwrap();
    assert_ne!(backend(&store).await, before);
}

#[tokio::test]
async fn a_connection_terminated_inside_a_transaction_is_repeated_on_another() {
    let db = Database::create().await;
    let store = db.store("web");
    let admin = db.admin().await;
    let attempts = std::sync::atomic::AtomicU32::new(0);
    let survivor = store
        .run_system("terminate_first", |tx| {
            let first = attempts.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
            let admin = &admin;
            async move {
                let pid = tx.one(&BACKEND, ()).await?;
                if first {
                    admin.execute("select pg_terminate_backend($1)", &[&pid]).await.unwrap();
                }
                tx.one(&BACKEND, ()).await
            }
        })
        .await;
    assert!(survivor.is_ok(), "{survivor:?}");
    assert_eq!(attempts.into_inner(), 2);
}

#[tokio::test]
async fn a_database_that_went_away_is_unavailable_and_comes_back() {
    let db = Database::create().await;
    let proxy = ChaosProxy::start(db.address()).await;
    let settings =
        DatabaseSettings { port: proxy.address().port(), tls: store::TlsMode::Disable, ..db.settings("web") };
    let store = Store::new(&settings, "test").unwrap();
    assert_eq!(one(&store).await.unwrap(), 1);
    proxy.cut();
    let error = one(&store).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (FaultKind::Unavailable, "database-unavailable"));
    assert!(error.retry_after_seconds().is_some());
    assert!(store.check().await.is_err());
    proxy.heal();
    wait_until("the store to answer", Duration::from_secs(5), || async { one(&store).await.ok() }).await;
    store.check().await.unwrap();
}

#[tokio::test]
async fn waiting_for_a_connection_ends() {
    let db = Database::create().await;
    let settings = DatabaseSettings { pool_size: 1, wait_timeout_ms: 100, ..db.settings("web") };
    let store = Store::new(&settings, "test").unwrap();
    let held = store.run_system("hold", |tx| async move { tx.execute(&SLEEP, ()).await });
    tokio::select! {
        biased;
        _held = held => panic!("nothing ends a sleep of 30 seconds"),
        waited = async {
            tokio::task::yield_now().await;
            wait_until("the pool to be empty", Duration::from_secs(5), || async {
                (store.pool().status().available == 0 && store.pool().status().size == 1).then_some(())
            }).await;
            let asked = Instant::now();
            (one(&store).await, asked.elapsed())
        } => {
            assert_eq!(waited.0.unwrap_err().code(), "database-unavailable");
            assert!(waited.1 < Duration::from_secs(2), "{:?}", waited.1);
        }
    }
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_busy() {
    let db = Database::create().await;
    let settings = DatabaseSettings { statement_timeout_ms: 100, ..db.settings("web") };
    let store = Store::new(&settings, "test").unwrap();
    let outcome = store.run_system("sleep", |tx| async move { tx.execute(&SLEEP, ()).await }).await;
    let error = outcome.unwrap_err();
    assert_eq!((error.code(), error.sqlstate()), ("database-busy", Some("57014")));
    assert_eq!(one(&store).await.unwrap(), 1);
}

#[tokio::test]
async fn old_connections_are_replaced() {
    let db = Database::create().await;
    let settings = DatabaseSettings { lifetime_ms: 50, ..db.settings("web") };
    let store = Store::new(&settings, "test").unwrap();
    let first = backend(&store).await;
    wait_until("another connection", Duration::from_secs(5), || async {
        (backend(&store).await != first).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_statement_prepared_before_a_schema_change_is_prepared_anew() {
    static WHOLE: Statement<(), (i32,)> = Statement::new("test::WHOLE", "select * from changing");
    let db = Database::create().await;
    let admin = db.admin().await;
    let prepare = "create table changing (a integer not null); insert into changing values (1);
                   grant select on changing to youtility_web";
    admin.batch_execute(prepare).await.unwrap();
    let store = db.store("web");
    let read = async || {
        store.run_system("read_changing", |tx| async move { tx.one(&WHOLE, ()).await }).await.unwrap()
    };
    assert_eq!(read().await, (1,));
    admin.batch_execute("alter table changing add column b integer").await.unwrap();
    assert_eq!(read().await, (1,));
}

#[tokio::test]
async fn the_application_and_its_limits_are_visible_to_operators() {
    static NAME: Statement<(), (String, String, String)> = Statement::new(
        "test::NAME",
        "select current_setting('application_name'), current_setting('statement_timeout'), current_setting('lock_timeout')",
    );
    let db = Database::create().await;
    let store = Store::new(&db.settings("web"), "web").unwrap();
    let seen = store.run_system("read_name", |tx| async move { tx.one(&NAME, ()).await }).await.unwrap();
    assert_eq!(seen, ("youtility-web".to_owned(), "10s".to_owned(), "3s".to_owned()));
}

#[tokio::test]
async fn a_database_that_hangs_does_not_hang_its_callers() {
    let db = Database::create().await;
    let proxy = ChaosProxy::start(db.address()).await;
    let settings = DatabaseSettings {
        port: proxy.address().port(),
        connect_timeout_ms: 200,
        wait_timeout_ms: 200,
        statement_timeout_ms: 300,
        ..db.settings("web")
    };
    let store = Store::new(&settings, "test").unwrap();
    let connected = Store::new(&settings, "test").unwrap();
    assert_eq!(one(&connected).await.unwrap(), 1);
    proxy.freeze();
    for store in [&store, &connected] {
        let asked = Instant::now();
        assert_eq!(one(store).await.unwrap_err().code(), "database-unavailable");
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    }
    proxy.heal();
    for store in [&store, &connected] {
        assert_eq!(one(store).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn the_probe_of_readiness_answers_for_the_database_of_its_store() {
    let db = Database::create().await;
    let probe = db.store("web").probe();
    assert_eq!(probe().await, Ok(()));
    let gone = DatabaseSettings { port: 1, ..db.settings("web") };
    let probe = Store::new(&gone, "web").unwrap().probe();
    assert_eq!(probe().await, Err("no connection to the database".to_owned()));
}
