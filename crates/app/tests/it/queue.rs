//! What operators and people at terminals do to tasks, and what the tenants concerned can read of it.

use app::queue::{self, by_hand};
use domain::{Actor, Capability, ClientId, CorrelationId, PersonId, TaskId};
use testkit::Database;

const LIVE: &str = "insert into task (id, queue, kind, tenant) values";
const RUNNING: &str =
    "insert into task (id, queue, kind, state, worker_id, lease_until, attempt, tenant) values";

/// A client whose person operates, and one whose tasks are acted upon.
struct Floor {
    db: Database,
    acme: ClientId,
    other: ClientId,
    asha: PersonId,
}

impl Floor {
    async fn create() -> Self {
        let db = Database::create().await;
        let (acme, other) = (db.client("ACME").await, db.client("OTHER").await);
        let asha = db.person(acme, "asha").name("Asha\u{1b}[2K Rao").await;
        Self { db, acme, other, asha }
    }

    fn operator(&self) -> Actor {
        Actor {
            person_id: Some(self.asha),
            capabilities: [Capability::Operate].into(),
            ..Actor::process(self.acme, CorrelationId::generate())
        }
    }

    async fn run(&self, sql: &str) {
        self.db.admin().await.batch_execute(sql).await.unwrap_or_else(|error| panic!("{error:?}\n{sql}"));
    }

    /// A task of the other client that waits for a worker, or runs.
    async fn task(&self, insert: &str) -> TaskId {
        let (id, other) = (TaskId::generate(), self.other);
        let more =
            if insert == LIVE { "" } else { "'RUNNING', gen_random_uuid(), now() + interval '1 hour', 1, " };
        self.run(&format!("{insert} ('{id}', 'email', 'ticket.mail', {more}'{other}')")).await;
        id
    }

    /// A task of the other client that was given up.
    async fn dead_letter(&self) -> TaskId {
        let (id, other) = (TaskId::generate(), self.other);
        self.run(&format!(
            "insert into task_dead_letter (id, tenant, created_at, buried_at, attempts, crashes, priority, queue, kind,
                                           reason, args)
             values ('{id}', '{other}', now(), now(), 3, 0, 0, 'email', 'ticket.mail', 'EXHAUSTED', '{{}}')"
        ))
        .await;
        id
    }

    async fn texts(&self, sql: &str) -> Vec<String> {
        self.db.admin().await.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }

    /// Action, task, kind, queue and who acted, of a client's trail.
    async fn trail(&self, client: ClientId) -> Vec<String> {
        self.texts(&format!(
            "select concat_ws(' ', action, subject_id, detail ->> 'kind', detail ->> 'queue',
                              coalesce(detail ->> 'actor', person_id::text))
               from audit_event where client_id = '{client}' order by at, id"
        ))
        .await
    }
}

#[tokio::test]
async fn what_an_operator_does_to_a_task_stands_in_both_trails_once() {
    let floor = Floor::create().await;
    let (web, operator) = (floor.db.store("web"), floor.operator());
    let (waiting, running) = (floor.task(LIVE).await, floor.task(RUNNING).await);
    let (again, dropped) = (floor.dead_letter().await, floor.dead_letter().await);
    queue::cancel_task(&web, &operator, waiting).await.unwrap();
    for _ in 0..2 {
        queue::cancel_task(&web, &operator, running).await.unwrap();
    }
    queue::retry_dead_letter(&web, &operator, again).await.unwrap();
    queue::discard_dead_letter(&web, &operator, dropped).await.unwrap();
    let line = |action: &str, id| format!("{action} {id} ticket.mail email {}", floor.asha);
    let said = [
        line("task_cancelled", waiting),
        line("task_cancelled", running),
        line("task_retried", again),
        line("task_discarded", dropped),
    ];
    assert_eq!(floor.trail(floor.acme).await, said);
    assert_eq!(floor.trail(floor.other).await, said);
    let whose = format!(
        "select count(*) from audit_event
          where client_id = '{}' and detail ->> 'tenant' = '{}' or client_id = '{}' and detail ->> 'operator_client' = '{}'",
        floor.acme, floor.other, floor.other, floor.acme
    );
    assert_eq!(floor.db.count(&whose).await, 8);
    let signed = floor.texts("select distinct actor from task_action").await;
    assert_eq!(signed, [format!("person:{} Asha [2K Rao", floor.asha)]);
}

