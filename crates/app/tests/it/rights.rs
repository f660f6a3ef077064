//! What roles may not do, although a statement beside it is allowed to them.

use domain::{Actor, Capability, CorrelationId};
use testkit::Database;

/// Runs a statement as a role and answers whether it was refused.
async fn is_refused(db: &Database, role: &str, sql: &str) -> bool {
    let client = db.admin().await;
    client.batch_execute(&format!("set role {role}")).await.unwrap();
    match client.batch_execute(sql).await {
        Ok(()) => false,
        Err(error) => error.code().is_some_and(|code| code.code() == "42501"),
    }
}

/// Role and statement.
const FORBIDDEN: &[(&str, &str)] = &[
    ("youtility_web", "insert into mail (sender) values ('CEO <ceo@victim.example.com>')"),
    ("youtility_web", "insert into mail (state) values ('SENT')"),
    ("youtility_web", "select * from list_people_dropdown()"),
    ("youtility_web", "select * from list_location_dropdown()"),
    ("youtility_web", "insert into person_capability (capability) values ('OPERATE')"),
    ("youtility_auth", "insert into person_capability (capability) values ('OPERATE')"),
    ("youtility_worker", "insert into client_capability (capability) values ('OPERATE')"),
    ("youtility_worker", "update task_action set actor = 'person:ben'"),
    ("youtility_bridge", "select args from task_history"),
    ("youtility_bridge", "select args, error from task_dead_letter"),
    ("youtility_bridge", "delete from task_dead_letter"),
    ("youtility_bridge", "update task_history set outcome = 'SUCCEEDED'"),
    ("youtility_bridge", "delete from task_attempt"),
    ("youtility_bridge", "update task set args = '{}'"),
    ("youtility_bridge", "update task set tenant = null, kind = 'mail.send', queue = 'email'"),
    ("youtility_bridge", "select * from task_schedule"),
    ("youtility_bridge", "update task_schedule set cron = '* * * * *'"),
    ("youtility_bridge", "update task_queue set paused = true"),
    ("youtility_bridge", "delete from task_queue"),
    ("youtility_bridge", "delete from task_kind"),
    ("youtility_bridge", "select * from task_action"),
];

#[tokio::test]
async fn roles_may_not_do_what_no_statement_of_theirs_needs() {
    let db = Database::create().await;
    let mut allowed = Vec::new();
    for (role, sql) in FORBIDDEN {
        if !is_refused(&db, role, sql).await {
            allowed.push(format!("{role}: {sql}"));
        }
    }
    assert_eq!(allowed, Vec::<String>::new());
}

#[tokio::test]
async fn a_process_of_a_client_operates_nothing() {
    let db = Database::create().await;
    let process = Actor::process(db.client("ACME").await, CorrelationId::generate());
    let refused = app::queue::pause_queue(&db.store("web"), &process, "email").await;
    assert!(matches!(refused, Err(app::Error::Forbidden(Capability::Operate))), "{refused:?}");
}

/// The capabilities of a session that belongs to an operator of a client.
async fn capabilities(db: &Database) -> Vec<String> {
    let sql = "select capabilities from find_session(sha256('token'), interval '1 hour')";
    db.admin().await.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn the_demo_operates_only_where_there_is_nothing_but_the_demo() {
    let db = Database::create().await;
    let demo = db.client("DEMO").await;
    let person = db.person(demo, "operator").capabilities(&[Capability::Web, Capability::Operate]).await;
    let admin = db.admin().await;
    let made = format!(
        "update client set demo = true;
         insert into session (client_id, id, person_id, token_hash, idle_expires_at, expires_at)
         values ('{demo}', gen_random_uuid(), '{person}', sha256('token'), now() + interval '1 hour',
                 now() + interval '1 hour')"
    );
    admin.batch_execute(&made).await.unwrap();
    assert_eq!(capabilities(&db).await, ["OPERATE", "WEB"]);
    db.client("PILOT").await;
    assert_eq!(capabilities(&db).await, ["WEB"]);
    admin.batch_execute("update client set state = 'STOPPED' where code = 'PILOT'").await.unwrap();
    assert_eq!(capabilities(&db).await, ["OPERATE", "WEB"]);
}
