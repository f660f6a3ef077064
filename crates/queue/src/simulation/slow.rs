//! Enqueuing, and transactions that end later than they began.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::sample::Index;
use tokio_postgres::Client;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::facts::{Facts, State, Task};
use super::operation::{self, Ending, New, QUEUES};
use super::rules::End;
use super::world::World;
use crate::claim::Key;
use crate::{Cancel, Enqueued, Failure, NewTask, cancel, enqueue};

const PERIOD: i64 = 60_000;
const REQUEST: i64 = 24 * 3_600_000;

/// A transaction that is open.
pub(crate) struct Slow {
    client: usize,
    begun_at: i64,
    work: Work,
    /// The rows that nobody else can change before it ends.
    pub(crate) locks: BTreeSet<Uuid>,
}

enum Work {
    Enqueue(Vec<(New, Enqueued)>),
    Cancel(Uuid),
    Complete { worker: Uuid, key: Key },
}

pub(crate) fn new_task(new: &New) -> NewTask {
    let mut task = NewTask::new("a", &()).queue(QUEUES[new.queue]).priority(new.priority);
    if new.delay_s > 0 {
        task = task.delay(Duration::from_secs(new.delay_s.into()));
    }
    if new.tenant > 0 {
        task = task.tenant(Uuid::from_u128(new.tenant.into()));
    }
    match new.key {
        operation::Key::None => task,
        operation::Key::Live(key) => task.unique_key(live(key)),
        operation::Key::UntilStart(key) => task.unique_until_start(live(key)),
        operation::Key::Period(key) => {
            task.unique_for(key.to_string(), Duration::from_millis(PERIOD.unsigned_abs()))
        }
        operation::Key::Request(key) => task.idempotency_key(key.to_string()),
    }
}

fn live(key: u8) -> String {
    format!("key {key}")
}

/// A task as it stands in the table once it is enqueued.
pub(crate) fn enqueued(new: &New, now: i64) -> Task {
    let key = match new.key {
        operation::Key::Live(key) | operation::Key::UntilStart(key) => Some(live(key)),
        operation::Key::None | operation::Key::Period(_) | operation::Key::Request(_) => None,
    };
    Task {
        queue: QUEUES[new.queue].to_owned(),
        tenant: Uuid::from_u128(new.tenant.into()),
        priority: new.priority,
        run_at: now + i64::from(new.delay_s) * 1_000,
        state: if new.delay_s > 0 { State::Delayed } else { State::Ready },
        key,
        until_start: matches!(new.key, operation::Key::UntilStart(_)),
        ..Task::buried()
    }
}

impl Facts {
    /// Takes in what was enqueued; a key that is held must have been refused, with its holder's id.
    pub(crate) fn enqueue(&mut self, all: &[(New, Enqueued)], now: i64) -> Result<(), String> {
        for (new, answer) in all {
            let lasting = match new.key {
                operation::Key::Period(key) => Some((format!("period:{key}"), PERIOD)),
                operation::Key::Request(key) => Some((format!("request:{key}"), REQUEST)),
                operation::Key::None | operation::Key::Live(_) | operation::Key::UntilStart(_) => None,
            };
            let task = enqueued(new, now);
            let kept = lasting.as_ref().and_then(|(key, _)| self.keys.get(key)).filter(|kept| kept.1 > now);
            let holder = kept.map(|kept| kept.0).or_else(|| self.holder(task.key.as_deref()?));
            match (holder, answer) {
                (Some(holder), Enqueued::Held(Some(told))) if holder == *told => {}
                (None, Enqueued::New(id)) => {
                    if let Some((key, period)) = lasting {
                        self.keys.insert(key, (*id, now + period));
                    }
                    self.tasks.insert(*id, task);
                }
                _ => {
                    return Err(format!(
                        "the key of {new:?} is held by {holder:?}, the answer was {answer:?}"
                    ));
                }
            }
        }
        Ok(())
    }
}

