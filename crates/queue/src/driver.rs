//! The loop that owns the claimed tasks: claims, starts, renews, and hands back at the end.
//!
//! One loop per process holds all counts, so none of them needs a lock.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc::Sender;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::attempt::{self, Verdict};
use crate::claim::{Claimed, Key, Wanted, claim};
use crate::error::chain;
use crate::lane::Lane;
use crate::worker::{Pacing, Worker};
use crate::{Error, lease};

/// A task of which this process has the lease.
struct Held {
    lane: usize,
    valid_until: Instant,
    cancel: CancellationToken,
}

/// An attempt that is over; `cut` when it was stopped before its end and left no verdict.
struct Ended {
    key: Key,
    cut: bool,
}

type Claiming = BoxFuture<'static, (Instant, Wanted, Result<Vec<Claimed>, Error>)>;
type Renewing = BoxFuture<'static, (Instant, Vec<Key>, Result<Vec<Uuid>, Error>)>;

pub(crate) struct Driver {
    worker: Arc<Worker>,
    verdicts: Sender<Verdict>,
    lanes: Vec<Lane>,
    held: HashMap<Key, Held>,
    attempts: JoinSet<Ended>,
    claiming: Option<Claiming>,
    renewing: Option<Renewing>,
    /// Somebody called while a claim was under way: its coming up short says nothing.
    called: bool,
    pacing: Pacing,
    next_look: Instant,
}

impl Driver {
    pub(crate) fn new(worker: Arc<Worker>, verdicts: Sender<Verdict>) -> Self {
        let buffer = worker.settings.buffer;
        let lanes = worker
            .settings
            .queues
            .iter()
            .map(|(queue, most)| Lane::new(queue.clone(), *most, buffer))
            .collect();
        Self {
            lanes,
            verdicts,
            held: HashMap::new(),
            attempts: JoinSet::new(),
            claiming: None,
            renewing: None,
            called: false,
            pacing: Pacing::new(&worker.settings),
            next_look: Instant::now() + worker.settings.poll_interval(),
            worker,
        }
    }

