//! What somebody may do is kept ready, and never outlives a change.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::Capability::{Noc, Report, Web};
use domain::account::SecondFactorRule;
use domain::{Capability, ClientId, PersonId};
use store::session::LiveSession;
use store::{Heard, Store};
use testkit::{Database, OpenSession, PATIENCE, wait_until};
use tokio::task::JoinSet;
use tokio_postgres::Client;

const KEPT: &str = "select count(*) from capability_cache";
const IDLE: Duration = Duration::from_hours(1);

/// A client with somebody who is signed in and may do what is given.
struct Scene {
    db: Database,
    auth: Store,
    acme: ClientId,
    asha: PersonId,
    session: OpenSession,
}

impl Scene {
    async fn with(capabilities: &[Capability]) -> Self {
        let db = Database::create().await;
        let acme = db.client("ACME").await;
        let asha = db.person(acme, "asha").capabilities(capabilities).await;
        let session = db.session(acme, asha).await;
        Self { auth: db.store("auth"), db, acme, asha, session }
    }

    async fn live(&self) -> LiveSession {
        look_up(&self.auth, &self.session).await.unwrap()
    }

    async fn may(&self) -> BTreeSet<Capability> {
        self.live().await.capabilities
    }

    async fn change(&self, sql: &str) {
        let admin = self.db.admin().await;
        admin.batch_execute(&self.fill_in(sql)).await.unwrap();
    }

    fn fill_in(&self, sql: &str) -> String {
        sql.replace("$client", &format!("'{}'", self.acme)).replace("$person", &format!("'{}'", self.asha))
    }
}

async fn look_up(store: &Store, session: &OpenSession) -> Option<LiveSession> {
    let hash = &session.token_hash;
    store.run_single("find_session", |tx| async move { tx.find_session(hash, IDLE).await }).await.unwrap()
}

const TAKE_WEB: &str =
    "delete from person_capability where client_id = $client and person_id = $person and capability = 'WEB'";
const GIVE_WEB: &str =
    "insert into person_capability (client_id, person_id, capability) values ($client, $person, 'WEB')";

#[tokio::test]
async fn rights_are_kept_after_the_first_look() {
    let scene = Scene::with(&[Web]).await;
    assert_eq!(scene.db.count(KEPT).await, 0);
    assert_eq!(scene.may().await, [Web].into());
    assert_eq!(scene.db.count(KEPT).await, 1);
    scene.change("update capability_cache set capabilities = '{WEB,NOC}'").await;
    assert_eq!(scene.may().await, [Web, Noc].into(), "it is read from what is kept");
    scene.change("update capability_cache set made_at = now() - interval '6 minutes'").await;
    assert_eq!(scene.may().await, [Web].into(), "what is kept is not believed for ever");
}

#[tokio::test]
async fn every_table_that_rights_follow_from_makes_them_be_forgotten() {
    let scene = Scene::with(&[Web, Report]).await;
    let team = scene.db.group(scene.acme, "TEAM").await;
    let site = scene.db.site(scene.acme, "HQ").await;
    let join = format!(
        "insert into person_group_member (client_id, group_id, person_id) values ($client, '{team}', $person)"
    );
    let give = format!(
        "insert into group_capability (client_id, group_id, capability) values ($client, '{team}', 'NOC')"
    );
    let show = format!(
        "insert into person_site (client_id, person_id, site_id) values ($client, $person, '{site}')"
    );
    let steps: [(&str, &[Capability]); 8] = [
        (TAKE_WEB, &[Report]),
        (GIVE_WEB, &[Web, Report]),
        (&join, &[Web, Report]),
        (&give, &[Web, Report, Noc]),
        ("delete from client_capability where client_id = $client and capability = 'REPORT'", &[Web, Noc]),
        (
            "insert into client_capability (client_id, capability) values ($client, 'REPORT')",
            &[Web, Report, Noc],
        ),
        ("delete from group_capability where client_id = $client", &[Web, Report]),
        ("delete from person_group_member where client_id = $client", &[Web, Report]),
    ];
    for (change, expected) in steps {
        scene.may().await;
        scene.change(change).await;
        assert_eq!(scene.db.count(KEPT).await, 0, "{change}");
        assert_eq!(scene.may().await, expected.iter().copied().collect(), "{change}");
    }
    scene.change("update person set all_sites = false where client_id = $client").await;
    assert_eq!(scene.live().await.sites, Some([].into()));
    scene.change(&show).await;
    assert_eq!(scene.live().await.sites, Some([site].into()));
    scene.change("update person set enabled = false where client_id = $client").await;
    assert_eq!(look_up(&scene.auth, &scene.session).await, None);
}

#[tokio::test]
async fn a_change_is_told_with_its_client_and_leaves_others_alone() {
    let scene = Scene::with(&[Web]).await;
    let other = scene.db.client("OTHER").await;
    let them = scene.db.person(other, "them").await;
    let theirs = scene.db.session(other, them).await;
    let mut listener = scene.auth.listen(&["rights_changed"]);
    assert_eq!(listener.next().await, Heard::Connected);
    look_up(&scene.auth, &theirs).await;
    scene.may().await;
    scene.change(TAKE_WEB).await;
    let told = Heard::Notification { channel: "rights_changed".to_owned(), payload: scene.acme.to_string() };
    assert_eq!(listener.next().await, told);
    assert_eq!(scene.db.count(KEPT).await, 1, "the other client's are still kept");
}