impl World<'_> {
    pub(crate) async fn enqueue(&mut self, news: &[New]) -> Result<(), String> {
        let tasks: Vec<NewTask> = news.iter().map(new_task).collect();
        match enqueue(&self.lab.client, &tasks).await {
            Ok(answers) => self.facts.enqueue(&pair(news, answers), self.now),
            Err(error) => self.bear(&error),
        }
    }

    /// A connection on which no transaction is open, with one open from here on.
    async fn open(&self) -> Option<(usize, &Client)> {
        let taken: Vec<usize> = self.slow.iter().map(|slow| slow.client).collect();
        let (index, client) = self.lab.others.iter().enumerate().find(|(index, _)| !taken.contains(index))?;
        client.batch_execute("begin").await.unwrap();
        Some((index, client))
    }

    async fn keep_or_roll_back(&mut self, client: usize, kept: Option<(Work, BTreeSet<Uuid>)>) {
        match kept {
            Some((work, locks)) => self.slow.push(Slow { client, begun_at: self.now, work, locks }),
            None => self.lab.others[client].batch_execute("rollback").await.unwrap(),
        }
    }

    pub(crate) async fn enqueue_slowly(&mut self, news: &[New]) -> Result<(), String> {
        let Some((index, client)) = self.open().await else { return Ok(()) };
        let tasks: Vec<NewTask> = news.iter().map(new_task).collect();
        let kept = match enqueue(client, &tasks).await {
            Ok(answers) => {
                let mut all = pair(news, answers);
                self.facts.clone().enqueue(&all, self.now)?;
                // Only these hold their keys until the end.
                all.retain(|(_, answer)| answer.new_id().is_some());
                Some((Work::Enqueue(all), BTreeSet::new()))
            }
            Err(error) => {
                self.bear(&error)?;
                None
            }
        };
        self.keep_or_roll_back(index, kept).await;
        Ok(())
    }

    pub(crate) async fn cancel_slowly(&mut self, pick: &Index) -> Result<(), String> {
        let Some(id) = choose(*pick, self.facts.tasks.keys().copied()) else { return Ok(()) };
        let Some((index, client)) = self.open().await else { return Ok(()) };
        let kept = match cancel(client, id, "person").await {
            Ok(answer) => {
                let running = self.facts.tasks[&id].state == State::Running;
                let wanted = if running { Cancel::Requested } else { Cancel::Removed };
                expect("the answer of a cancellation", &wanted, &answer)?;
                let children = self.facts.children(id).filter(|_| !running);
                Some((Work::Cancel(id), children.chain([id]).collect()))
            }
            Err(error) => {
                self.bear(&error)?;
                None
            }
        };
        self.keep_or_roll_back(index, kept).await;
        Ok(())
    }

    /// A handler writes its effect and completes its task in one transaction, which stays open.
    pub(crate) async fn complete(&mut self, pick: &Index) -> Result<(), String> {
        let Some((worker, key)) = choose(*pick, self.free_attempts()) else { return Ok(()) };
        let employee = &self.employees[worker];
        let (id, Some(job)) = (employee.id, employee.job(key)) else { return Ok(()) };
        let (held, locked) = (self.facts.is_held(key.id, id, key.attempt), self.locked());
        let locks: BTreeSet<Uuid> = self.facts.children(key.id).chain([key.id]).collect();
        let Some((index, client)) = self.open().await else { return Ok(()) };
        client.execute_typed("insert into effect values ($1)", &[(&key.id, Type::UUID)]).await.unwrap();
        let kept = match job.complete_in(client).await {
            Ok(()) if held => Some((Work::Complete { worker: id, key }, locks)),
            Ok(()) => return Err(format!("{key:?} was completed by a worker that does not hold it")),
            Err(failure) if held && locked.is_disjoint(&locks) => return Err(format!("{key:?}: {failure}")),
            Err(_) => None,
        };
        self.keep_or_roll_back(index, kept).await;
        Ok(())
    }

    /// The attempts that have no transaction open, and whose they are.
    pub(crate) fn free_attempts(&self) -> Vec<(usize, Key)> {
        let open = |id: Uuid, key: Key| {
            let completes = |work: &Work| matches!(work, Work::Complete { worker, key: other } if *worker == id && *other == key);
            self.slow.iter().any(|slow| completes(&slow.work))
        };
        let all = self.employees.iter().enumerate().flat_map(|(worker, employee)| {
            let running = employee.running().into_iter().filter(|key| !open(employee.id, *key));
            running.map(move |key| (worker, key)).collect::<Vec<_>>()
        });
        all.collect()
    }

    pub(crate) async fn close(&mut self, pick: &Index, ending: Ending) -> Result<(), String> {
        let Some(place) = choose(*pick, 0..self.slow.len()) else { return Ok(()) };
        self.end_transaction(place, ending).await
    }

    pub(crate) async fn end_transaction(&mut self, place: usize, ending: Ending) -> Result<(), String> {
        let Slow { client, begun_at, work, .. } = self.slow.remove(place);
        let committed = ending != Ending::Rollback;
        let words = if committed { "commit" } else { "rollback" };
        self.lab.others[client].batch_execute(words).await.unwrap();
        if committed {
            match &work {
                Work::Enqueue(all) => self.facts.enqueue(all, begun_at)?,
                Work::Cancel(id) => self.facts.cancel(*id, begun_at),
                Work::Complete { key, .. } => {
                    *self.facts.effects.entry(key.id).or_default() += 1;
                    self.facts.attempted(key.id, "SUCCEEDED");
                    self.facts.end(key.id, End::Succeeded, begun_at);
                }
            }
        }
        let Work::Complete { worker, key } = work else { return Ok(()) };
        let answer = match ending {
            Ending::Commit => Ok(()),
            Ending::CommitUnheard | Ending::Rollback => Err(Failure::retry("the transaction failed")),
        };
        if let Some(employee) = self.employees.iter_mut().find(|employee| employee.id == worker) {
            employee.finish(key, answer).await;
        }
        Ok(())
    }

    /// Rolls back what holds tasks of a worker, as the end of its process does.
    pub(crate) async fn roll_back_of(&mut self, worker: Uuid) -> Result<(), String> {
        let held = |id: &Uuid| {
            self.facts.tasks.get(id).and_then(|task| task.lease).is_some_and(|lease| lease.0 == worker)
        };
        while let Some(place) = self.slow.iter().position(|slow| slow.locks.iter().any(held)) {
            let Slow { client, .. } = self.slow.remove(place);
            self.lab.others[client].batch_execute("rollback").await.unwrap();
        }
        Ok(())
    }
}

fn pair(news: &[New], answers: Vec<Enqueued>) -> Vec<(New, Enqueued)> {
    news.iter().cloned().zip(answers).collect()
}

pub(crate) fn choose<T>(pick: Index, from: impl IntoIterator<Item = T>) -> Option<T> {
    let mut all: Vec<T> = from.into_iter().collect();
    if all.is_empty() { None } else { Some(all.swap_remove(pick.index(all.len()))) }
}

pub(crate) fn expect<T: PartialEq + std::fmt::Debug>(what: &str, wanted: &T, seen: &T) -> Result<(), String> {
    if wanted == seen { Ok(()) } else { Err(format!("{what}: foretold {wanted:?}, seen {seen:?}")) }
}
