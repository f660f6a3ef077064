//! Attempts, credentials and sessions.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use app::Error;
use app::sign_in::{self, Attempt, Credential, LiveSession, NewSession};
use app::tenant::{Client, Foundation, Login, Member, NewPerson};
use domain::sign_in::{AttemptLimit, LoginName};
use domain::text::Code;
use domain::{Actor, Capability, CorrelationId, Fault, FaultKind, PersonId};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use store::Store;
use testkit::Database;

use crate::world::count;

const LIMIT: AttemptLimit =
    AttemptLimit { per_login: 5, per_address: 15, window: SignedDuration::from_mins(15) };

fn login(name: &str) -> LoginName {
    LoginName::parse(name).unwrap()
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "sessions end by the clock of the database")]
fn now() -> Timestamp {
    Timestamp::now()
}

fn new_session(token: u8) -> NewSession {
    NewSession {
        token_hash: [token; 32],
        idle: Duration::from_mins(10),
        absolute: Duration::from_hours(1),
        user_agent: "tests".to_owned(),
        address: address("192.0.2.1"),
        new_hash: None,
        device: sign_in::DeviceMark::default(),
        correlation_id: CorrelationId::generate(),
    }
}

/// Opens a session for somebody whose password was right.
async fn open(store: &Store, attempt: Attempt, credential: &Credential, token: u8) -> LiveSession {
    sign_in::open_session(store, attempt, credential, &new_session(token), now()).await.unwrap().unwrap()
}

