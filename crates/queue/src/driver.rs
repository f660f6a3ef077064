//! The loop that owns the claimed tasks: claims, starts, renews, and hands back at the end.
//!
//! One loop per process holds all counts, so none of them needs a lock.

#[cfg(test)]
pub(crate) mod steps;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::Error;
use crate::attempt::{self, Over, Stop, Verdict};
use crate::claim::{Claimed, Key};
use crate::error::chain;
use crate::lane::{Called, Lane};
use crate::lease::{self, Renewed};
use crate::round::{self, Asked, Round};
use crate::worker::{Pacing, Worker};

/// A task of which this process has the lease.
struct Held {
    lane: usize,
    valid_until: Instant,
    stop: Stop,
}

/// An attempt that is over, and when it had begun if it was stopped without a verdict.
struct Ended {
    key: Key,
    cut: Option<Timestamp>,
}

type Claiming = BoxFuture<'static, Round>;
type Renewing = BoxFuture<'static, (Instant, Vec<Key>, Result<Vec<Renewed>, Error>)>;
type Asking = BoxFuture<'static, Result<Vec<Uuid>, Error>>;

pub(crate) struct Driver {
    worker: Arc<Worker>,
    verdicts: Sender<Verdict>,
    cancels: Receiver<Uuid>,
    lanes: Vec<Lane>,
    held: HashMap<Key, Held>,
    attempts: JoinSet<Ended>,
    claiming: Option<Claiming>,
    renewing: Option<Renewing>,
    asking: Option<Asking>,
    /// Said to be cancelled, and not yet looked at.
    doubted: HashSet<Uuid>,
    /// Somebody called while a claim was under way: its coming up short says nothing.
    called: bool,
    pacing: Pacing,
    next_look: Instant,
    /// When claims that go on look for other tenants again.
    look_around_due: Instant,
}

/// Looking for other tenants takes one part in so many of the time: it is dear only where many are done and not yet
/// vacuumed away.
const LOOK_AROUND_FACTOR: u32 = 20;

