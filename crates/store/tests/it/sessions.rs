//! Sessions: what ends with them, who hears of it, and what a look into another client shows.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::{Actor, Capability, CorrelationId, SiteScope};
use store::session::{LiveSession, NewToken};
use store::{Heard, Store};
use testkit::{Database, OpenSession};

async fn look_up(store: &Store, hash: &[u8; 32]) -> Option<LiveSession> {
    store
        .run_single("find_session", |tx| async move { tx.find_session(hash, Duration::from_hours(1)).await })
        .await
        .unwrap()
}

#[tokio::test]
async fn a_replaced_token_is_nobodys_and_caches_hear_of_it() {
    let db = Database::create().await;
    let acme = db.client("ACME").await;
    let asha = db.person(acme, "asha").await;
    let session = &db.session(acme, asha).await;
    let auth = db.store("auth");
    let mut listener = auth.listen(&["session_revoked"]);
    assert_eq!(listener.next().await, Heard::Connected);
    let before = look_up(&auth, &session.token_hash).await.unwrap();
    let new = &NewToken {
        token_hash: [7; 32],
        factors: 2,
        authenticated_at: before.authenticated_at,
        access_expires_at: None,
    };
    let replace = async |id| {
        let work = |tx: store::Tx| async move { tx.replace_session_token(id, asha, new).await };
        auth.run_tx(&db.actor(acme), "replace_token", work).await
    };
    replace(session.id).await.unwrap();
    let told = Heard::Notification { channel: "session_revoked".to_owned(), payload: session.id.to_string() };
    assert_eq!(listener.next().await, told);
    assert_eq!(look_up(&auth, &session.token_hash).await, None);
    let after = look_up(&auth, &[7; 32]).await.unwrap();
    assert_eq!((after.session_id, after.factors), (session.id, 2));
    db.admin().await.batch_execute("update session set revoked_at = now()").await.unwrap();
    let refused: Result<(), store::Error> = replace(session.id).await;
    assert!(
        matches!(refused, Err(store::Error::Stale { .. })),
        "an ended session gets no token: {refused:?}"
    );
}

#[tokio::test]
async fn a_handsets_token_ends_before_its_session_and_is_not_prolonged_by_use() {
    let db = Database::create().await;
    let acme = db.client("ACME").await;
    let asha = db.person(acme, "asha").await;
    let session = db.session(acme, asha).await;
    let admin = db.admin().await;
    let as_handsets = "update session
                          set kind = 'MOBILE', access_expires_at = now() + interval '10 minutes',
                              idle_expires_at = now() + interval '12 hours', last_seen_at = now() - interval '5 minutes'";
    admin.batch_execute(as_handsets).await.unwrap();
    let auth = db.store("auth");
    let live = look_up(&auth, &session.token_hash).await.unwrap();
    let left = live.expires_at.duration_since(live.authenticated_at).as_secs();
    assert!((590..=610).contains(&left), "the token ends first, {left} s after");
    let moved = "select count(*) from session where idle_expires_at < now() + interval '11 hours'";
    assert_eq!(db.count(moved).await, 0, "the browser's idle hour is not the handset's");
    admin.batch_execute("update session set access_expires_at = now() - interval '1 second'").await.unwrap();
    assert_eq!(look_up(&auth, &session.token_hash).await, None);
}

#[tokio::test]
async fn a_session_that_is_cleaned_up_takes_its_refresh_tokens_along() {
    let db = Database::create().await;
    let acme = db.client("ACME").await;
    let asha = db.person(acme, "asha").await;
    db.session(acme, asha).await;
    let sql = "insert into refresh_token (client_id, id, session_id, token_hash, expires_at)
               select client_id, gen_random_uuid(), id, sha256('token'), now() + interval '1 day' from session;
               update session set revoked_at = now() - interval '2 days'";
    db.admin().await.batch_execute(sql).await.unwrap();
    db.store("worker")
        .run_system("clean_up_sessions", |tx| async move { tx.clean_up_sessions().await })
        .await
        .unwrap();
    assert_eq!(db.count("select count(*) from session").await, 0);
    assert_eq!(db.count("select count(*) from refresh_token").await, 0);
}

/// Somebody of one client who looks into another.
struct Look {
    db: Database,
    auth: Store,
    session: OpenSession,
    home: Actor,
}

impl Look {
    async fn begin() -> Self {
        let db = Database::create().await;
        let (home, other) = (db.client("HOME").await, db.client("OTHER").await);
        let person = db.person(home, "helper").await;
        let session = db.session(home, person).await;
        db.session_factors(&session, 2).await;
        let sql = format!(
            "insert into elevation (client_id, id, person_id, session_id, target_client_id, reason, expires_at)
             values ('{home}', gen_random_uuid(), '{person}', '{}', '{other}', 'to see why', now() + interval '5 minutes')",
            session.id
        );
        db.admin().await.batch_execute(&sql).await.unwrap();
        let home = Actor {
            client_id: home,
            person_id: Some(person),
            capabilities: BTreeSet::new(),
            sites: SiteScope::All,
            correlation_id: CorrelationId::generate(),
        };
        Self { auth: db.store("auth"), db, session, home }
    }

    async fn live(&self) -> LiveSession {
        look_up(&self.auth, &self.session.token_hash).await.unwrap()
    }
}

#[tokio::test]
async fn a_look_into_another_client_shows_that_client_and_gives_nothing_that_changes_it() {
    let look = Look::begin().await;
    let live = look.live().await;
    assert_eq!((live.client_name.as_str(), live.home_client_id), ("OTHER Ltd", look.home.client_id));
    assert!(live.elevation_id.is_some() && live.client_id != live.home_client_id);
    let read_only: BTreeSet<Capability> = [
        Capability::Web,
        Capability::TicketsRead,
        Capability::DevicesRead,
        Capability::Report,
        Capability::Security,
    ]
    .into();
    assert_eq!(live.capabilities, read_only);
}

#[tokio::test]
async fn a_look_ends_with_its_time_and_with_the_right_to_it() {
    let look = Look::begin().await;
    let admin = look.db.admin().await;
    admin.batch_execute("delete from person_capability where capability = 'SUPPORT'").await.unwrap();
    assert_eq!(look.live().await.elevation_id, None, "whoever may not help looks at their own client");
    admin
        .batch_execute(
            "insert into person_capability (client_id, person_id, capability)
             select client_id, person_id, 'SUPPORT' from elevation",
        )
        .await
        .unwrap();
    assert!(look.live().await.elevation_id.is_some());
    admin.batch_execute("update elevation set expires_at = now()").await.unwrap();
    let live = look.live().await;
    assert_eq!((live.elevation_id, live.client_id), (None, look.home.client_id));
}