/// A pool of its own whose callers wait for a connection as long as a busy machine takes.
fn patient(db: &Database) -> Store {
    let mut settings = db.settings("auth");
    settings.wait_timeout_ms = 60_000;
    Store::new(&settings, "tests").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hundred_attempts_over_several_pools_exactly_the_limit_passes() {
    let db = Database::create().await;
    let stores = [patient(&db), patient(&db), patient(&db)];
    let trying = (0..200).map(|number| {
        let store = stores[number % 3].clone();
        async move {
            let from = address(&format!("198.51.100.{number}"));
            sign_in::reserve(&store, &login("Asha"), from, &LIMIT).await
        }
    });
    let outcomes = join_all(trying).await;
    let passed = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(passed, 5);
    for refused in outcomes.into_iter().filter_map(Result::err) {
        assert_eq!((refused.kind(), refused.code()), (FaultKind::Limited, "sign-in-limited"));
        let wait = refused.retry_after_seconds().unwrap();
        assert!((1..=900).contains(&wait), "{wait}");
    }
    assert_eq!(count(&db, "auth_rate_limit_attempts where outcome = 'RESERVED'").await, 5);
    assert_eq!(
        count(&db, "auth_rate_limit_attempts where outcome = 'BLOCKED_USERNAME' and times = 195").await,
        1
    );
    assert_eq!(count(&db, "auth_rate_limit_attempts").await, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_and_one_ipv6_network_try_fifteen_times_whatever_the_login_name() {
    let db = Database::create().await;
    let store = patient(&db);
    for network in ["192.0.2.9", "2001:db8:0:7::"] {
        let trying = (0..60).map(|number| {
            let store = store.clone();
            let from =
                if network.contains(':') { format!("{network}{number:x}") } else { network.to_owned() };
            let name = login(&format!("user{number}"));
            async move { sign_in::reserve(&store, &name, address(&from), &LIMIT).await }
        });
        let passed = join_all(trying).await.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(passed, 15, "{network}");
    }
    // What the address refused is not counted against the login names.
    assert_eq!(count(&db, "sign_in_counter where key like 'login:%' and attempts > 2").await, 0);
    assert!(sign_in::reserve(&store, &login("user59"), address("2001:db8:0:8::1"), &LIMIT).await.is_ok());
}

#[tokio::test]
async fn a_blocked_attempt_neither_counts_nor_prolongs_the_block() {
    let db = Database::create().await;
    let store = db.store("auth");
    let from = address("192.0.2.1");
    for _ in 0..5 {
        sign_in::reserve(&store, &login("asha"), from, &LIMIT).await.unwrap();
    }
    let admin = db.admin().await;
    let state = "select window_started_at, attempts from sign_in_counter where key = 'login:asha'";
    let before = admin.query_one(state, &[]).await.unwrap();
    for _ in 0..10 {
        assert!(sign_in::reserve(&store, &login("asha"), from, &LIMIT).await.is_err());
    }
    let after = admin.query_one(state, &[]).await.unwrap();
    assert_eq!(before.get::<_, Timestamp>(0), after.get::<_, Timestamp>(0));
    assert_eq!((before.get::<_, i32>(1), after.get::<_, i32>(1)), (5, 5));
    let report: serde_json::Value =
        admin.query_one("select check_rate_limit('192.0.2.1', 'ASHA')", &[]).await.unwrap().get(0);
    assert_eq!(report["is_blocked"], true);
    assert_eq!(report["block_reason"], "username");
    assert_eq!((&report["username_attempts"], &report["ip_attempts"]), (&5.into(), &5.into()));
    assert!(report["time_until_reset"].as_i64().unwrap() > 0);
    admin
        .execute("update sign_in_counter set window_started_at = now() - interval '16 minutes'", &[])
        .await
        .unwrap();
    assert!(sign_in::reserve(&store, &login("asha"), from, &LIMIT).await.is_ok());
}

#[tokio::test]
async fn who_is_blocked_again_in_a_later_window_is_recorded_anew() {
    let db = Database::create().await;
    let store = db.store("auth");
    let admin = db.admin().await;
    let from = address("192.0.2.1");
    for _ in 0..2 {
        for number in 0..8 {
            let outcome = sign_in::reserve(&store, &login("asha"), from, &LIMIT).await;
            assert_eq!(outcome.is_ok(), number < 5);
        }
        let sql = "update sign_in_counter set window_started_at = now() - interval '16 minutes'";
        admin.execute(sql, &[]).await.unwrap();
    }
    assert_eq!(
        count(&db, "auth_rate_limit_attempts where outcome = 'BLOCKED_USERNAME' and times = 3").await,
        2
    );
}

#[tokio::test]
async fn an_attempt_without_a_comparison_is_given_back_once() {
    let db = Database::create().await;
    let store = db.store("auth");
    let from = address("192.0.2.1");
    for _ in 0..20 {
        let attempt = sign_in::reserve(&store, &login("asha"), from, &LIMIT).await.unwrap();
        sign_in::abandon(&store, attempt).await.unwrap();
        sign_in::abandon(&store, attempt).await.unwrap();
    }
    assert_eq!(count(&db, "sign_in_counter where attempts = 0").await, 2);
    assert_eq!(count(&db, "auth_rate_limit_attempts where outcome = 'ABANDONED'").await, 20);
    for _ in 0..5 {
        sign_in::reserve(&store, &login("asha"), from, &LIMIT).await.unwrap();
    }
    assert!(sign_in::reserve(&store, &login("asha"), from, &LIMIT).await.is_err());
}

#[tokio::test]
async fn a_password_changed_during_a_sign_in_lets_nobody_in_with_the_old_one() {
    let db = Database::create().await;
    let acme = db.client("ACME").await;
    let asha = db.person(acme, "asha").login("asha", "x").await;
    let store = db.store("auth");
    let owner = db.store("owner");
    let credential = sign_in::find_credential(&store, &login("asha")).await.unwrap().unwrap();
    let attempt = sign_in::reserve(&store, &login("asha"), address("192.0.2.1"), &LIMIT).await.unwrap();
    let earlier = open(&store, attempt, &credential, 1).await;
    let actor = Actor::process(acme, CorrelationId::generate());
    let new_password = app::password::hash(&app::password::Parameters::default(), "y").unwrap();
    change_password(&owner, &actor, asha, &new_password).await;
    assert_eq!(sign_in::find_session(&store, &[1; 32], Duration::from_mins(10)).await.unwrap(), None);
    let revoked = format!("session where id = '{}' and revoked_at is not null", earlier.session_id);
    assert_eq!(count(&db, &revoked).await, 1);

    let attempt = sign_in::reserve(&store, &login("asha"), address("192.0.2.1"), &LIMIT).await.unwrap();
    let rehashed = NewSession { new_hash: Some(credential.password_hash.clone()), ..new_session(2) };
    let opened = sign_in::open_session(&store, attempt, &credential, &rehashed, now()).await.unwrap();
    assert_eq!(opened, None);
    sign_in::record_failure(&store, attempt).await.unwrap();
    assert_eq!(count(&db, "session").await, 1);
    assert_eq!(count(&db, "auth_rate_limit_attempts where outcome = 'FAILED'").await, 1);
    let kept = sign_in::find_credential(&store, &login("asha")).await.unwrap().unwrap();
    assert_eq!(kept.password_hash, new_password);
}

#[tokio::test]
async fn a_session_opened_while_the_password_changes_ends_with_the_change() {
    let db = Database::create().await;
    let acme = db.client("ACME").await;
    let asha = db.person(acme, "asha").login("asha", "x").await;
    let (store, owner) = (&db.store("auth"), db.store("owner"));
    let credential = &sign_in::find_credential(store, &login("asha")).await.unwrap().unwrap();
    let attempt = sign_in::reserve(store, &login("asha"), address("192.0.2.1"), &LIMIT).await.unwrap();
    let changed = &app::password::hash(&app::password::Parameters::default(), "y").unwrap();
    let runs = &AtomicU32::new(0);
    let actor = Actor::process(acme, CorrelationId::generate());
    let ended = owner.run_tx(&actor, "change_password", |tx| async move {
        // The change has begun and has its snapshot when the sign-in with the old password gets through.
        if runs.fetch_add(1, Ordering::Relaxed) == 0 {
            open(store, attempt, credential, 1).await;
        }
        tx.set_credential(asha, &login("asha"), changed).await?;
        tx.revoke_other_sessions(asha, None).await
    });
    let ended: Result<u64, store::Error> = ended.await;
    assert_eq!(ended.unwrap(), 1);
    assert_eq!(runs.load(Ordering::Relaxed), 2);
    assert_eq!(sign_in::find_session(store, &[1; 32], Duration::from_mins(10)).await.unwrap(), None);
}

/// Founding again is how a password is changed.
async fn change_password(owner: &Store, actor: &Actor, person: PersonId, password_hash: &str) {
    let client = Client {
        client_id: actor.client_id,
        code: Code::parse("ACME").unwrap(),
        name: "ACME".to_owned(),
        time_zone: "UTC".to_owned(),
        demo: false,
    };
    let person = NewPerson {
        id: person,
        code: Code::parse("asha").unwrap(),
        name: "asha".to_owned(),
        email: None,
        all_sites: true,
    };
    let given = Login { name: login("asha"), password_hash: password_hash.to_owned() };
    let member = Member { person, capabilities: vec![], sites: vec![], login: Some(given) };
    let foundation = Foundation {
        client,
        capabilities: vec![],
        sites: vec![],
        members: vec![member],
        groups: vec![],
        devices: vec![],
        alarm_rules: vec![],
        escalation_rules: vec![],
    };
    app::tenant::found(owner, &foundation, actor.correlation_id).await.unwrap();
}

#[tokio::test]
async fn a_success_forgets_the_failures_of_the_login_name() {
    let db = Database::create().await;
    let acme = db.client("ACME").await;
    let asha = db.person(acme, "asha").login("asha", "Walk-the-site-42").await;
    let store = db.store("auth");
    let from = address("192.0.2.1");
    for _ in 0..4 {
        let attempt = sign_in::reserve(&store, &login("asha"), from, &LIMIT).await.unwrap();
        sign_in::record_failure(&store, attempt).await.unwrap();
    }
    let attempt = sign_in::reserve(&store, &login("ASHA"), from, &LIMIT).await.unwrap();
    let credential = sign_in::find_credential(&store, &login("Asha")).await.unwrap().unwrap();
    assert_eq!((credential.client_id, credential.person_id), (acme, asha));
    assert!(app::password::verify(&credential.password_hash, "Walk-the-site-42").unwrap());
    sign_in::open_session(&store, attempt, &credential, &new_session(1), now()).await.unwrap().unwrap();
    assert_eq!(count(&db, "sign_in_counter where key = 'login:asha'").await, 0);
    assert_eq!(count(&db, "sign_in_counter where key = 'network:192.0.2.1' and attempts = 4").await, 1);
    assert_eq!(count(&db, "auth_rate_limit_attempts where outcome = 'FAILED'").await, 4);
    assert_eq!(count(&db, "auth_rate_limit_attempts where outcome = 'SUCCEEDED'").await, 1);
    assert_eq!(count(&db, "audit_event where action = 'session_opened'").await, 1);
}

#[tokio::test]
async fn a_session_tells_what_its_person_may_do_where() {
    let db = Database::create().await;
    let acme = db.client("ACME").await;
    let site = db.site(acme, "HQ").await;
    db.person(acme, "asha").login("asha", "x").sites(&[site]).await;
    db.admin().await.execute("delete from client_capability where capability = 'ADMIN'", &[]).await.unwrap();
    let store = db.store("auth");
    let attempt = sign_in::reserve(&store, &login("asha"), address("192.0.2.1"), &LIMIT).await.unwrap();
    let credential = sign_in::find_credential(&store, &login("asha")).await.unwrap().unwrap();
    let opened = open(&store, attempt, &credential, 1).await;
    assert!(!opened.capabilities.contains(&Capability::Admin));
    assert!(opened.capabilities.contains(&Capability::TicketsWrite));
    assert_eq!(opened.sites, Some([site].into()));
    let found = sign_in::find_session(&store, &[1; 32], Duration::from_mins(10)).await.unwrap().unwrap();
    assert_eq!(found, opened);
    assert_eq!(sign_in::find_session(&store, &[2; 32], Duration::from_mins(10)).await.unwrap(), None);
}

#[tokio::test]
async fn a_session_ends_by_sign_out_by_time_and_with_its_person() {
    let db = Database::create().await;
    let acme = db.client("ACME").await;
    let asha = db.person(acme, "asha").login("asha", "x").await;
    let store = db.store("auth");
    let mut listener = store.listen(&["session_revoked"]);
    assert!(matches!(listener.next().await, store::Heard::Connected));
    let credential = sign_in::find_credential(&store, &login("asha")).await.unwrap().unwrap();
    let mut open = Vec::new();
    for token in 1..=3 {
        let attempt = sign_in::reserve(&store, &login("asha"), address("192.0.2.1"), &LIMIT).await.unwrap();
        open.push(self::open(&store, attempt, &credential, token).await);
    }
    let is_live = async |token: u8| {
        sign_in::find_session(&store, &[token; 32], Duration::from_mins(10)).await.unwrap().is_some()
    };
    let actor = Actor { person_id: Some(asha), ..Actor::process(acme, CorrelationId::generate()) };
    sign_in::sign_out(&store, &actor, open[0].session_id).await.unwrap();
    sign_in::sign_out(&store, &actor, open[0].session_id).await.unwrap();
    assert_eq!(heard(&mut listener).await, open[0].session_id.to_string());
    assert!(!is_live(1).await);

    let admin = db.admin().await;
    let sql = "update session set idle_expires_at = now() - interval '1 second' where token_hash = $1";
    admin.execute(sql, &[&[2_u8; 32].as_slice()]).await.unwrap();
    assert!(!is_live(2).await);

    assert!(is_live(3).await);
    admin.execute("update person set enabled = false", &[]).await.unwrap();
    assert!(!is_live(3).await);
    // The trigger ends every session of the person that was not revoked, the idle one as well.
    let mut ended = [heard(&mut listener).await, heard(&mut listener).await];
    ended.sort();
    let mut expected = [open[1].session_id.to_string(), open[2].session_id.to_string()];
    expected.sort();
    assert_eq!(ended, expected);
    assert!(sign_in::find_credential(&store, &login("asha")).await.unwrap().is_none());
    assert_eq!(count(&db, "audit_event where action = 'session_revoked'").await, 1);
}

async fn heard(listener: &mut store::Listener) -> String {
    match listener.next().await {
        store::Heard::Notification { payload, .. } => payload,
        other @ (store::Heard::Connected | store::Heard::Lost) => panic!("heard {other:?}"),
    }
}

#[tokio::test]
async fn using_a_session_moves_its_idle_limit_once_a_minute_and_never_past_its_end() {
    let db = Database::create().await;
    let acme = db.client("ACME").await;
    db.person(acme, "asha").login("asha", "x").await;
    let store = db.store("auth");
    let attempt = sign_in::reserve(&store, &login("asha"), address("192.0.2.1"), &LIMIT).await.unwrap();
    let credential = sign_in::find_credential(&store, &login("asha")).await.unwrap().unwrap();
    let opened = open(&store, attempt, &credential, 1).await;
    let again = sign_in::find_session(&store, &[1; 32], Duration::from_mins(10)).await.unwrap().unwrap();
    assert_eq!(again.expires_at, opened.expires_at);
    let admin = db.admin().await;
    admin.execute("update session set last_seen_at = now() - interval '2 minutes'", &[]).await.unwrap();
    let later = sign_in::find_session(&store, &[1; 32], Duration::from_hours(2)).await.unwrap().unwrap();
    let end: Timestamp = admin.query_one("select expires_at from session", &[]).await.unwrap().get(0);
    assert_eq!(later.expires_at, end);
}

#[tokio::test]
async fn without_a_database_nobody_may_try() {
    let db = Database::create().await;
    let mut settings = db.settings("auth");
    settings.port = 1;
    let store = Store::new(&settings, "tests").unwrap();
    let refused = sign_in::reserve(&store, &login("asha"), address("192.0.2.1"), &LIMIT).await.unwrap_err();
    assert!(matches!(refused, Error::Store(_)));
    assert_eq!(refused.kind(), FaultKind::Unavailable);
}
