//! What is true of all tasks: as the tables tell it, and as the rules foretell it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use futures_util::future::try_join_all;
use tokio_postgres::{Client, Row, Statement};
use uuid::Uuid;

/// Everything the engine keeps about tasks. Times are milliseconds by the database's clock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) tasks: BTreeMap<Uuid, Task>,
    pub(crate) waits: BTreeSet<Wait>,
    /// How each task ended, each time.
    pub(crate) ends: BTreeMap<Uuid, Vec<String>>,
    /// How its attempts ended, in no order.
    pub(crate) attempts: BTreeMap<Uuid, Vec<String>>,
    pub(crate) letters: BTreeMap<Uuid, Letter>,
    /// Keys that outlive their tasks: who has it, and until when.
    pub(crate) keys: BTreeMap<String, (Uuid, i64)>,
    /// What transactions wrote that completed a task.
    pub(crate) effects: BTreeMap<Uuid, i64>,
    pub(crate) workers: BTreeMap<Uuid, i64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "they are the table's columns")]
pub(crate) struct Task {
    pub(crate) queue: String,
    pub(crate) tenant: Uuid,
    pub(crate) priority: i16,
    pub(crate) run_at: i64,
    pub(crate) state: State,
    pub(crate) attempt: i32,
    pub(crate) crashes: i32,
    /// By whom it is held, and until when.
    pub(crate) lease: Option<(Uuid, i64)>,
    pub(crate) key: Option<String>,
    pub(crate) until_start: bool,
    pub(crate) counted: bool,
    pub(crate) pending: i32,
    pub(crate) any_of: bool,
    pub(crate) cancelled: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Waiting,
    Delayed,
    Ready,
    Running,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wait {
    pub(crate) child: Uuid,
    pub(crate) parent: Uuid,
    pub(crate) even_if_failed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) reason: String,
    pub(crate) task: Task,
}

/// A place in the order of a tenant's tasks.
pub(crate) type Place = (i16, i64, Uuid);

impl Task {
    pub(crate) fn place(&self, id: Uuid) -> Place {
        (self.priority, self.run_at, id)
    }
}

const TASKS: &str = "
select id, queue, coalesce(tenant, '00000000-0000-0000-0000-000000000000'::uuid), priority,
       (extract(epoch from run_at) * 1000)::int8, state, attempt, crashes, worker_id,
       (extract(epoch from lease_until) * 1000)::int8, unique_key, unique_until_start, counted, pending, any_of,
       cancelled_at is not null
  from task";
const WAITS: &str = "select task_id, waits_for, proceed from task_dependency";
const ENDS: &str = "select id, outcome from task_history order by outcome";
const ATTEMPTS: &str = "select task_id, outcome from task_attempts order by outcome";
const LETTERS: &str = "
select id, queue, coalesce(tenant, '00000000-0000-0000-0000-000000000000'::uuid), priority, attempts, crashes, unique_key,
       reason
  from task_dead_letter";
const KEYS: &str = "select key, task_id, (extract(epoch from expires_at) * 1000)::int8 from task_key";
const EFFECTS: &str = "select task_id, count(*) from effect group by task_id";
const WORKERS: &str = "select id, (extract(epoch from heartbeat_at) * 1000)::int8 from task_worker";

/// The questions to the tables, ready to be asked.
pub(crate) async fn questions(client: &Client) -> Vec<Statement> {
    let all = [TASKS, WAITS, ENDS, ATTEMPTS, LETTERS, KEYS, EFFECTS, WORKERS];
    try_join_all(all.map(|sql| client.prepare(sql))).await.unwrap()
}

