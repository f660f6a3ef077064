//! The tasks of one queue within the process: counted, never more than allowed, and where to claim on.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use uuid::Uuid;

use crate::EngineSettings;
use crate::claim::{AtHead, Claimed, Key, Onward, Place};

/// A claim from a queue's head is made again after this many times of what it took more than a claim that goes on: however
/// many dead rows lie there, looking at them takes a small part of the time.
const HEAD_COST_FACTOR: u32 = 20;

/// And after this at the latest, so that nobody waits longer for a turn.
const HEAD_PAUSE_MAX: Duration = Duration::from_secs(5);

/// One queue as this process serves it.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) queue: Arc<str>,
    concurrency: usize,
    pace: Pace,
    batch: usize,
    tenants_per_claim: usize,
    head_interval: Duration,
    running: usize,
    waiting: VecDeque<Claimed>,
    /// Whether the table may hold ready tasks: a claim that came up short says no, a wake-up says yes.
    more: bool,
    /// Tenants known to have more, with the place up to which all was claimed.
    slots: VecDeque<Slot>,
    /// The tenant whose turn it is when there are more tenants than a claim takes.
    first: Uuid,
    head_due: Instant,
    /// What the last claim that went on took.
    onward_cost: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot {
    tenant: Uuid,
    behind: Place,
}

/// What a lane asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Want {
    Nothing,
    AtHead(AtHead),
    Onward(Vec<Onward>),
}

impl Lane {
    pub(crate) fn new(queue: Arc<str>, concurrency: usize, settings: &EngineSettings) -> Self {
        Self {
            queue,
            concurrency,
            pace: Pace::new(concurrency, settings),
            batch: settings.batch,
            tenants_per_claim: settings.tenants_per_claim,
            head_interval: Duration::from_millis(settings.head_interval_ms).min(HEAD_PAUSE_MAX),
            running: 0,
            waiting: VecDeque::new(),
            more: true,
            slots: VecDeque::new(),
            first: Uuid::nil(),
            head_due: Instant::now(),
            onward_cost: Duration::ZERO,
        }
    }

    /// How many could be claimed; none while the buffer is more than half full, so that claims stay worth their round trip.
    pub(crate) fn free(&self) -> usize {
        let ahead = self.pace.ahead();
        if self.waiting.len() * 2 > ahead {
            return 0;
        }
        (self.concurrency + ahead).saturating_sub(self.running + self.waiting.len()).min(self.batch)
    }

    /// What to claim next: on behind known places, or anew from the head when that is due or nothing else is known.
    pub(crate) fn want(&mut self, now: Instant) -> Want {
        let free = self.free();
        if free == 0 || !self.more {
            return Want::Nothing;
        }
        if self.slots.is_empty() || now >= self.head_due {
            return Want::AtHead(AtHead { queue: Arc::clone(&self.queue), free, first: self.first });
        }
        let asked = self.slots.len().min(free);
        let share = free / asked;
        let onward = self.slots.iter().take(asked).map(|slot| Onward {
            queue: Arc::clone(&self.queue),
            tenant: slot.tenant,
            free: share,
            behind: slot.behind,
        });
        Want::Onward(onward.collect())
    }

    /// Learns from a claim at the head. `called` when somebody called meanwhile: coming up short says nothing then.
    pub(crate) fn took_at_head(
        &mut self,
        asked: &AtHead,
        claimed: &[Claimed],
        cost: Duration,
        called: Called,
    ) {
        let last = last_places(claimed);
        let cap = asked.free.min(self.tenants_per_claim);
        let share = asked.free.checked_div(last.len()).unwrap_or(asked.free);
        let whole = last.len() >= cap;
        self.first = match last.keys().max() {
            Some(latest) if whole => Uuid::from_u128(latest.as_u128().wrapping_add(1)),
            _ => Uuid::nil(),
        };
        let full = last.into_iter().filter(|(_, (count, _))| *count >= share);
        self.slots = full.map(|(tenant, (_, behind))| Slot { tenant, behind }).collect();
        let more = cost.saturating_sub(self.onward_cost);
        self.head_due = Instant::now() + (more * HEAD_COST_FACTOR).clamp(self.head_interval, HEAD_PAUSE_MAX);
        // Past the last of the tenants the round begins anew, which this claim did not see.
        let seen_all = asked.first.is_nil() && !whole;
        if self.slots.is_empty() && seen_all && called == Called::No {
            self.more = false;
        }
    }