#[tokio::test]
async fn a_task_of_ones_own_client_stands_in_its_trail_once_and_one_of_nobody_only_there() {
    let floor = Floor::create().await;
    let (web, operator) = (floor.db.store("web"), floor.operator());
    let (own, nobodys) = (floor.task(LIVE).await, floor.task(LIVE).await);
    floor.run(&format!("update task set tenant = '{}' where id = '{own}'", floor.acme)).await;
    floor.run(&format!("update task set tenant = null where id = '{nobodys}'")).await;
    for id in [own, nobodys] {
        queue::cancel_task(&web, &operator, id).await.unwrap();
    }
    assert_eq!(floor.trail(floor.acme).await.len(), 2);
    assert_eq!(floor.trail(floor.other).await, Vec::<String>::new());
}

#[tokio::test]
async fn nothing_is_told_to_a_tenant_that_was_not_done_or_by_somebody_who_is_no_operator() {
    let floor = Floor::create().await;
    let id = floor.task(LIVE).await;
    let told = |who: PersonId, done: &str| {
        let (acme, other) = (floor.acme, floor.other);
        format!(
            "begin; set local role youtility_web;
             select set_config('app.client_id', '{acme}', true), set_config('app.person_id', '{who}', true),
                    set_config('app.correlation_id', '{id}', true);
             {done};
             select audit_for_operator('{other}', gen_random_uuid(), 'task_cancelled', '{id}', 'a', 'email');
             commit"
        )
    };
    let act = |who: PersonId| {
        format!(
            "insert into task_action (id, actor, action, task_id)
             values (gen_random_uuid(), 'person:{who} Asha', 'CANCELLED', '{id}')"
        )
    };
    let guard = floor.db.person(floor.acme, "guard").capabilities(&[Capability::Web]).await;
    floor.run(&told(floor.asha, "select 1")).await;
    floor.run(&told(guard, &act(guard))).await;
    floor.run("update person set enabled = false where code = 'asha'").await;
    floor.run(&told(floor.asha, &act(floor.asha))).await;
    assert_eq!(floor.trail(floor.other).await, Vec::<String>::new());
    floor.run("update person set enabled = true where code = 'asha'").await;
    floor.run(&told(floor.asha, &act(floor.asha))).await;
    assert_eq!(floor.trail(floor.other).await.len(), 1);
    for forged in [act(guard), act(floor.asha).replace("person:", "cli:")] {
        let refused = floor.db.admin().await.batch_execute(&told(floor.asha, &forged)).await;
        assert_eq!(refused.unwrap_err().code().unwrap().code(), "42501", "{forged}");
    }
}

#[tokio::test]
async fn who_is_disabled_or_of_a_client_that_ended_gets_no_names_of_tenants() {
    let floor = Floor::create().await;
    floor.task(LIVE).await;
    let web = floor.db.store("web");
    let named = async || {
        let (operator, all) = (floor.operator(), queue::Narrowing::default());
        let listed = queue::live_tasks(&web, &operator, &all, queue::Place::default()).await;
        listed.unwrap().tenants.of(*floor.other.as_uuid()).is_some()
    };
    assert!(named().await);
    floor.run("update person set enabled = false").await;
    assert!(!named().await);
    floor
        .run("update person set enabled = true; update client set state = 'STOPPED' where code = 'ACME'")
        .await;
    assert!(!named().await);
}

#[tokio::test]
async fn what_is_done_at_a_terminal_stands_in_the_trail_of_the_tenant_concerned() {
    let floor = Floor::create().await;
    let worker = floor.db.store("worker");
    let (waiting, running) = (floor.task(LIVE).await, floor.task(RUNNING).await);
    let (again, dropped) = (floor.dead_letter().await, floor.dead_letter().await);
    let (nobodys, unknown) = (floor.task(LIVE).await, floor.task(LIVE).await);
    floor.run(&format!("update task set tenant = null where id = '{nobodys}'")).await;
    floor.run(&format!("update task set tenant = gen_random_uuid() where id = '{unknown}'")).await;
    for id in [waiting, running, running, nobodys, unknown] {
        by_hand::cancel(&worker, id, "cli:root").await.unwrap();
    }
    assert!(by_hand::retry(&worker, again, "cli:root").await.unwrap());
    assert!(by_hand::discard(&worker, dropped, "cli:root").await.unwrap());
    assert!(!by_hand::discard(&worker, dropped, "cli:root").await.unwrap());
    let line = |action: &str, id| format!("{action} {id} ticket.mail email cli:root");
    let said = [
        line("task_cancelled", waiting),
        line("task_cancelled", running),
        line("task_retried", again),
        line("task_discarded", dropped),
    ];
    assert_eq!(floor.trail(floor.other).await, said);
    assert_eq!(floor.db.count("select count(*) from audit_event").await, 4);
    assert_eq!(floor.db.count("select count(*) from task_action where actor = 'cli:root'").await, 6);
}