impl Driver {
    pub(crate) fn new(worker: Arc<Worker>, verdicts: Sender<Verdict>, cancels: Receiver<Uuid>) -> Self {
        let settings = &worker.settings;
        let lane = |(queue, most): (&String, &usize)| Lane::new(Arc::from(queue.as_str()), *most, settings);
        Self {
            lanes: settings.queues.iter().map(lane).collect(),
            verdicts,
            cancels,
            held: HashMap::new(),
            attempts: JoinSet::new(),
            claiming: None,
            renewing: None,
            asking: None,
            doubted: HashSet::new(),
            called: false,
            pacing: Pacing::new(settings),
            next_look: Instant::now() + settings.poll_interval(),
            look_around_due: Instant::now(),
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
            let lane_due = self.lane_due();
            tokio::select! {
                () = stop.cancelled() => break,
                round = pending_or(&mut self.claiming) => self.take_round(round),
                answer = pending_or(&mut self.renewing) => self.take_renewed(answer),
                answer = pending_or(&mut self.asking) => self.take_cancelled(answer),
                Some(ended) = self.attempts.join_next() => self.take_all_ended(ended),
                Some(id) = self.cancels.recv() => self.cancel(id),
                () = worker.ready.notified() => self.wake(),
                () = sleep_until(self.next_look) => self.wake(),
                () = sleep_until(lane_due) => self.wake_due(),
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

    /// When a lane wants to claim without being called.
    fn lane_due(&self) -> Instant {
        self.lanes.iter().filter_map(Lane::due).min().unwrap_or(self.next_look)
    }

    fn wake_due(&mut self) {
        let now = Instant::now();
        self.lanes.iter_mut().for_each(|lane| lane.wake_by(now));
    }

    fn claim_if_wanted(&mut self) {
        if self.claiming.is_some() || self.worker.draining.load(Ordering::Acquire) {
            return;
        }
        let now = Instant::now();
        let mut asked = Asked::of(self.lanes.iter_mut().map(|lane| lane.want(now)), &self.worker);
        if asked.is_empty() {
            return;
        }
        if now >= self.look_around_due {
            asked.look_around();
        }
        self.called = false;
        self.claiming = Some(round::claim(self.worker.clone(), asked).boxed());
    }

    fn take_round(&mut self, round: Round) {
        self.claiming = None;
        let called = if self.called { Called::Yes } else { Called::No };
        let Round { asked_at, taken, failed, newcomers, looked } = round;
        for part in taken {
            let Some(index) = self.lanes.iter().position(|lane| lane.queue == part.queue) else {
                continue;
            };
            if let Some(lane) = self.lanes.get_mut(index) {
                part.teach(lane, called);
            }
            self.hold(asked_at, index, part.claimed);
        }
        for (queue, tenant) in newcomers {
            if let Some(lane) = self.lanes.iter_mut().find(|lane| *lane.queue == *queue) {
                lane.found(tenant);
            }
        }
        self.look_around_due = Instant::now() + looked * LOOK_AROUND_FACTOR;
        match failed {
            None => self.pacing.reset(),
            Some(error) => {
                tracing::warn!(error.chain = chain(&error), "no tasks were claimed");
                self.worker.doubt();
                self.lanes.iter_mut().for_each(Lane::rest);
                self.next_look = Instant::now() + self.pacing.step();
            }
        }
        self.report_load();
    }

    fn hold(&mut self, asked: Instant, lane: usize, claimed: Vec<Claimed>) {
        let valid_until = asked + self.worker.settings.lease();
        // A task that is held already was lost in the meantime: its earlier attempt stops beside the new one.
        let repeated: HashSet<Uuid> =
            claimed.iter().filter(|task| task.attempt > 1).map(|task| task.id).collect();
        if !repeated.is_empty() {
            let again: Vec<Key> =
                self.held.keys().filter(|key| repeated.contains(&key.id)).copied().collect();
            self.let_go(&again);
        }
        for task in &claimed {
            self.held.insert(task.key(), Held { lane, valid_until, stop: Stop::default() });
        }
        if let Some(lane) = self.lanes.get_mut(lane) {
            lane.push_all(claimed);
        }
    }

    fn start_waiting(&mut self) {
        let now = Instant::now();
        for lane in &mut self.lanes {
            while let Some(task) = lane.start_next() {
                let Some(held) = self.held.get(&task.key()).filter(|held| held.valid_until > now) else {
                    self.held.remove(&task.key());
                    lane.finish();
                    continue;
                };
                let verdicts = self.verdicts.clone();
                let key = task.key();
                let attempt = attempt::run_safely(task, self.worker.clone(), held.stop.clone());
                self.attempts.spawn(async move {
                    match attempt.await {
                        Over::Judged(verdict) => {
                            // The writer outlives all senders; should it be gone, the lease runs out instead.
                            drop(verdicts.send(verdict).await);
                            Ended { key, cut: None }
                        }
                        Over::Settled => Ended { key, cut: None },
                        Over::Cut(started_at) => Ended { key, cut: Some(started_at) },
                    }
                });
            }
        }
    }

    /// Counts an attempt that is over, and all others that are by this time.
    fn take_all_ended(&mut self, ended: Result<Ended, JoinError>) {
        let mut next = Some(ended);
        while let Some(ended) = next {
            // What was cut here lost its lease, and is another's.
            self.take_ended(ended);
            next = self.attempts.try_join_next();
        }
        self.report_load();
    }

    /// Counts an attempt that is over; answers its task when it was cut.
    fn take_ended(&mut self, ended: Result<Ended, JoinError>) -> Option<(Uuid, Timestamp)> {
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
        ended.cut.map(|started_at| (ended.key.id, started_at))
    }

    /// Hears that a task is not wanted any more. Every role may notify, so its row decides, if it is held here.
    fn cancel(&mut self, id: Uuid) {
        if self.held.keys().any(|key| key.id == id) {
            self.doubted.insert(id);
            self.ask_if_in_doubt();
        }
    }

    fn ask_if_in_doubt(&mut self) {
        if self.asking.is_some() || self.doubted.is_empty() {
            return;
        }
        let ids: Vec<Uuid> = self.doubted.drain().collect();
        let worker = self.worker.clone();
        self.asking = Some(async move { lease::cancelled(&worker, &ids).await }.boxed());
    }

    /// Ends what is cancelled by its row.
    fn take_cancelled(&mut self, answer: Result<Vec<Uuid>, Error>) {
        self.asking = None;
        match answer {
            Ok(ids) => {
                for (_, held) in self.held.iter().filter(|(key, _)| ids.contains(&key.id)) {
                    held.stop.cancel();
                }
            }
            Err(error) => {
                tracing::warn!(
                    error.chain = chain(&error),
                    "cancellations were not looked at; renewals of leases see them"
                );
            }
        }
        self.ask_if_in_doubt();
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

    /// What is held until this at the latest, without what was let go of and is about to end; what is cancelled may wait for
    /// its turn to be ended, and is kept.
    fn held_until(&self, until: Instant) -> Vec<Key> {
        let over = |stop: &Stop| stop.token.is_cancelled() && !stop.is_cancelled();
        let ends = |held: &Held| held.valid_until <= until && !over(&held.stop);
        self.held.iter().filter(|(_, held)| ends(held)).map(|(key, _)| *key).collect()
    }

    fn take_renewed(&mut self, (asked, keys, answer): (Instant, Vec<Key>, Result<Vec<Renewed>, Error>)) {
        self.renewing = None;
        let renewed: HashMap<Uuid, Renewed> = match answer {
            Ok(renewed) => renewed.into_iter().map(|one| (one.id, one)).collect(),
            Err(error) => {
                tracing::warn!(error.chain = chain(&error), "leases were not renewed");
                return;
            }
        };
        let valid_until = asked + self.worker.settings.lease();
        let mut lost = Vec::new();
        for key in keys {
            let Some(one) = renewed.get(&key.id) else {
                lost.push(key);
                continue;
            };
            let Some(held) = self.held.get_mut(&key) else { continue };
            if one.extended {
                held.valid_until = valid_until;
            }
            if one.cancelled {
                held.stop.cancel();
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
                held.stop.cut();
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
                answer = pending_or(&mut self.asking) => self.take_cancelled(answer),
                Some(ended) = self.attempts.join_next() => self.take_all_ended(ended),
                Some(id) = self.cancels.recv() => self.cancel(id),
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
        let ids: Vec<Uuid> = waiting.iter().map(|key| key.id).collect();
        hand_back(&self.worker, lease::release(&self.worker, &ids)).await;
        if let Some(claiming) = self.claiming.take()
            && let Ok(round) = timeout_at(deadline, claiming).await
        {
            let ids: Vec<Uuid> =
                round.taken.iter().flat_map(|part| &part.claimed).map(|task| task.id).collect();
            hand_back(&self.worker, lease::release(&self.worker, &ids)).await;
        }
    }

    /// Ends what did not finish in time, and hands it back.
    async fn cut_short(&mut self, end: Instant) {
        if self.attempts.is_empty() {
            return;
        }
        self.held.values().for_each(|held| held.stop.cut());
        let mut cut = Vec::new();
        while let Ok(Some(ended)) = timeout_at(end, self.attempts.join_next()).await {
            cut.extend(self.take_ended(ended));
        }
        tracing::warn!(tasks = cut.len(), "tasks did not finish within the drain and were handed back");
        hand_back(&self.worker, lease::interrupt(&self.worker, &cut)).await;
    }
}

async fn hand_back(worker: &Worker, handing: impl Future<Output = Result<(), Error>>) {
    match timeout_at(worker.end(), handing).await {
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
        let kind = Kind::new("a", "default", |_| std::future::pending::<Result<(), crate::Failure>>());
        let settings =
            EngineSettings { queues: [("default".to_owned(), 1)].into(), ..EngineSettings::default() };
        let (worker, cancels) = Worker::new(Uuid::from_u128(1), pool, settings, vec![kind], Vec::new());
        Driver::new(Arc::new(worker), mpsc::channel(8).0, cancels)
    }

    #[tokio::test]
    async fn a_waiting_task_whose_lease_is_lost_is_forgotten() {
        let mut driver = driver();
        driver.hold(Instant::now(), 0, vec![claimed(), claimed()]);
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
        driver.hold(Instant::now(), 0, vec![first]);
        driver.start_waiting();
        driver.hold(Instant::now(), 0, vec![again]);
        let ended = driver.attempts.join_next().await.unwrap();
        driver.take_ended(ended);
        driver.start_waiting();
        assert_eq!((driver.held.len(), driver.lanes[0].running(), driver.lanes[0].waiting()), (1, 1, 0));
        assert!(driver.held.keys().all(|key| key.attempt == 2));
        assert_eq!(driver.attempts.len(), 1);
    }
}
