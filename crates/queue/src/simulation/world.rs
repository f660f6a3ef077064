//! A database whose clock is in our hands, the workers on it, and what must be true after every step.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as StdError;

use local::postgres::SUPERUSER;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Statement};
use uuid::Uuid;

use super::check::{Before, Decided};
use super::ears::Ears;
use super::employee::{Employee, Stage, kind};
use super::facts::{Facts, questions};
use super::operation::{QUEUES, WORKERS};
use super::slow::Slow;
use super::support::Queue;
use crate::claim::Key;
use crate::{Error, declare, report};

/// When every sequence begins: 2030.
const BEGIN: i64 = 1_893_456_000_000;

/// Functions in front of those of PostgreSQL: a clock that stands still between steps and jumps when told, and dice that
/// always fall on the middle. So a sequence goes the same way however fast the machine is.
const CLOCK: &str = "
create schema simulation;
create table simulation.clock (at timestamptz not null);
insert into simulation.clock values ('2030-01-01 00:00:00+00');
create function simulation.now() returns timestamptz language sql stable as 'select at from simulation.clock';
create function simulation.clock_timestamp() returns timestamptz language sql stable as 'select at from simulation.clock';
create function simulation.random() returns float8 language sql immutable as 'select 0.5::float8';
grant usage on schema simulation to public;
grant select on simulation.clock to public;
create table effect (task_id uuid not null);
alter table task alter column run_at set default simulation.now();
alter table task_worker alter column heartbeat_at set default simulation.now();
do $$
begin
    execute format('alter database %I set search_path = simulation, pg_catalog, public', current_database());
    execute format('alter database %I set lock_timeout = ''40ms''', current_database());
    execute format('alter database %I set deadlock_timeout = ''10ms''', current_database());
end
$$";

const CLEAN: &str = "
truncate task, task_dependency, task_attempt, task_history, task_dead_letter, task_key, task_tenant, task_action,
         task_worker, effect;
update task_queue
   set paused = false, running_max = null, rate_max = null, tenant_running_max = null, tenant_rate_max = null";

const SET_CLOCK: &str =
    "update simulation.clock set at = to_timestamp(0) + $1::int8 * interval '1 millisecond'";

/// A database for all sequences of a test.
pub(crate) struct Lab {
    pub(crate) queue: Queue,
    pub(crate) client: Client,
    questions: Vec<Statement>,
    pub(crate) ears: Ears,
    /// For transactions that take their time.
    pub(crate) others: Vec<Client>,
}

impl Lab {
    pub(crate) async fn build() -> Self {
        let mut queue = Queue::create().await;
        queue.admin.batch_execute(CLOCK).await.unwrap();
        let client = queue.connect_as(SUPERUSER).await;
        let mut others = Vec::new();
        for _ in 0..3 {
            others.push(queue.connect_as(SUPERUSER).await);
        }
        declare(&client, &[kind(std::sync::Arc::<Stage>::default())]).await.unwrap();
        let questions = questions(&client).await;
        let ears = Ears::open(&queue.config).await;
        Self { queue, client, questions, ears, others }
    }
}

pub(crate) struct World<'a> {
    pub(crate) lab: &'a Lab,
    /// What must be true.
    pub(crate) facts: Facts,
    pub(crate) employees: Vec<Employee>,
    pub(crate) slow: Vec<Slow>,
    pub(crate) queues: BTreeMap<&'static str, Decided>,
    /// The database's clock.
    pub(crate) now: i64,
    /// How far it has moved, in whichever direction.
    pub(crate) elapsed: i64,
    /// Leases that a jump of the clock may have shortened for the database, and not for their workers.
    pub(crate) shortened: BTreeSet<(Uuid, Key)>,
}

impl<'a> World<'a> {
    pub(crate) async fn begin(lab: &'a Lab) -> Self {
        for other in &lab.others {
            other.batch_execute("rollback").await.unwrap();
        }
        lab.client.batch_execute(CLEAN).await.unwrap();
        let mut world = World {
            lab,
            facts: Facts::default(),
            employees: Vec::new(),
            slow: Vec::new(),
            queues: QUEUES.map(|queue| (queue, Decided::default())).into(),
            now: BEGIN,
            elapsed: 0,
            shortened: BTreeSet::new(),
        };
        world.set_clock().await;
        for _ in 0..WORKERS {
            let employee = world.hire().await;
            world.employees.push(employee);
        }
        world
    }

    pub(crate) async fn hire(&mut self) -> Employee {
        let employee = Employee::hire(self.lab.queue.pool.clone());
        report::beat_once(employee.worker(), "WORKING").await.unwrap();
        self.facts.workers.insert(employee.id, self.now);
        employee
    }

    pub(crate) async fn move_clock(&mut self, by: i64) {
        self.now += by;
        self.elapsed += by.abs();
        self.set_clock().await;
    }

    async fn set_clock(&self) {
        self.lab.client.execute_typed(SET_CLOCK, &[(&self.now, Type::INT8)]).await.unwrap();
    }

    /// The rows that transactions hold which have not ended.
    pub(crate) fn locked(&self) -> BTreeSet<Uuid> {
        self.slow.iter().flat_map(|slow| slow.locks.iter().copied()).collect()
    }

    /// The moment before a claim.
    pub(crate) fn before<'b>(&'b self, locked: &'b BTreeSet<Uuid>) -> Before<'b> {
        Before { facts: &self.facts, locked, queues: &self.queues }
    }

    /// Bears with a statement that waited in vain for a transaction that is open; with nothing else.
    pub(crate) fn bear(&self, error: &Error) -> Result<(), String> {
        if is_lock_timeout(error) && !self.slow.is_empty() { Ok(()) } else { Err(words(error)) }
    }

    /// Compares the tables with what was foretold, and what the workers believe with the tables.
    pub(crate) async fn check(&self) -> Result<(), String> {
        let seen = Facts::read(&self.lab.client, &self.lab.questions).await;
        let differences = self.facts.differences(&seen);
        if !differences.is_empty() {
            return Err(format!("the tables differ from the rules:\n  {}", differences.join("\n  ")));
        }
        for (id, task) in &self.facts.tasks {
            if self.facts.ends.get(id).is_some_and(|ends| ends.iter().any(|end| end == "SUCCEEDED")) {
                return Err(format!("{id} is alive after its success: {task:?}"));
            }
        }
        if let Some((id, times)) = self.facts.effects.iter().find(|(_, times)| **times > 1) {
            return Err(format!("{id} took effect {times} times"));
        }
        self.check_beliefs()
    }

    /// Nobody works on what is another's: two at once would both believe that the task is theirs.
    fn check_beliefs(&self) -> Result<(), String> {
        for employee in &self.employees {
            for key in employee.driver.believes() {
                if self.shortened.contains(&(employee.id, key)) {
                    continue;
                }
                let task = self.facts.tasks.get(&key.id);
                let valid = task.and_then(|task| task.lease).is_some_and(|lease| lease.1 >= self.now);
                if !valid || !self.facts.is_held(key.id, employee.id, key.attempt) {
                    return Err(format!(
                        "worker {} believes that it holds {key:?}; it is {task:?}",
                        employee.id
                    ));
                }
            }
        }
        Ok(())
    }
}

pub(crate) fn is_lock_timeout(error: &Error) -> bool {
    matches!(error, Error::Postgres(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE))
}

pub(crate) fn is_repetition(error: &Error) -> bool {
    matches!(error, Error::Postgres(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION))
}

pub(crate) fn words(error: &(dyn StdError + 'static)) -> String {
    format!("a statement failed: {}", crate::error::chain(error))
}
