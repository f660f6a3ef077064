//! The chain over the trails: what is changed, taken out or put in shows.

use app::trail::{self, Breach, Head, Verdict};
use domain::{Actor, ClientId};
use jiff::Timestamp;
use testkit::Database;

/// A client whose trails have lines, and the two who work on them.
struct Ground {
    db: Database,
    acme: ClientId,
}

impl Ground {
    async fn lay() -> Self {
        let db = Database::create().await;
        let acme = db.client("ACME").await;
        Self { db, acme }
    }

    fn actor(&self) -> Actor {
        self.db.actor(self.acme)
    }

    /// Adds a line to each trail.
    async fn happen(&self, action: &str) {
        let sql = format!(
            "insert into audit_event (client_id, id, action, subject_kind, correlation_id, detail)
             values ('{0}', gen_random_uuid(), '{action}', 'thing', gen_random_uuid(), '{{\"n\": 1}}');
             insert into security_event (client_id, id, kind, address, correlation_id)
             values ('{0}', gen_random_uuid(), '{action}', '192.0.2.7', gen_random_uuid())",
            self.acme
        );
        self.db.admin().await.batch_execute(&sql).await.unwrap();
    }

    /// What somebody with the superuser's password does, who knows about triggers.
    async fn meddle(&self, sql: &str) {
        let meddling = format!("set session_replication_role = replica; {sql}");
        self.db.admin().await.batch_execute(&meddling).await.unwrap();
    }

    async fn seal(&self) -> u64 {
        trail::seal(&self.db.store("worker")).await.unwrap()
    }

    async fn verify(&self) -> Verdict {
        self.verify_against(None).await
    }

    async fn verify_against(&self, known: Option<&Head>) -> Verdict {
        trail::verify(&self.db.store("owner"), &self.actor(), known).await.unwrap()
    }
}

fn problems(verdict: &Verdict) -> Vec<&str> {
    verdict.breaches.iter().map(|breach| breach.problem.as_str()).collect()
}

#[tokio::test]
async fn lines_wait_are_sealed_once_and_follow_from_each_other() {
    let ground = Ground::lay().await;
    let empty = ground.verify().await;
    assert_eq!(empty, Verdict { head: None, waiting: 0, breaches: vec![] });
    for action in ["one", "two", "three"] {
        ground.happen(action).await;
    }
    assert_eq!(ground.verify().await.waiting, 6);
    assert_eq!((ground.seal().await, ground.seal().await), (6, 0));
    let verdict = ground.verify().await;
    assert_eq!((verdict.waiting, verdict.breaches.as_slice()), (0, [].as_slice()));
    assert_eq!(verdict.head.map(|head| (head.seq, head.hash.len())), Some((6, 64)));
}

#[tokio::test]
async fn each_client_has_a_chain_of_its_own() {
    let ground = Ground::lay().await;
    let other = ground.db.client("OTHER").await;
    ground.happen("one").await;
    ground.seal().await;
    ground.meddle("update audit_event set action = 'nothing'").await;
    let theirs = trail::verify(&ground.db.store("owner"), &ground.db.actor(other), None).await.unwrap();
    assert_eq!(theirs, Verdict { head: None, waiting: 0, breaches: vec![] });
    assert_eq!(problems(&ground.verify().await), ["the line was changed"]);
}

#[tokio::test]
async fn whatever_is_changed_taken_out_or_put_in_shows() {
    let changes: &[(&str, &[&str])] = &[
        ("update audit_event set detail = '{\"n\": 2}' where action = 'two'", &["the line was changed"]),
        (
            "update audit_event set person_id = gen_random_uuid() where action = 'two'",
            &["the line was changed"],
        ),
        ("update security_event set address = '192.0.2.8' where kind = 'two'", &["the line was changed"]),
        ("delete from audit_event where action = 'two'", &["the line is missing"]),
        ("delete from security_event where kind = 'three'", &["the line is missing"]),
        // Time is part of where a line lies: one that was moved is missing there.
        ("update audit_event set at = at - interval '1 hour' where action = 'two'", &["the line is missing"]),
        ("delete from audit_seal where seq = 3", &["seals are missing"]),
        ("delete from audit_seal where seq = 6", &["the end of the chain is missing"]),
        (
            "update audit_seal set hash = sha256('x') where seq = 4",
            &["the line was changed", "the line was changed"],
        ),
        ("update audit_chain set hash = sha256('x')", &["the end of the chain is missing"]),
    ];
    for (change, expected) in changes {
        let ground = Ground::lay().await;
        for action in ["one", "two", "three"] {
            ground.happen(action).await;
        }
        ground.seal().await;
        ground.meddle(change).await;
        assert_eq!(problems(&ground.verify().await), *expected, "{change}");
    }
}