#[tokio::test]
async fn who_looks_while_a_change_is_under_way_keeps_nothing() {
    let scene = Scene::with(&[Web]).await;
    let changer = scene.db.admin().await;
    changer.batch_execute(&format!("begin; {}", scene.fill_in(TAKE_WEB))).await.unwrap();
    assert_eq!(scene.may().await, [Web].into(), "it is not committed");
    assert_eq!(scene.db.count(KEPT).await, 0);
    changer.batch_execute("commit").await.unwrap();
    assert_eq!(scene.may().await, [].into());
}

async fn waits_for_a_lock(admin: &Client) -> Result<(), i64> {
    let sql = "select count(*) from pg_stat_activity
                where datname = current_database() and wait_event_type = 'Lock' and wait_event = 'advisory'";
    match admin.query_one(sql, &[]).await.unwrap().get(0) {
        1 => Ok(()),
        other => Err(other),
    }
}

#[tokio::test]
async fn a_change_that_begins_while_rights_are_being_kept_empties_them() {
    let scene = Scene::with(&[Web]).await;
    let (keeper, changer, watcher) = (scene.db.admin().await, scene.db.admin().await, scene.db.admin().await);
    keeper.batch_execute("begin").await.unwrap();
    let hash = scene.session.token_hash.as_slice();
    keeper.query_one("select session_id from find_session($1, interval '1 hour')", &[&hash]).await.unwrap();
    let take = scene.fill_in(TAKE_WEB);
    let mut changing = JoinSet::new();
    changing.spawn(async move { changer.batch_execute(&take).await.unwrap() });
    wait_until("the change to wait", PATIENCE, async || waits_for_a_lock(&watcher).await).await;
    keeper.batch_execute("commit").await.unwrap();
    changing.join_all().await;
    assert_eq!(scene.db.count(KEPT).await, 0);
    assert_eq!(scene.may().await, [].into());
}

#[tokio::test]
async fn a_snapshot_taken_before_a_change_keeps_nothing() {
    let scene = Scene::with(&[Web]).await;
    let reader = scene.db.admin().await;
    reader.batch_execute("begin isolation level repeatable read; select count(*) from person").await.unwrap();
    scene.change(TAKE_WEB).await;
    let hash = scene.session.token_hash.as_slice();
    let sql = "select capabilities from find_session($1, interval '1 hour')";
    let seen: Vec<String> = reader.query_one(sql, &[&hash]).await.unwrap().get(0);
    assert_eq!(seen, ["WEB"], "it sees what was");
    reader.batch_execute("commit").await.unwrap();
    assert_eq!(scene.may().await, [].into());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cached_right_never_outlives_its_change() {
    let scene = Scene::with(&[Web]).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut rivals = JoinSet::new();
    for store in [scene.db.store("auth"), scene.db.store("auth"), scene.db.store("auth")] {
        let (session, stop) = (scene.session.clone(), stop.clone());
        rivals.spawn(async move {
            let mut looks = 0_u32;
            while !stop.load(Ordering::Relaxed) {
                look_up(&store, &session).await.unwrap();
                looks += 1;
            }
            looks
        });
    }
    let changer = scene.db.admin().await;
    for turn in 0..100 {
        let change = if turn % 2 == 0 { TAKE_WEB } else { GIVE_WEB };
        changer.batch_execute(&scene.fill_in(change)).await.unwrap();
        assert_eq!(scene.may().await.contains(&Web), turn % 2 == 1, "after change {turn}");
    }
    stop.store(true, Ordering::Relaxed);
    assert!(rivals.join_all().await.into_iter().all(|looks| looks > 0));
}

#[tokio::test]
async fn whoever_owes_a_second_factor_may_do_nothing_until_two_are_proven() {
    let scene = Scene::with(&[Web]).await;
    scene.db.second_factor(scene.acme, SecondFactorRule::Required).await;
    let owing = scene.live().await;
    assert!(owing.owes_factor && owing.capabilities.is_empty());
    scene.db.session_factors(&scene.session, 2).await;
    let proven = scene.live().await;
    assert!(!proven.owes_factor && proven.capabilities.contains(&Web));
}

#[tokio::test]
async fn no_service_and_no_group_hands_out_what_reaches_every_client() {
    let scene = Scene::with(&[Web]).await;
    let team = scene.db.group(scene.acme, "TEAM").await;
    let admin = scene.db.admin().await;
    for capability in [Capability::Operate, Capability::Support] {
        let sql = "insert into group_capability (client_id, group_id, capability) values ($1, $2, $3)";
        let refused = admin.execute(sql, &[&scene.acme, &team, &capability]).await.unwrap_err();
        assert_eq!(refused.code().unwrap().code(), "42501");
        let as_auth = format!(
            "begin; set local role youtility_auth; select set_config('app.client_id', $client, true);
             insert into person_capability (person_id, capability) values ($person, '{capability}')"
        );
        let refused = admin.batch_execute(&scene.fill_in(&as_auth)).await.unwrap_err();
        assert_eq!(refused.code().unwrap().code(), "42501");
        admin.batch_execute("rollback").await.unwrap();
    }
}