    /// Works until told to stop, then drains: claims nothing, hands back what waits, lets what runs finish for a while.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut beat = self.beat();
        let worker = self.worker.clone();
        loop {
            self.start_waiting();
            self.claim_if_wanted();
            tokio::select! {
                () = stop.cancelled() => break,
                answer = pending_or(&mut self.claiming) => self.take_claimed(answer),
                answer = pending_or(&mut self.renewing) => self.take_renewed(answer),
                Some(ended) = self.attempts.join_next() => drop(self.take_ended(ended)),
                () = worker.ready.notified() => self.wake(),
                () = sleep_until(self.next_look) => self.wake(),
                _ = beat.tick() => self.renew_if_needed(),
            }
        }
        self.drain(beat).await;
    }

    fn beat(&self) -> Interval {
        let mut beat = interval(self.worker.settings.heartbeat());
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beat
    }

    fn wake(&mut self) {
        self.called = true;
        self.lanes.iter_mut().for_each(Lane::wake);
        self.next_look = Instant::now() + self.worker.settings.poll_interval();
    }

    fn claim_if_wanted(&mut self) {
        if self.claiming.is_some() {
            return;
        }
        let batch = self.worker.settings.batch;
        let wanted: Wanted = self
            .lanes
            .iter()
            .map(|lane| (lane.queue.clone(), lane.wanted(batch)))
            .filter(|(_, free)| *free > 0)
            .collect();
        if wanted.is_empty() {
            return;
        }
        self.called = false;
        let worker = self.worker.clone();
        let asked = Instant::now();
        self.claiming = Some(
            async move {
                let claimed = claim(&worker, &wanted).await;
                (asked, wanted, claimed)
            }
            .boxed(),
        );
    }

    fn take_claimed(&mut self, (asked, wanted, answer): (Instant, Wanted, Result<Vec<Claimed>, Error>)) {
        self.claiming = None;
        match answer {
            Ok(claimed) => {
                self.pacing.reset();
                self.note_shortage(&wanted, &claimed);
                self.hold(asked, claimed);
            }
            Err(error) => {
                tracing::warn!(error.chain = chain(&error), "no tasks were claimed");
                self.lanes.iter_mut().for_each(Lane::exhaust);
                self.next_look = Instant::now() + self.pacing.step();
            }
        }
    }

    fn note_shortage(&mut self, wanted: &Wanted, claimed: &[Claimed]) {
        if self.called {
            return;
        }
        for (queue, free) in wanted {
            let got = claimed.iter().filter(|task| task.queue == *queue).count();
            if got < *free
                && let Some(lane) = self.lanes.iter_mut().find(|lane| lane.queue == *queue)
            {
                lane.exhaust();
            }
        }
    }

    fn hold(&mut self, asked: Instant, claimed: Vec<Claimed>) {
        let valid_until = asked + self.worker.settings.lease();
        // A task that is held already was lost in the meantime: its earlier attempt stops beside the new one.
        let ids: HashSet<Uuid> = claimed.iter().map(|task| task.id).collect();
        let again: Vec<Key> = self.held.keys().filter(|key| ids.contains(&key.id)).copied().collect();
        self.let_go(&again);
        for task in claimed {
            let Some(index) = self.lanes.iter().position(|lane| lane.queue == task.queue) else { continue };
            let held = Held { lane: index, valid_until, cancel: CancellationToken::new() };
            self.held.insert(task.key(), held);
            if let Some(lane) = self.lanes.get_mut(index) {
                lane.push(task);
            }
        }
        self.report_load();
    }

    fn start_waiting(&mut self) {
        let now = Instant::now();
        for lane in &mut self.lanes {
            while let Some(task) = lane.start_next() {
                let kind = self.worker.kinds.get(&task.kind);
                let held = self.held.get(&task.key()).filter(|held| held.valid_until > now);
                let (Some(kind), Some(held)) = (kind, held) else {
                    self.held.remove(&task.key());
                    lane.finish();
                    continue;
                };
                let verdicts = self.verdicts.clone();
                let (key, chars_max) = (task.key(), self.worker.settings.error_chars_max);
                let attempt = attempt::run(task, kind.clone(), held.cancel.clone(), chars_max);
                self.attempts.spawn(async move {
                    let Some(verdict) = attempt.await else { return Ended { key, cut: true } };
                    // The writer outlives all senders; should it be gone, the lease runs out instead.
                    drop(verdicts.send(verdict).await);
                    Ended { key, cut: false }
                });
            }
        }
    }

    /// Counts an attempt that is over; answers its task when it was cut.
    fn take_ended(&mut self, ended: Result<Ended, JoinError>) -> Option<Uuid> {
        let ended = match ended {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!(error.chain = chain(&error), "an attempt ended outside of its limits");
                return None;
            }
        };
        if let Some(lane) = self.held.remove(&ended.key).and_then(|held| self.lanes.get_mut(held.lane)) {
            lane.finish();
        }
        self.report_load();
        ended.cut.then_some(ended.key.id)
    }

    /// Renews the leases that are past a third of their time, and lets go of those that ran out.
    fn renew_if_needed(&mut self) {
        let now = Instant::now();
        self.let_go(&self.held_until(now));
        if self.renewing.is_some() {
            return;
        }
        let mut keys = self.held_until(now + self.worker.settings.lease() * 2 / 3);
        if keys.is_empty() {
            return;
        }
        keys.sort_unstable();
        let worker = self.worker.clone();
        self.renewing = Some(
            async move {
                let ids: Vec<Uuid> = keys.iter().map(|key| key.id).collect();
                let renewed = lease::renew(&worker, &ids).await;
                (now, keys, renewed)
            }
            .boxed(),
        );
    }

    /// What is held until this at the latest, without what was let go of and is about to end.
    fn held_until(&self, until: Instant) -> Vec<Key> {
        let ends = |held: &Held| held.valid_until <= until && !held.cancel.is_cancelled();
        self.held.iter().filter(|(_, held)| ends(held)).map(|(key, _)| *key).collect()
    }

    fn take_renewed(&mut self, (asked, keys, answer): (Instant, Vec<Key>, Result<Vec<Uuid>, Error>)) {
        self.renewing = None;
        let renewed: HashSet<Uuid> = match answer {
            Ok(renewed) => renewed.into_iter().collect(),
            Err(error) => {
                tracing::warn!(error.chain = chain(&error), "leases were not renewed");
                return;
            }
        };
        let valid_until = asked + self.worker.settings.lease();
        let (kept, lost): (Vec<Key>, Vec<Key>) = keys.into_iter().partition(|key| renewed.contains(&key.id));
        for key in &kept {
            if let Some(held) = self.held.get_mut(key) {
                held.valid_until = valid_until;
            }
        }
        self.let_go(&lost);
    }

    /// Stops work on tasks that may be another's by this time, and forgets those that wait.
    fn let_go(&mut self, keys: &[Key]) {
        let lost: HashSet<Key> = keys.iter().copied().filter(|key| self.held.contains_key(key)).collect();
        if lost.is_empty() {
            return;
        }
        tracing::warn!(tasks = lost.len(), "leases were lost; work on these tasks stops");
        for key in self.lanes.iter_mut().flat_map(|lane| lane.remove_all(&lost)) {
            self.held.remove(&key);
        }
        for key in &lost {
            if let Some(held) = self.held.get(key) {
                held.cancel.cancel();
            }
        }
    }

    fn report_load(&self) {
        let running = self.lanes.iter().map(Lane::running).sum();
        self.worker.load.set(running, self.lanes.iter().map(Lane::waiting).sum());
    }

    async fn drain(&mut self, mut beat: Interval) {
        let deadline = Instant::now() + self.worker.settings.drain_timeout();
        let end = self.worker.end();
        self.give_back_waiting(deadline).await;
        while !self.attempts.is_empty() {
            tokio::select! {
                () = sleep_until(deadline) => break,
                answer = pending_or(&mut self.renewing) => self.take_renewed(answer),
                Some(ended) = self.attempts.join_next() => drop(self.take_ended(ended)),
                _ = beat.tick() => self.renew_if_needed(),
            }
        }
        self.cut_short(end).await;
    }

    /// Hands back what was claimed and not begun, also by a claim that is still under way.
    async fn give_back_waiting(&mut self, deadline: Instant) {
        let waiting: Vec<Key> = self.lanes.iter_mut().flat_map(Lane::empty).map(|task| task.key()).collect();
        for key in &waiting {
            self.held.remove(key);
        }
        let mut ids: Vec<Uuid> = waiting.iter().map(|key| key.id).collect();
        if let Some(claiming) = self.claiming.take()
            && let Ok((_, _, Ok(claimed))) = timeout_at(deadline, claiming).await
        {
            ids.extend(claimed.into_iter().map(|task| task.id));
        }
        release(&self.worker, &ids).await;
    }

    /// Ends what did not finish in time, and hands it back.
    async fn cut_short(&mut self, end: Instant) {
        if self.attempts.is_empty() {
            return;
        }
        self.held.values().for_each(|held| held.cancel.cancel());
        let mut cut = Vec::new();
        while let Ok(Some(ended)) = timeout_at(end, self.attempts.join_next()).await {
            cut.extend(self.take_ended(ended));
        }
        tracing::warn!(tasks = cut.len(), "tasks did not finish within the drain and were handed back");
        release(&self.worker, &cut).await;
    }
}

