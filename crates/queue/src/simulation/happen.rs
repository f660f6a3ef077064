//! Letting things happen: each operation is done by the engine and foretold by the rules.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use proptest::sample::Index;
use uuid::Uuid;

use super::facts::State;
use super::operation::{How, New, Operation, QUEUES, Shape, Told, Writing};
use super::slow::{choose, enqueued, expect, new_task};
use super::world::{World, is_lock_timeout, is_repetition, words};
use crate::claim::{AtHead, Key};
use crate::driver::steps::Answer;
use crate::lane::Want;
use crate::{Cancel, Error, Failure, Limits, Workflow};
use crate::{lease, limit, promote, report, settle};

const FORGET: i64 = 3_600_000;

/// A claim as it is about to be made.
struct Asked {
    worker: usize,
    wants: Vec<Want>,
    limited: Vec<AtHead>,
}

impl World<'_> {
    /// Lets one thing happen, and checks everything.
    pub(crate) async fn step(&mut self, operation: &Operation) -> Result<(), String> {
        let before = self.facts.clone();
        self.act(operation).await?;
        self.check().await?;
        self.check_announced(&before).await.map_err(|error| format!("{error}\n{:#?}", self.facts.tasks))
    }

    /// Lets one thing happen.
    pub(crate) async fn act(&mut self, operation: &Operation) -> Result<(), String> {
        // Nothing happens at the same moment as something else.
        self.move_clock(1).await;
        match operation {
            Operation::Enqueue(news) => self.enqueue(news).await,
            Operation::Workflow(shape, new) => self.enqueue_workflow(*shape, new).await,
            Operation::EnqueueSlowly(news) => self.enqueue_slowly(news).await,
            Operation::CancelSlowly(pick) => self.cancel_slowly(pick).await,
            Operation::Complete(pick) => self.complete(pick).await,
            Operation::Close(pick, ending) => self.close(pick, *ending).await,
            Operation::Hear(worker) => {
                self.employees[*worker].driver.hear();
                Ok(())
            }
            Operation::Claim(worker, answer) => self.claim(*worker, *answer).await,
            Operation::ClaimTogether => self.claim_together().await,
            Operation::Finish(pick, how) => self.finish(pick, *how).await,
            Operation::Write(worker, writing) => self.write(*worker, *writing).await,
            Operation::WriteTogether => self.write_together().await,
            Operation::Beat(worker) => self.beat(*worker).await,
            Operation::Renew(worker) => self.renew(*worker).await,
            Operation::Crash(worker) => self.crash(*worker).await,
            Operation::Stop(worker) => self.stop(*worker).await,
            Operation::Promote(worker) => self.promote(*worker).await,
            Operation::Rescue(worker) => self.rescue(*worker).await,
            Operation::Pass(seconds) => self.pass(*seconds).await,
            Operation::Jump(seconds) => self.jump(*seconds).await,
            Operation::Cancel(pick, told) => self.cancel(pick, *told).await,
            Operation::RetryNow(pick) => self.retry_now(pick).await,
            Operation::RetryLetter(pick) => self.retry_letter(pick).await,
            Operation::DiscardLetter(pick) => self.discard_letter(pick).await,
            Operation::Pause(queue) => self.pause(*queue).await,
            Operation::Resume(queue) => self.resume(*queue).await,
            Operation::Limit(queue, limits) => self.limit(*queue, *limits).await,
            Operation::ReadLimits(worker) => self.read_limits(*worker).await,
        }
    }

    fn asks(&mut self, worker: usize) -> Asked {
        let employee = &mut self.employees[worker];
        let (limited, wants) = employee.driver.wants().into_iter().partition(
            |want| matches!(want, Want::AtHead(head) if employee.driver.worker().is_limited(&head.queue)),
        );
        let heads = |want| match want {
            Want::AtHead(head) => Some(head),
            Want::Nothing | Want::Onward(_) => None,
        };
        Asked { worker, wants, limited: limited.into_iter().filter_map(heads).collect() }
    }

    async fn claim(&mut self, worker: usize, answer: Answer) -> Result<(), String> {
        let asked = self.asks(worker);
        // Nothing may hold up a claim, whatever transactions are open.
        self.employees[worker].driver.claim_once(answer).await.map_err(|error| words(&error))?;
        let taken = self.taken_by(worker).await;
        let locked = self.locked();
        let before = self.before(&locked);
        before.may_take(&taken)?;
        let foretold: BTreeSet<Uuid> = asked.wants.iter().flat_map(|want| before.foretold(want)).collect();
        let of =
            |queue: &str| taken.iter().filter(|id| self.facts.tasks[id].queue == queue).copied().collect();
        let mut limited = BTreeSet::new();
        for head in &asked.limited {
            let own: BTreeSet<Uuid> = of(&head.queue);
            before.within_limits(head, &own)?;
            limited.extend(own);
        }
        let unlimited: BTreeSet<Uuid> = taken.difference(&limited).copied().collect();
        expect("a claim without limits", &foretold, &unlimited)?;
        self.take(&asked, &taken)?;
        if answer != Answer::Lost {
            self.is_known(worker, &taken)?;
        }
        self.employees[worker].gather().await;
        Ok(())
    }

    /// All claim at the same moment.
    async fn claim_together(&mut self) -> Result<(), String> {
        let asked: Vec<Asked> = (0..self.employees.len()).map(|worker| self.asks(worker)).collect();
        let claims = self.employees.iter_mut().map(|employee| employee.driver.claim_once(Answer::Heard));
        for claimed in join_all(claims).await {
            // Claims under limits wait for each other, which may take its time on a busy machine.
            if let Err(error) = claimed
                && !is_lock_timeout(&error)
            {
                return Err(words(&error));
            }
        }
        let mut taken = Vec::new();
        for worker in 0..self.employees.len() {
            taken.push(self.taken_by(worker).await);
        }
        let (locked, all) = (self.locked(), taken.iter().flatten().copied().collect());
        let before = self.before(&locked);
        before.may_take(&all)?;
        let onward = |asked: &Asked| asked.wants.iter().any(|want| matches!(want, Want::Onward(_)));
        if !asked.iter().any(onward) {
            QUEUES.iter().try_for_each(|queue| before.in_order(queue, &all))?;
        }
        for (asked, taken) in asked.iter().zip(&taken) {
            self.take(asked, taken)?;
            self.is_known(asked.worker, taken)?;
        }
        for employee in &mut self.employees {
            employee.gather().await;
        }
        Ok(())
    }

    /// What a worker has in the table and did not have before.
    async fn taken_by(&self, worker: usize) -> BTreeSet<Uuid> {
        let id = self.employees[worker].id;
        let sql = "select id from task where worker_id = $1";
        let rows =
            self.lab.client.query_typed(sql, &[(&id, tokio_postgres::types::Type::UUID)]).await.unwrap();
        let ids = rows.iter().map(|row| row.get(0));
        ids.filter(|id| self.facts.tasks.get(id).is_some_and(|task| task.state == State::Ready)).collect()
    }

    fn take(&mut self, asked: &Asked, taken: &BTreeSet<Uuid>) -> Result<(), String> {
        let worker = self.employees[asked.worker].id;
        for head in &asked.limited {
            let own = taken.iter().filter(|id| self.facts.tasks[id].queue == *head.queue);
            let tenants: Vec<Uuid> = own.map(|id| self.facts.tasks[id].tenant).collect();
            let decided = self.queues.get_mut(&*head.queue).expect("all queues are known");
            decided.start(self.elapsed, &tenants)?;
        }
        for id in taken {
            let counted = asked.limited.iter().any(|head| *head.queue == *self.facts.tasks[id].queue);
            self.facts.claim(*id, worker, self.now).counted = counted;
        }
        for (name, decided) in &self.queues {
            let running =
                self.facts.tasks.values().filter(|task| task.queue == *name && task.counted).count();
            let began = asked.limited.iter().any(|head| *head.queue == **name)
                && taken.iter().any(|id| self.facts.tasks[id].queue == *name);
            if began && decided.running_max.is_some_and(|max| running > usize::try_from(max).unwrap()) {
                return Err(format!("{running} tasks of {name} run at once: {decided:?}"));
            }
        }
        Ok(())
    }

    /// Whether the worker knows of all that the table says it has taken.
    fn is_known(&self, worker: usize, taken: &BTreeSet<Uuid>) -> Result<(), String> {
        let holds = self.employees[worker].driver.holds();
        for id in taken {
            let key = Key { id: *id, attempt: self.facts.tasks[id].attempt };
            if !holds.contains(&key) {
                return Err(format!("{key:?} was claimed, and its worker does not know"));
            }
        }
        Ok(())
    }

    async fn finish(&mut self, pick: &Index, how: How) -> Result<(), String> {
        let Some((worker, key)) = choose(*pick, self.free_attempts()) else { return Ok(()) };
        self.finish_one(worker, key, how).await;
        Ok(())
    }

    pub(crate) async fn finish_one(&mut self, worker: usize, key: Key, how: How) {
        let answer = match how {
            How::Well => Ok(()),
            How::Retry => Err(Failure::retry("no")),
            How::Snooze(seconds) => Err(Failure::snooze(Duration::from_secs(seconds.into()))),
            How::Permanent => Err(Failure::permanent("never")),
        };
        self.employees[worker].finish(key, answer).await;
    }

    async fn write(&mut self, worker: usize, writing: Writing) -> Result<(), String> {
        if writing == Writing::Lost {
            self.employees[worker].pending.clear();
            return Ok(());
        }
        if writing == Writing::Again {
            return self.write_again(worker).await;
        }
        let (written, errors) = self.employees[worker].write().await;
        errors.iter().try_for_each(|error| self.bear(error))?;
        let id = self.employees[worker].id;
        for verdict in written {
            self.facts.settle(id, &verdict, self.now);
            self.employees[worker].written.push(verdict);
        }
        if writing == Writing::Twice { self.write_again(worker).await } else { Ok(()) }
    }

    /// An engine that got no answer writes again what was written.
    async fn write_again(&mut self, worker: usize) -> Result<(), String> {
        let employee = &self.employees[worker];
        for verdict in &employee.written {
            match settle::settle(employee.worker(), std::slice::from_ref(verdict)).await {
                Ok(()) => self.facts.settle(employee.id, verdict, self.now),
                // The number of a snoozed attempt comes again; its end is remembered already.
                Err(error) if is_repetition(&error) => {}
                Err(error) => self.bear(&error)?,
            }
        }
        Ok(())
    }

    /// All write at the same moment.
    async fn write_together(&mut self) -> Result<(), String> {
        let all = join_all(self.employees.iter_mut().map(super::employee::Employee::write)).await;
        for (employee, (written, errors)) in self.employees.iter_mut().zip(all) {
            if let Some(error) = errors.iter().find(|error| !is_lock_timeout(error)) {
                return Err(words(error));
            }
            for verdict in written {
                self.facts.settle(employee.id, &verdict, self.now);
                employee.written.push(verdict);
            }
        }
        Ok(())
    }

    async fn beat(&mut self, worker: usize) -> Result<(), String> {
        let employee = &self.employees[worker];
        report::beat_once(employee.worker(), "WORKING").await.map_err(|error| words(&error))?;
        let (id, now) = (employee.id, self.now);
        self.facts.workers.retain(|other, beat| *other == id || *beat >= now - FORGET);
        self.facts.workers.insert(id, now);
        Ok(())
    }

    async fn renew(&mut self, worker: usize) -> Result<(), String> {
        let locked = self.locked();
        let employee = &mut self.employees[worker];
        let asked = employee.driver.renew_once().await.map_err(|error| words(&error))?;
        employee.gather().await;
        self.facts.renew(employee.id, &asked, &locked, self.now);
        Ok(())
    }

    /// A process ends without a word, and another takes its place.
    async fn crash(&mut self, worker: usize) -> Result<(), String> {
        self.employees[worker] = self.hire().await;
        Ok(())
    }

    async fn stop(&mut self, worker: usize) -> Result<(), String> {
        let id = self.employees[worker].id;
        self.roll_back_of(id).await?;
        self.write(worker, Writing::Once).await?;
        let employee = &mut self.employees[worker];
        let (running, held) = (employee.running(), employee.driver.holds());
        employee.driver.stop_at_once().await;
        for key in held {
            let lease = self.facts.tasks.get(&key.id).and_then(|task| task.lease);
            if lease.is_none_or(|lease| lease.0 != id) {
                continue;
            }
            if running.contains(&key) {
                self.facts.attempted(key.id, "INTERRUPTED");
            }
            self.facts.give_back(key.id);
        }
        self.crash(worker).await
    }

    async fn promote(&mut self, worker: usize) -> Result<(), String> {
        promote::promote(self.employees[worker].worker()).await.map_err(|error| words(&error))?;
        let locked = self.locked();
        self.facts.promote(&locked, self.now);
        Ok(())
    }

    async fn rescue(&mut self, worker: usize) -> Result<(), String> {
        match lease::rescue(self.employees[worker].worker()).await {
            Ok(()) => {
                let locked = self.locked();
                self.facts.rescue(&locked, self.now);
                Ok(())
            }
            // What waits for a task that is given up may be held by an open transaction.
            Err(error) => self.bear(&error),
        }
    }

    pub(crate) async fn pass(&mut self, seconds: u32) -> Result<(), String> {
        for employee in &mut self.employees {
            employee.driver.pass(Duration::from_secs(seconds.into()));
        }
        self.move_clock(i64::from(seconds) * 1_000).await;
        Ok(())
    }

    async fn jump(&mut self, seconds: i32) -> Result<(), String> {
        for employee in &self.employees {
            let held = employee.driver.holds().into_iter().map(|key| (employee.id, key));
            self.shortened.extend(held);
        }
        self.move_clock(i64::from(seconds) * 1_000).await;
        Ok(())
    }

    async fn cancel(&mut self, pick: &Index, told: Told) -> Result<(), String> {
        let Some(id) = choose(*pick, self.facts.tasks.keys().copied()) else { return Ok(()) };
        let running = self.facts.tasks[&id].state == State::Running;
        match crate::cancel(&self.lab.client, id, "person").await {
            Ok(answer) => {
                let wanted = if running { Cancel::Requested } else { Cancel::Removed };
                expect("the answer of a cancellation", &wanted, &answer)?;
                self.facts.cancel(id, self.now);
            }
            Err(error) => return self.bear(&error),
        }
        if running && told == Told::AtOnce {
            for employee in &mut self.employees {
                employee.driver.hear_of_cancel(id).await;
                employee.gather().await;
            }
        }
        Ok(())
    }

    async fn retry_now(&mut self, pick: &Index) -> Result<(), String> {
        let delayed = self.facts.tasks.iter().filter(|(_, task)| task.state == State::Delayed);
        let Some(id) = choose(*pick, delayed.map(|(id, _)| *id)) else { return Ok(()) };
        match crate::retry_now(&self.lab.client, id, "person").await {
            Ok(answer) => expect("the answer of a retry", &true, &answer)?,
            Err(error) => return self.bear(&error),
        }
        let task = self.facts.tasks.get_mut(&id).expect("it was chosen from them");
        (task.state, task.run_at) = (State::Ready, self.now);
        Ok(())
    }

    async fn retry_letter(&mut self, pick: &Index) -> Result<(), String> {
        let Some(id) = choose(*pick, self.facts.letters.keys().copied()) else { return Ok(()) };
        let key = self.facts.letters[&id].task.key.clone();
        let holder = key.and_then(|key| self.facts.holder(&key));
        match (crate::retry_dead_letter(&self.lab.client, id, "person").await, holder) {
            (Ok(true), None) => self.facts.revive(id, self.now),
            (Err(Error::KeyHeld), Some(_)) => {}
            (Err(error), _) => self.bear(&error)?,
            (Ok(answer), holder) => {
                return Err(format!("{id} was retried: {answer}, its key is held by {holder:?}"));
            }
        }
        Ok(())
    }

    async fn discard_letter(&mut self, pick: &Index) -> Result<(), String> {
        let Some(id) = choose(*pick, self.facts.letters.keys().copied()) else { return Ok(()) };
        let gone = crate::discard_dead_letter(&self.lab.client, id, "person").await;
        self.facts.letters.remove(&id);
        expect("the answer of a discard", &true, &gone.map_err(|error| words(&error))?)
    }

    async fn pause(&mut self, queue: usize) -> Result<(), String> {
        crate::pause(&self.lab.client, QUEUES[queue], "person").await.map_err(|error| words(&error))?;
        self.queues.get_mut(QUEUES[queue]).expect("all queues are known").paused = true;
        Ok(())
    }

    async fn resume(&mut self, queue: usize) -> Result<(), String> {
        crate::resume(&self.lab.client, QUEUES[queue], "person").await.map_err(|error| words(&error))?;
        self.queues.get_mut(QUEUES[queue]).expect("all queues are known").paused = false;
        Ok(())
    }

    async fn limit(&mut self, queue: usize, all: [Option<i32>; 4]) -> Result<(), String> {
        let [running_max, rate_max, tenant_running_max, tenant_rate_max] = all;
        let rate_period = Duration::from_millis(super::check::RATE_PERIOD.unsigned_abs());
        let limits = Limits { running_max, rate_max, rate_period, tenant_running_max, tenant_rate_max };
        limit(&self.lab.client, QUEUES[queue], &limits, "person").await.map_err(|error| words(&error))?;
        self.queues.get_mut(QUEUES[queue]).expect("all queues are known").limit(all);
        Ok(())
    }

    async fn read_limits(&mut self, worker: usize) -> Result<(), String> {
        let worker = self.employees[worker].worker();
        let limited = limit::limited(worker).await.map_err(|error| words(&error))?;
        let known: BTreeSet<&str> = limited.iter().map(String::as_str).collect();
        let decided = self.queues.iter().filter(|(_, decided)| decided.limited());
        expect("the queues with limits", &decided.map(|(name, _)| *name).collect(), &known)?;
        worker.set_limited(limited);
        Ok(())
    }

    async fn enqueue_workflow(&mut self, shape: Shape, new: &New) -> Result<(), String> {
        let new = New { key: super::operation::Key::None, ..new.clone() };
        let names = ["a", "b", "c", "d"];
        let flow = names.iter().fold(Workflow::new(), |flow, name| flow.task(*name, new_task(&new)));
        let (flow, any_of): (_, &[&str]) = match shape {
            Shape::Chain => (flow.after("b", &["a"]).after("c", &["b"]).after("d", &["c"]), &[]),
            Shape::Diamond => (flow.after("b", &["a"]).after("c", &["a"]).after("d", &["b", "c"]), &[]),
            Shape::Either => (flow.after_any("c", &["a", "b"]).after("d", &["c"]), &["c"]),
            Shape::Regardless => (flow.even_if_failed("c", &["a", "b"]).after("d", &["b", "c"]), &[]),
        };
        let ids = match crate::enqueue_workflow(&self.lab.client, &flow).await {
            Ok(ids) => ids,
            Err(error) => return self.bear(&error),
        };
        for (name, id) in &ids {
            let any_of = any_of.contains(&name.as_str());
            self.facts.tasks.insert(*id, super::facts::Task { any_of, ..enqueued(&new, self.now) });
        }
        self.facts.link(shape, &names.map(|name| ids[name]));
        Ok(())
    }
}