    /// Learns from a claim behind known places. When they are used up, the head is asked once more.
    pub(crate) fn took_onward(&mut self, asked: &[Onward], claimed: &[Claimed], cost: Duration) {
        self.onward_cost = cost;
        let last = last_places(claimed);
        for one in asked {
            let Some(mut slot) = self.slots.pop_front() else { continue };
            if let Some((count, behind)) = last.get(&one.tenant)
                && *count >= one.free
            {
                slot.behind = *behind;
                self.slots.push_back(slot);
            }
        }
        if self.slots.is_empty() {
            self.head_due = Instant::now();
        }
    }

    /// Claims for a tenant too that was not known to have tasks.
    pub(crate) fn found(&mut self, tenant: Uuid) {
        let known = self.slots.iter().any(|slot| slot.tenant == tenant);
        if !known && !self.slots.is_empty() && self.slots.len() < self.tenants_per_claim {
            self.slots.push_front(Slot { tenant, behind: before_all() });
        }
    }

    /// Expects work in the table.
    pub(crate) fn wake(&mut self) {
        self.more = true;
    }

    /// Stops asking until woken.
    pub(crate) fn rest(&mut self) {
        self.more = false;
        self.slots.clear();
    }

    /// Takes claimed tasks into the buffer, tenants by turns, each tenant's in order.
    pub(crate) fn push_all(&mut self, mut claimed: Vec<Claimed>) {
        self.pace.claimed(Instant::now());
        claimed.sort_by_key(|task| (task.share_of(), task.place()));
        let mixed = claimed.first().map(Claimed::share_of) != claimed.last().map(Claimed::share_of);
        if !mixed {
            self.waiting.extend(claimed);
            return;
        }
        let mut turn = 0_usize;
        let mut of = Uuid::nil();
        let mut turns: Vec<(usize, Claimed)> = Vec::with_capacity(claimed.len());
        for task in claimed {
            turn = if task.share_of() == of { turn + 1 } else { 0 };
            of = task.share_of();
            turns.push((turn, task));
        }
        turns.sort_by_key(|(turn, _)| *turn);
        self.waiting.extend(turns.into_iter().map(|(_, task)| task));
    }

    /// Takes the next task to run, if one may run.
    pub(crate) fn start_next(&mut self) -> Option<Claimed> {
        if self.running >= self.concurrency {
            return None;
        }
        let task = self.waiting.pop_front()?;
        self.running += 1;
        Some(task)
    }

    /// Counts one that has ended.
    pub(crate) fn finish(&mut self) {
        self.running = self.running.saturating_sub(1);
        self.pace.finished();
    }

    /// Takes out those of the waiting tasks that are lost; answers which they were.
    pub(crate) fn remove_all(&mut self, lost: &HashSet<Key>) -> Vec<Key> {
        let (gone, kept): (VecDeque<_>, _) =
            self.waiting.drain(..).partition(|task| lost.contains(&task.key()));
        self.waiting = kept;
        gone.iter().map(Claimed::key).collect()
    }

    pub(crate) fn empty(&mut self) -> impl Iterator<Item = Claimed> + '_ {
        self.waiting.drain(..)
    }

    pub(crate) fn running(&self) -> usize {
        self.running
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The process's clock goes on.
    #[cfg(test)]
    pub(crate) fn pass(&mut self, length: Duration) {
        self.head_due = self.head_due.checked_sub(length).unwrap_or_else(Instant::now);
    }
}

/// Whether a wake-up came while a claim was under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Called {
    Yes,
    No,
}

/// A place before that of every task; not the earliest time there is, which PostgreSQL does not know.
fn before_all() -> Place {
    (i16::MIN, Timestamp::constant(-60_000_000_000, 0), Uuid::nil())
}

