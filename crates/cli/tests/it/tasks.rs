//! `youtility tasks` on a queue that no worker serves.

use serde_json::Value;
use testkit::Database;
use testkit::process::Binary;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::home::Folder;
use crate::youtility;

/// A queue and the command that looks at it.
struct Desk {
    admin: Client,
    command: Binary,
    db: Database,
    _home: Folder,
}

impl Desk {
    async fn open() -> Self {
        let (db, home) = (Database::create().await, Folder::new());
        let home_env = ("YOUTILITY_HOME".to_owned(), home.path().to_str().unwrap().to_owned());
        let command = youtility().env(db.env("worker")).env([home_env]);
        let admin = db.admin().await;
        admin.batch_execute(KINDS).await.unwrap();
        Self { admin, command, db, _home: home }
    }

    /// What it says when it succeeds.
    async fn says(&self, arguments: &[&str]) -> String {
        self.command.run(&[&["tasks"], arguments].concat()).await.succeeded()
    }

    /// What it says when it refuses.
    async fn refuses(&self, arguments: &[&str]) -> String {
        self.command.run(&[&["tasks"], arguments].concat()).await.failed()
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        let text = self.says(&[arguments, &["--json"]].concat()).await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
    }

    async fn insert(&self, sql: &str) -> String {
        let id: Uuid = self.admin.query_one(sql, &[]).await.unwrap().get(0);
        id.to_string()
    }

    async fn texts(&self, sql: &str) -> Vec<String> {
        self.admin.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }

    /// Who did what, without the account these tests run under.
    async fn actions(&self) -> Vec<String> {
        let actors = "select count(*) from task_action where actor not like 'cli:_%'";
        let strangers: i64 = self.admin.query_one(actors, &[]).await.unwrap().get(0);
        assert_eq!(strangers, 0, "everything here is done at the terminal");
        self.texts("select action || ' ' || coalesce(queue, '-') from task_action order by at, id").await
    }
}

const KINDS: &str =
    "insert into task_kind (name, queue, attempts_max, timeout_ms, backoff_base_ms, backoff_max_ms)
                     values ('greet', 'email', 3, 1000, 0, 0)";
const READY: &str = "insert into task (id, queue, kind, args, created_by)
                     values (gen_random_uuid(), 'email', 'greet', '{\"name\": \"Ada\"}', 'person:ada') returning id";
const DELAYED: &str = "insert into task (id, queue, kind, state, run_at)
                       values (gen_random_uuid(), 'email', 'greet', 'DELAYED', now() + interval '1 day') returning id";
const RUNNING: &str = "insert into task (id, queue, kind, state, worker_id, lease_until, attempt)
                       values (gen_random_uuid(), 'email', 'greet', 'RUNNING', gen_random_uuid(), now() + interval '1 day', 2)
                       returning id";
const DEAD: &str = "insert into task_dead_letter (id, created_at, buried_at, attempts, crashes, priority, queue, kind, reason,
                                                  error, args)
                    values (gen_random_uuid(), now(), now(), 3, 0, 0, 'email', 'greet', 'EXHAUSTED', 'no paper', '{}')
                    returning id";

#[tokio::test]
async fn live_and_finished_tasks_are_listed_in_columns_and_as_json() {
    let desk = Desk::open().await;
    let (ready, delayed) = (desk.insert(READY).await, desk.insert(DELAYED).await);
    let listed = desk.says(&["list", "--queue", "email"]).await;
    let lines: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0][..4], ["ID", "STATE", "QUEUE", "KIND"]);
    assert_eq!(lines.len(), 3, "{listed}");
    assert!(lines.iter().any(|line| line[..4] == [ready.as_str(), "READY", "email", "greet"]), "{listed}");

    let page = desk.json(&["list", "--state", "delayed"]).await;
    assert_eq!((page["rows"][0]["id"].as_str(), page["next"].is_null()), (Some(delayed.as_str()), true));
    assert!(desk.says(&["list", "--queue", "reports"]).await.contains("there are none"));

    desk.says(&["cancel", &delayed]).await;
    let finished = desk.says(&["list", "--state", "cancelled"]).await;
    assert!(finished.contains(&delayed) && finished.contains("OUTCOME"), "{finished}");
}

#[tokio::test]
async fn a_long_list_says_how_to_go_on() {
    let desk = Desk::open().await;
    for _ in 0..3 {
        desk.insert(READY).await;
    }
    let first = desk.json(&["list", "--limit", "2"]).await;
    let said = desk.says(&["list", "--limit", "2"]).await;
    let after = said.split("--after ").nth(1).unwrap().trim();
    let rest = desk.json(&["list", "--limit", "2", "--after", after]).await;
    assert_eq!((first["rows"].as_array().unwrap().len(), rest["rows"].as_array().unwrap().len()), (2, 1));
    assert_ne!(first["rows"][1]["id"], rest["rows"][0]["id"]);
    let refused = desk.command.run(&["tasks", "list", "--state", "done"]).await;
    assert_eq!(refused.code, Some(2));
    assert!(refused.said.contains("use waiting, delayed, ready or running"), "{}", refused.said);
}