impl Facts {
    /// Reads what the tables tell.
    pub(crate) async fn read(client: &Client, questions: &[Statement]) -> Self {
        let rows = try_join_all(questions.iter().map(|asked| client.query(asked, &[]))).await.unwrap();
        Self {
            tasks: rows[0].iter().map(|row| (row.get(0), task(row))).collect(),
            waits: rows[1]
                .iter()
                .map(|row| Wait { child: row.get(0), parent: row.get(1), even_if_failed: row.get(2) })
                .collect(),
            ends: grouped(&rows[2]),
            attempts: grouped(&rows[3]),
            letters: rows[4].iter().map(|row| (row.get(0), letter(row))).collect(),
            keys: rows[5].iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect(),
            effects: rows[6].iter().map(|row| (row.get(0), row.get(1))).collect(),
            workers: rows[7].iter().map(|row| (row.get(0), row.get(1))).collect(),
        }
    }

    /// What is otherwise in `seen` than here, in words; nothing when all is as foretold.
    pub(crate) fn differences(&self, seen: &Self) -> Vec<String> {
        let mut found = Vec::new();
        differ("live task", &self.tasks, &seen.tasks, &mut found);
        let waits = |facts: &Self| facts.waits.iter().map(|wait| (wait.clone(), ())).collect();
        differ("wait", &waits(self), &waits(seen), &mut found);
        differ("ends of", &self.ends, &seen.ends, &mut found);
        differ("attempts of", &self.attempts, &seen.attempts, &mut found);
        differ("dead letter", &self.letters, &seen.letters, &mut found);
        differ("key", &self.keys, &seen.keys, &mut found);
        differ("effects of", &self.effects, &seen.effects, &mut found);
        differ("worker", &self.workers, &seen.workers, &mut found);
        found
    }
}

fn differ<K: Ord + Debug, V: PartialEq + Debug>(
    what: &str,
    wanted: &BTreeMap<K, V>,
    seen: &BTreeMap<K, V>,
    found: &mut Vec<String>,
) {
    let keys: BTreeSet<&K> = wanted.keys().chain(seen.keys()).collect();
    for key in keys {
        let (wanted, seen) = (wanted.get(key), seen.get(key));
        if wanted != seen {
            found.push(format!("{what} {key:?}\n    foretold {wanted:?}\n    seen     {seen:?}"));
        }
    }
}

fn grouped(rows: &[Row]) -> BTreeMap<Uuid, Vec<String>> {
    let mut all: BTreeMap<Uuid, Vec<String>> = BTreeMap::new();
    for row in rows {
        all.entry(row.get(0)).or_default().push(row.get(1));
    }
    all
}

fn task(row: &Row) -> Task {
    let (worker, until): (Option<Uuid>, Option<i64>) = (row.get(8), row.get(9));
    Task {
        queue: row.get(1),
        tenant: row.get(2),
        priority: row.get(3),
        run_at: row.get(4),
        state: match row.get::<_, &str>(5) {
            "WAITING" => State::Waiting,
            "DELAYED" => State::Delayed,
            "READY" => State::Ready,
            "RUNNING" => State::Running,
            other => panic!("{other}"),
        },
        attempt: row.get(6),
        crashes: row.get(7),
        lease: worker.zip(until),
        key: row.get(10),
        until_start: row.get(11),
        counted: row.get(12),
        pending: row.get(13),
        any_of: row.get(14),
        cancelled: row.get(15),
    }
}

fn letter(row: &Row) -> Letter {
    let task = Task {
        queue: row.get(1),
        tenant: row.get(2),
        priority: row.get(3),
        attempt: row.get(4),
        crashes: row.get(5),
        key: row.get(6),
        ..Task::buried()
    };
    Letter { reason: row.get(7), task }
}

impl Task {
    /// What a dead letter does not tell.
    pub(crate) fn buried() -> Self {
        Self {
            queue: String::new(),
            tenant: Uuid::nil(),
            priority: 0,
            run_at: 0,
            state: State::Ready,
            attempt: 0,
            crashes: 0,
            lease: None,
            key: None,
            until_start: false,
            counted: false,
            pending: 0,
            any_of: false,
            cancelled: false,
        }
    }
}