#[tokio::test]
async fn a_line_put_in_past_the_chain_shows_and_one_that_waits_does_not() {
    let ground = Ground::lay().await;
    ground.happen("one").await;
    ground.seal().await;
    ground.meddle("update audit_seal set sealed_at = sealed_at - interval '1 hour'").await;
    ground.happen("two").await;
    assert_eq!(problems(&ground.verify().await), Vec::<&str>::new());
    let forged = format!(
        "insert into audit_event (client_id, id, at, action, subject_kind, correlation_id)
         values ('{}', gen_random_uuid(), now() - interval '20 minutes', 'alibi', 'thing', gen_random_uuid())",
        ground.acme
    );
    ground.meddle(&forged).await;
    assert_eq!(problems(&ground.verify().await), ["the line was put in past the chain"]);
}

#[tokio::test]
async fn a_chain_that_was_made_anew_differs_from_the_end_that_was_kept_elsewhere() {
    let ground = Ground::lay().await;
    ground.happen("one").await;
    ground.seal().await;
    let kept = ground.verify().await.head.unwrap();
    ground.happen("two").await;
    ground.seal().await;
    assert_eq!(ground.verify_against(Some(&kept)).await.breaches, []);
    // Everything is thrown away, the past is rewritten, and the worker seals it in good faith.
    let anew = "delete from audit_seal; delete from audit_chain; delete from audit_mark;
                update audit_event set action = 'nothing' where action = 'one';
                insert into audit_mark (client_id, trail, event_id, event_at)
                select client_id, 'AUDIT', id, at from audit_event order by at";
    ground.meddle(anew).await;
    ground.seal().await;
    let verdict = ground.verify_against(Some(&kept)).await;
    let differs = "the seal differs from the one that was kept elsewhere";
    assert!(problems(&verdict).contains(&differs), "{verdict:?}");
}

#[tokio::test]
async fn a_day_that_retention_dropped_is_no_breach_and_a_line_of_a_kept_day_is() {
    let ground = Ground::lay().await;
    ground.happen("one").await;
    ground.seal().await;
    let old = "update audit_seal set event_at = event_at - interval '100 days' where trail = 'AUDIT';
               delete from audit_event";
    ground.meddle(old).await;
    assert_eq!(problems(&ground.verify().await), Vec::<&str>::new());
    ground
        .meddle("update audit_seal set event_at = event_at + interval '100 days' where trail = 'AUDIT'")
        .await;
    assert_eq!(problems(&ground.verify().await), ["the line is missing"]);
}

#[tokio::test]
async fn a_long_chain_is_sealed_and_read_in_batches() {
    let ground = Ground::lay().await;
    let many = format!(
        "insert into audit_event (client_id, id, action, subject_kind, correlation_id)
         select '{}', gen_random_uuid(), 'many', 'thing', gen_random_uuid() from generate_series(1, 2500)",
        ground.acme
    );
    ground.db.admin().await.batch_execute(&many).await.unwrap();
    assert_eq!(ground.seal().await, 2_500);
    assert_eq!(ground.verify().await.breaches, []);
    let change = "update audit_event set action = 'few'
                   where id = (select event_id from audit_seal where seq = 2001)";
    ground.meddle(change).await;
    let found: Vec<i64> = ground.verify().await.breaches.iter().map(|breach: &Breach| breach.seq).collect();
    assert_eq!(found, [2_001]);
}

#[tokio::test]
async fn services_add_lines_and_change_none_and_nobody_else_seals() {
    let ground = Ground::lay().await;
    ground.happen("one").await;
    for role in ["auth", "web", "worker", "bridge"] {
        let client = ground.db.admin().await;
        client.batch_execute(&format!("set role youtility_{role}")).await.unwrap();
        for sql in [
            "update audit_event set action = 'x'",
            "delete from audit_event",
            "update security_event set kind = 'x'",
            "delete from security_event",
            "delete from audit_seal",
            "update audit_chain set seq = 0",
            "delete from audit_mark",
        ] {
            let refused = client.batch_execute(sql).await.unwrap_err();
            assert_eq!(refused.code().unwrap().code(), "42501", "{role}: {sql}");
        }
        let seals = client.batch_execute("select seal_audit_trail(1)").await;
        assert_eq!(seals.is_ok(), role == "worker", "{role}");
    }
    // The owner's own statements meet a trigger.
    let owner = ground.db.admin().await;
    let refused = owner.batch_execute("update audit_event set action = 'x'").await.unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "42501");
}

#[tokio::test]
async fn the_latest_lines_are_read_by_who_may_read_the_security_log() {
    let ground = Ground::lay().await;
    ground.happen("one").await;
    ground.happen("two").await;
    let owner = ground.db.store("owner");
    let end = Timestamp::MAX;
    let lines = trail::list(&owner, &ground.actor(), end, 1).await.unwrap();
    assert_eq!(lines.iter().map(|line| line.action.as_str()).collect::<Vec<_>>(), ["two"]);
    let nobody = Actor { capabilities: std::collections::BTreeSet::new(), ..ground.actor() };
    assert!(trail::list(&owner, &nobody, end, 1).await.is_err());
}