#[tokio::test]
async fn one_task_is_shown_with_everything_that_is_known() {
    let desk = Desk::open().await;
    let id = desk.insert(DEAD).await;
    let attempt = format!(
        "insert into task_attempt (task_id, worker_id, finished_at, attempt, outcome, error)
         values ('{id}', gen_random_uuid(), now(), 3, 'FAILED', 'no letter: no paper')"
    );
    desk.admin.batch_execute(&attempt).await.unwrap();
    let shown = desk.says(&["show", &id]).await;
    for words in ["DEAD LETTER", "EXHAUSTED", "no letter: no paper", "FAILED", &format!("tasks retry {id}")] {
        assert!(shown.contains(words), "{words} in {shown}");
    }
    desk.says(&["retry", &id]).await;
    let shown = desk.json(&["show", &id]).await;
    assert_eq!(shown["live"]["state"], "READY");
    assert_eq!(
        (&shown["actions"][0]["action"], &shown["attempts"][0]["attempt"]),
        (&"RETRIED".into(), &3.into())
    );
    let unknown = desk.refuses(&["show", &Uuid::nil().to_string()]).await;
    assert!(unknown.contains("there is no task") && unknown.contains("tasks list"), "{unknown}");
}

#[tokio::test]
async fn dead_letters_are_retried_or_dropped() {
    let desk = Desk::open().await;
    let (first, second) = (desk.insert(DEAD).await, desk.insert(DEAD).await);
    let listed = desk.says(&["dead-letters"]).await;
    assert!(listed.contains(&first) && listed.contains(&second) && listed.contains("no paper"), "{listed}");
    assert!(desk.says(&["retry", &first]).await.contains(&format!("{first} runs again")));
    desk.says(&["discard", &second]).await;
    assert_eq!(desk.actions().await, ["RETRIED email", "DISCARDED email"]);
    assert!(desk.says(&["dead-letters"]).await.contains("there are none"));
    assert!(desk.refuses(&["discard", &second]).await.contains("tasks dead-letters"));
    let ready = desk.refuses(&["retry", &first]).await;
    assert!(ready.contains("is ready"), "{ready}");
}

#[tokio::test]
async fn what_is_done_to_a_clients_task_stands_in_its_trail_with_the_account() {
    let desk = Desk::open().await;
    let client = desk.db.client("ACME").await;
    let (letter, task) = (desk.insert(DEAD).await, desk.insert(DELAYED).await);
    let owned =
        format!("update task_dead_letter set tenant = '{client}'; update task set tenant = '{client}'");
    desk.admin.batch_execute(&owned).await.unwrap();
    desk.says(&["discard", &letter]).await;
    desk.says(&["cancel", &task]).await;
    let trail = "select action || ' ' || subject_id || ' ' || (detail ->> 'kind')
                   from audit_event
                  where detail ->> 'actor' like 'cli:_%'
                  order by at, id";
    let said = [format!("task_discarded {letter} greet"), format!("task_cancelled {task} greet")];
    assert_eq!(desk.texts(trail).await, said);
}

#[tokio::test]
async fn names_and_errors_give_the_terminal_no_orders() {
    let desk = Desk::open().await;
    let id = desk.insert(DEAD).await;
    let planted = "insert into task_action (id, actor, action, task_id)
                   select gen_random_uuid(), E'person:1 Bob\\x1b[2K\\u009b1A', 'RETRIED', id from task_dead_letter;
                   update task_dead_letter set error = E'no\\x1b]0;paper\\n  by           cli:root'";
    desk.admin.batch_execute(planted).await.unwrap();
    for arguments in [&["actions"][..], &["show", &id], &["dead-letters"], &["show", &id, "--json"]] {
        let said = desk.says(arguments).await;
        assert!(said.contains("Bob") || said.contains("paper"), "{said}");
        assert!(!said.chars().any(|char| char.is_control() && char != '\n'), "{said:?}");
        assert!(!said.contains("\n  by "), "{said}");
    }
}

#[tokio::test]
async fn a_retry_whose_key_is_taken_says_what_to_wait_for() {
    let desk = Desk::open().await;
    let id = desk.insert(DEAD).await;
    let keys = "update task_dead_letter set unique_key = 'k';
                insert into task (id, queue, kind, unique_key) values (gen_random_uuid(), 'email', 'greet', 'k')";
    desk.admin.batch_execute(keys).await.unwrap();
    let refused = desk.refuses(&["retry", &id]).await;
    assert!(refused.contains("another task of its kind holds the unique key"), "{refused}");
    assert_eq!(desk.actions().await, Vec::<String>::new());
}

#[tokio::test]
async fn delayed_tasks_are_hurried_and_running_ones_asked_to_stop() {
    let desk = Desk::open().await;
    let (delayed, running) = (desk.insert(DELAYED).await, desk.insert(RUNNING).await);
    assert!(desk.says(&["retry", &delayed]).await.contains("runs again"));
    assert!(desk.says(&["cancel", &running]).await.contains("its worker was told to stop it"));
    assert!(desk.says(&["list", "--state", "running"]).await.contains("RUNNING cancelled"));
    assert_eq!(desk.actions().await, ["RETRIED email", "CANCELLED email"]);
    let log = desk.says(&["actions"]).await;
    assert!(log.contains("cli:") && log.contains(&running), "{log}");
    assert!(desk.refuses(&["retry", &running]).await.contains("tasks cancel"));
    assert!(desk.refuses(&["cancel", &Uuid::nil().to_string()]).await.contains("is alive"));
}

