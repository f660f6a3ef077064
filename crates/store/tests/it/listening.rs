//! Notifications arrive, also after the connection broke.

use std::time::Duration;

use store::{DatabaseSettings, Heard, Listener, Store, TlsMode};
use testkit::{ChaosProxy, Database};

async fn next(listener: &mut Listener) -> Heard {
    tokio::time::timeout(Duration::from_secs(10), listener.next()).await.expect("something heard in time")
}

async fn notify(db: &Database, payload: &str) {
    db.admin().await.execute("select pg_notify('session_revoked', $1)", &[&payload]).await.unwrap();
}

fn revoked(payload: &str) -> Heard {
    Heard::Notification { channel: "session_revoked".to_owned(), payload: payload.to_owned() }
}

#[tokio::test]
async fn notifications_arrive_in_order() {
    let db = Database::create().await;
    let mut listener = db.store("auth").listen(&["session_revoked", "another"]);
    assert_eq!(next(&mut listener).await, Heard::Connected);
    notify(&db, "one").await;
    notify(&db, "two").await;
    assert_eq!(next(&mut listener).await, revoked("one"));
    assert_eq!(next(&mut listener).await, revoked("two"));
}

#[tokio::test]
async fn a_listener_reports_a_broken_connection_and_comes_back() {
    let db = Database::create().await;
    let proxy = ChaosProxy::start(db.address()).await;
    let port = proxy.address().port();
    let settings = DatabaseSettings { port, tls: TlsMode::Disable, ..db.settings("auth") };
    let mut listener = Store::new(&settings, "test").unwrap().listen(&["session_revoked"]);
    assert_eq!(next(&mut listener).await, Heard::Connected);
    proxy.cut();
    assert_eq!(next(&mut listener).await, Heard::Lost);
    proxy.heal();
    assert_eq!(next(&mut listener).await, Heard::Connected);
    notify(&db, "three").await;
    assert_eq!(next(&mut listener).await, revoked("three"));
}
