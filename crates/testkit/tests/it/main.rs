//! What the tests of every crate stand on, tested itself.
#![cfg(test)]

mod process;

use std::time::Duration;

use domain::Capability;
use testkit::{ChaosProxy, Database, wait_until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const CLIENTS: &str = "select count(*) from client";

#[tokio::test]
async fn every_test_has_a_database_of_its_own() {
    let (one, two) = tokio::join!(Database::create(), Database::create());
    one.client("ACME").await;
    assert_ne!(one.name(), two.name());
    assert_eq!((one.count(CLIENTS).await, two.count(CLIENTS).await), (1, 0));
}

#[tokio::test]
async fn a_database_goes_with_its_test() {
    let observer = Database::create().await;
    let db = Database::create().await;
    let name = db.name().to_owned();
    drop(db);
    let sql = "select count(*) from pg_database where datname = $1";
    let left: i64 = observer.admin().await.query_one(sql, &[&name]).await.unwrap().get(0);
    assert_eq!(left, 0);
}

#[tokio::test]
async fn builders_insert_what_they_say() {
    let db = Database::create().await;
    let acme = db.client("ACME").await;
    let hq = db.site(acme, "HQ").await;
    let group = db.group(acme, "TECHNICIANS").await;
    let asha = db
        .person(acme, "asha")
        .name("Asha Rao")
        .email("asha@example.com")
        .login("asha", "Walk-the-site-42")
        .capabilities(&[Capability::Web, Capability::TicketsRead])
        .sites(&[hq])
        .group(group)
        .await;
    let device = db.device(acme, hq, "PUMP-1").await;
    db.alarm_rule(acme, device).metric("pressure").below(1.5).group(group).await;
    db.ticket(acme, hq).title("Leak").assignee(asha).created_at("2030-01-01T00:00:00Z").await;
    db.ticket(acme, hq).await;
    let sql = "select person.name, credential.login, person.all_sites,
                      (select count(*) from person_capability), (select count(*) from person_site),
                      (select count(*) from person_group_member), (select max(number) from ticket),
                      (select broker_username from device), (select threshold from alarm_rule)
                 from person join credential on credential.person_id = person.id";
    let row = db.admin().await.query_one(sql, &[]).await.unwrap();
    assert_eq!((row.get(0), row.get(1), row.get(2)), ("Asha Rao", "asha", false));
    assert_eq!((row.get(3), row.get(4), row.get(5), row.get(6)), (2_i64, 1_i64, 1_i64, 2_i64));
    assert_eq!((row.get(7), row.get(8)), ("ACME.PUMP-1", 1.5_f64));
}

#[tokio::test]
async fn waiting_returns_what_was_waited_for() {
    let mut looks = 0;
    let found = wait_until("the third look", Duration::from_secs(5), || {
        looks += 1;
        let looks = looks;
        async move { (looks == 3).then_some(looks) }
    })
    .await;
    assert_eq!(found, 3);
}

#[tokio::test]
#[should_panic(expected = "for what never comes")]
async fn waiting_ends() {
    wait_until("what never comes", Duration::from_millis(50), || async { None::<()> }).await;
}

#[tokio::test]
#[should_panic(expected = "last seen: at step 2 of 3")]
async fn waiting_in_vain_reports_the_last_state() {
    let mut step = 0;
    wait_until("the third step", Duration::from_millis(50), async || {
        step = 2.min(step + 1);
        Err::<(), _>(format!("at step {step} of 3"))
    })
    .await;
}

#[tokio::test]
async fn rows_are_counted_and_waited_for() {
    let db = Database::create().await;
    let (_, ()) = tokio::join!(db.client("ACME"), db.wait_for_count(CLIENTS, 1));
    assert_eq!(db.count(CLIENTS).await, 1);
}

#[test]
fn settings_are_added_and_replaced() {
    let env =
        testkit::env_with(testkit::process_env(), &[("HTTP__BIND", "127.0.0.1:7"), ("MAIL__PORT", "25")]);
    let values = |key: &str| -> Vec<&str> {
        env.iter().filter(|(known, _)| known == key).map(|(_, value)| value.as_str()).collect()
    };
    assert_eq!(values("YOUTILITY_HTTP__BIND"), ["127.0.0.1:7"]);
    assert_eq!(values("YOUTILITY_MAIL__PORT"), ["25"]);
    assert_eq!(values("YOUTILITY_PROCESS__DRAIN_DELAY_MS"), ["0"]);
}

#[tokio::test]
async fn a_cut_proxy_drops_connections_and_a_healed_one_passes_them() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = ChaosProxy::start(server.local_addr().unwrap()).await;
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    let (mut accepted, _) = server.accept().await.unwrap();
    client.write_all(b"ping").await.unwrap();
    let mut bytes = [0; 4];
    accepted.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"ping");
    proxy.cut();
    assert_eq!(client.read(&mut bytes).await.unwrap_or(0), 0);
    let mut refused = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(refused.read(&mut bytes).await.unwrap_or(0), 0);
    proxy.heal();
    let mut again = TcpStream::connect(proxy.address()).await.unwrap();
    let (mut accepted, _) = server.accept().await.unwrap();
    accepted.write_all(b"pong").await.unwrap();
    again.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"pong");
}

#[tokio::test]
async fn a_frozen_proxy_keeps_connections_and_their_bytes() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = ChaosProxy::start(server.local_addr().unwrap()).await;
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    let (mut accepted, _) = server.accept().await.unwrap();
    proxy.freeze();
    client.write_all(b"late").await.unwrap();
    let mut bytes = [0; 4];
    let early = tokio::time::timeout(Duration::from_millis(100), accepted.read_exact(&mut bytes)).await;
    assert!(early.is_err(), "a byte passed");
    proxy.heal();
    accepted.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"late");
}