#[tokio::test]
async fn a_queue_is_paused_resumed_and_limited() {
    let desk = Desk::open().await;
    desk.insert(READY).await;
    desk.says(&["pause", "email"]).await;
    let queues = desk.says(&["queues"]).await;
    let email = queues.lines().find(|line| line.starts_with("email")).unwrap();
    assert_eq!(email.split_whitespace().take(3).collect::<Vec<_>>(), ["email", "paused", "1"]);
    assert!(queues.contains("no worker is alive"), "{queues}");
    desk.says(&["resume", "email"]).await;
    desk.says(&["limit", "email", "--running-max", "3", "--rate", "100", "--rate-period-ms", "1000"]).await;
    let said = desk.says(&["limit", "email", "--running-max", "none"]).await;
    assert!(said.contains("limits of email: 100 per 1000 ms"), "{said}");
    let stats = desk.json(&["queues"]).await;
    let email = stats["queues"].as_array().unwrap().iter().find(|queue| queue["name"] == "email").unwrap();
    assert_eq!(email["limits"]["rate_max"], 100);
    assert!(email["limits"]["running_max"].is_null());
    assert_eq!(desk.actions().await, ["PAUSED email", "RESUMED email", "LIMITED email", "LIMITED email"]);
    for command in [&["pause", "nowhere"][..], &["limit", "nowhere", "--rate", "1"], &["drain", "nowhere"]] {
        let refused = desk.refuses(command).await;
        assert!(refused.contains("there is no queue nowhere; there are: default, email"), "{refused}");
    }
}

#[tokio::test]
async fn a_drain_waits_for_what_runs_and_names_it_at_the_limit() {
    let desk = Desk::open().await;
    let id = desk.insert(RUNNING).await;
    let late = desk.refuses(&["drain", "email", "--timeout", "0"]).await;
    for words in ["running: 1", &id, "email stays paused", "tasks resume email"] {
        assert!(late.contains(words), "{words} in {late}");
    }
    let finish = async {
        testkit::wait_until("the drain to be seen", testkit::PATIENCE, async || {
            // The command has a connection of its own while it waits.
            let others = desk
                .texts(
                    "select application_name from pg_stat_activity
                                      where datname = current_database() and usename = 'youtility_worker'",
                )
                .await;
            if others.is_empty() { Err("nobody waits".to_owned()) } else { Ok(()) }
        })
        .await;
        desk.admin.execute("delete from task", &[]).await.unwrap();
    };
    let (said, ()) = tokio::join!(desk.says(&["drain", "email"]), finish);
    assert!(said.contains("nothing of email runs"), "{said}");
    assert_eq!(desk.actions().await, ["PAUSED email"], "it was paused once");
}

#[tokio::test]
async fn schedules_tick_by_hand_and_pause() {
    let desk = Desk::open().await;
    assert!(desk.says(&["schedules"]).await.contains("no schedule is registered"));
    let schedule = "insert into task_schedule (name, cron, time_zone, kind, queue)
                    values ('morning', '0 9 * * *', 'Europe/Berlin', 'greet', 'email')";
    desk.admin.batch_execute(schedule).await.unwrap();
    desk.says(&["pause-schedule", "morning"]).await;
    let listed = desk.says(&["schedules"]).await;
    assert!(listed.contains("morning") && listed.contains("paused"), "{listed}");
    desk.says(&["resume-schedule", "morning"]).await;
    desk.says(&["tick", "morning"]).await;
    assert!(desk.refuses(&["tick", "morning"]).await.contains("has not ended"));
    assert!(desk.refuses(&["tick", "evening"]).await.contains("tasks schedules"));
    let wanted = ["SCHEDULE_PAUSED email", "SCHEDULE_RESUMED email", "SCHEDULE_TICKED email"];
    assert_eq!(desk.actions().await, wanted);
}

#[tokio::test]
async fn workers_are_listed_and_asked_to_drain() {
    let desk = Desk::open().await;
    assert!(desk.says(&["workers"]).await.contains("no worker is listed"));
    let worker = "insert into task_worker (id, name, state, queues, running, buffered)
                  values (gen_random_uuid(), 'here', 'WORKING', '{email,default}', 2, 1) returning id";
    let id = desk.insert(worker).await;
    desk.says(&["drain-worker", &id]).await;
    let listed = desk.says(&["workers"]).await;
    assert!(listed.contains("WORKING (asked to drain)") && listed.contains("email,default"), "{listed}");
    assert_eq!(desk.json(&["workers"]).await[0]["draining"], true);
    let refused = desk.refuses(&["drain-worker", &Uuid::nil().to_string()]).await;
    assert!(refused.contains("tasks workers"), "{refused}");
}