async fn release(worker: &Worker, ids: &[Uuid]) {
    match timeout_at(worker.end(), lease::release(worker, ids)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(error.chain = chain(&error), "tasks were not handed back; their leases run out");
        }
        Err(_elapsed) => tracing::warn!("tasks were not handed back in time; their leases run out"),
    }
}

/// Waits for a future that may be absent; absent, it never comes.
async fn pending_or<T>(slot: &mut Option<BoxFuture<'static, T>>) -> T {
    match slot {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::claim::tests::claimed;
    use crate::{EngineSettings, Kind};

    /// A driver of kind `a` whose handler never ends, with a pool that reaches nothing.
    pub(crate) fn driver() -> Driver {
        let manager = deadpool_postgres::Manager::new(tokio_postgres::Config::new(), tokio_postgres::NoTls);
        let pool = deadpool_postgres::Pool::builder(manager).build().unwrap();
        let kind = Kind::new("a", "default", |_| std::future::pending());
        let settings =
            EngineSettings { queues: [("default".to_owned(), 1)].into(), ..EngineSettings::default() };
        let kinds = HashMap::from([("a".to_owned(), kind)]);
        let worker = Worker::new(Uuid::from_u128(1), pool, settings, kinds, Vec::new());
        Driver::new(Arc::new(worker), mpsc::channel(8).0)
    }

    #[tokio::test]
    async fn a_waiting_task_whose_lease_is_lost_is_forgotten() {
        let mut driver = driver();
        driver.hold(Instant::now(), vec![claimed(), claimed()]);
        driver.start_waiting();
        assert_eq!((driver.held.len(), driver.lanes[0].running(), driver.lanes[0].waiting()), (2, 1, 1));
        let keys: Vec<Key> = driver.held.keys().copied().collect();
        driver.let_go(&keys);
        assert_eq!((driver.held.len(), driver.lanes[0].waiting()), (1, 0), "the running one is about to end");
        assert!(driver.held_until(Instant::now() + driver.worker.settings.lease()).is_empty());
        let ended = driver.attempts.join_next().await.unwrap();
        driver.take_ended(ended);
        assert!(driver.held.is_empty());
    }

    #[tokio::test]
    async fn a_task_claimed_again_stops_its_earlier_attempt_and_runs_in_its_place() {
        let mut driver = driver();
        let first = claimed();
        let again = Claimed { id: first.id, attempt: 2, ..claimed() };
        driver.hold(Instant::now(), vec![first]);
        driver.start_waiting();
        driver.hold(Instant::now(), vec![again]);
        let ended = driver.attempts.join_next().await.unwrap();
        driver.take_ended(ended);
        driver.start_waiting();
        assert_eq!((driver.held.len(), driver.lanes[0].running(), driver.lanes[0].waiting()), (1, 1, 0));
        assert!(driver.held.keys().all(|key| key.attempt == 2));
        assert_eq!(driver.attempts.len(), 1);
    }
}