/// How many tasks of each tenant were claimed, and the last place among them.
fn last_places(claimed: &[Claimed]) -> HashMap<Uuid, (usize, Place)> {
    let mut last: HashMap<Uuid, (usize, Place)> = HashMap::new();
    for task in claimed {
        let (count, place) = last.entry(task.share_of()).or_insert((0, task.place()));
        *count += 1;
        *place = (*place).max(task.place());
    }
    last
}

/// How many tasks are worth claiming ahead: what the process gets done in a moment, within limits. Slow tasks are so left
/// to processes that are free, and quick ones come in batches worth a round trip.
#[derive(Debug)]
struct Pace {
    least: usize,
    most: usize,
    moment: Duration,
    ahead: usize,
    finished: usize,
    since: Instant,
}

impl Pace {
    fn new(concurrency: usize, settings: &EngineSettings) -> Self {
        let least = concurrency.min(settings.buffer);
        Self {
            least,
            most: settings.buffer,
            moment: Duration::from_millis(settings.buffer_ms),
            ahead: least,
            finished: 0,
            since: Instant::now(),
        }
    }

    fn ahead(&self) -> usize {
        self.ahead
    }

    fn finished(&mut self) {
        self.finished = self.finished.saturating_add(1);
    }

    /// Measures what was done since the claim before: grows at once, shrinks by halves.
    fn claimed(&mut self, now: Instant) {
        let passed = now.duration_since(self.since).as_micros().max(1);
        let done = u128::try_from(self.finished).unwrap_or(u128::MAX).saturating_mul(self.moment.as_micros());
        let due = usize::try_from(done / passed).unwrap_or(usize::MAX).clamp(self.least, self.most);
        self.ahead = if due >= self.ahead { due } else { usize::midpoint(self.ahead, due) };
        (self.finished, self.since) = (0, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claim::tests::claimed;

    fn lane(concurrency: usize, buffer: usize) -> Lane {
        let settings = EngineSettings { buffer, batch: 100, ..EngineSettings::default() };
        Lane::new(Arc::from("default"), concurrency, &settings)
    }

    fn head(lane: &mut Lane) -> AtHead {
        let Want::AtHead(asked) = lane.want(Instant::now()) else { panic!("it does not ask at the head") };
        asked
    }

    fn of(tenant: u128, count: usize) -> Vec<Claimed> {
        let tenant = (tenant > 0).then(|| Uuid::from_u128(tenant));
        (0..count).map(|_| Claimed { tenant, ..claimed() }).collect()
    }

    #[test]
    fn a_lane_wants_what_it_can_run_and_buffer_but_no_more_than_a_batch() {
        assert_eq!(lane(2, 2).free(), 4);
        assert_eq!(lane(80, 80).free(), 100);
        assert_eq!(lane(1, 0).free(), 1);
    }

    #[test]
    fn a_lane_claims_again_once_half_its_buffer_is_empty() {
        let mut lane = lane(4, 4);
        lane.push_all(of(0, 8));
        assert_eq!(lane.free(), 0);
        for _ in 0..4 {
            assert!(lane.start_next().is_some());
        }
        assert_eq!(lane.free(), 0);
        lane.finish();
        lane.finish();
        assert!(lane.start_next().is_some() && lane.start_next().is_some());
        assert_eq!(lane.free(), 2);
    }

    #[test]
    fn a_lane_runs_no_more_than_it_may() {
        let mut lane = lane(2, 4);
        lane.push_all(of(0, 3));
        assert!(lane.start_next().is_some() && lane.start_next().is_some());
        assert!(lane.start_next().is_none());
        lane.finish();
        assert!(lane.start_next().is_some());
        assert_eq!((lane.running(), lane.waiting()), (2, 0));
    }

    #[test]
    fn a_lane_that_came_up_short_asks_when_woken() {
        let mut lane = lane(1, 0);
        let asked = head(&mut lane);
        lane.took_at_head(&asked, &[], Duration::ZERO, Called::No);
        assert_eq!(lane.want(Instant::now()), Want::Nothing);
        lane.wake();
        assert_eq!(head(&mut lane).free, 1);
    }

    #[test]
    fn a_short_claim_says_nothing_when_somebody_called_meanwhile() {
        let mut lane = lane(1, 0);
        let asked = head(&mut lane);
        lane.took_at_head(&asked, &[], Duration::ZERO, Called::Yes);
        assert_eq!(head(&mut lane).free, 1);
    }

    #[test]
    fn a_lane_goes_on_behind_what_it_claimed_until_that_is_used_up() {
        let mut lane = lane(4, 4);
        let asked = head(&mut lane);
        let first = of(0, asked.free);
        lane.took_at_head(&asked, &first, Duration::ZERO, Called::No);
        let behind = first.iter().map(Claimed::place).max().unwrap();
        let Want::Onward(onward) = lane.want(Instant::now()) else { panic!("nothing to go on behind") };
        assert_eq!((onward[0].behind, onward[0].free), (behind, 8));
        lane.took_onward(&onward, &of(0, 3), Duration::ZERO);
        assert_eq!(head(&mut lane).free, 8, "the head is asked once more");
    }

    #[test]
    fn a_tenant_that_comes_meanwhile_has_its_share_of_the_next_claim() {
        let mut lane = lane(4, 4);
        let asked = head(&mut lane);
        lane.took_at_head(&asked, &of(1, 8), Duration::from_secs(1), Called::No);
        lane.found(Uuid::from_u128(2));
        lane.found(Uuid::from_u128(1));
        let Want::Onward(onward) = lane.want(Instant::now()) else { panic!("nothing to go on behind") };
        let shares: Vec<(u128, usize)> = onward.iter().map(|one| (one.tenant.as_u128(), one.free)).collect();
        assert_eq!(shares, [(2, 4), (1, 4)]);
    }

    #[test]
    fn a_head_that_costs_much_is_asked_rarely() {
        let mut lane = lane(4, 4);
        let asked = head(&mut lane);
        lane.took_at_head(&asked, &of(0, 8), Duration::from_millis(100), Called::No);
        let soon = Instant::now() + Duration::from_millis(1_900);
        assert!(matches!(lane.want(soon), Want::Onward(_)));
        assert!(matches!(lane.want(soon + Duration::from_millis(200)), Want::AtHead(_)));
    }

    #[test]
    fn tenants_share_a_claim_and_run_by_turns() {
        let mut lane = lane(4, 8);
        let mut tasks = of(1, 4);
        tasks.extend(of(2, 2));
        lane.push_all(tasks);
        let order: Vec<u128> = lane.empty().map(|task| task.share_of().as_u128()).collect();
        assert_eq!(order, [1, 2, 1, 2, 1, 1]);
    }

    #[test]
    fn more_tenants_than_a_claim_takes_have_their_turn_in_the_next() {
        let mut lane = lane(2, 0);
        let asked = head(&mut lane);
        let mut tasks = of(5, 1);
        tasks.extend(of(7, 1));
        lane.took_at_head(&asked, &tasks, Duration::ZERO, Called::No);
        lane.slots.clear();
        assert_eq!(head(&mut lane).first, Uuid::from_u128(8));
        let asked = head(&mut lane);
        lane.took_at_head(&asked, &[], Duration::ZERO, Called::No);
        assert_eq!(head(&mut lane).first, Uuid::nil(), "and the round begins anew");
    }

    #[test]
    fn a_process_that_is_slow_claims_little_ahead_and_a_quick_one_much() {
        let settings = EngineSettings { buffer: 1_000, buffer_ms: 100, ..EngineSettings::default() };
        let mut pace = Pace::new(4, &settings);
        let begin = pace.since;
        (0..500).for_each(|_| pace.finished());
        pace.claimed(begin + Duration::from_millis(100));
        assert_eq!(pace.ahead(), 500);
        pace.finished();
        pace.claimed(begin + Duration::from_secs(10));
        assert_eq!(pace.ahead(), 252);
    }
}
