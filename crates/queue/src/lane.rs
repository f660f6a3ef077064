//! The tasks of one queue within the process: counted, never more than allowed, and where to claim on.

mod pace;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use uuid::Uuid;

use self::pace::Pace;
use crate::EngineSettings;
use crate::claim::{AtHead, Claimed, Key, Onward, Place};
use crate::limit::Seen;

/// A claim from a queue's head is made again after this many times of what it took more than a claim that goes on: however
/// many dead rows lie there, looking at them takes a small part of the time.
const HEAD_COST_FACTOR: u32 = 20;

/// And after this at the latest, so that nobody waits longer for a turn.
pub(crate) const HEAD_PAUSE_MAX: Duration = Duration::from_secs(5);

/// A look at the head that takes this long and brings nothing reads much that this process may not have: tasks of kinds it
/// does not know, or rows long done. The second of them in a row is followed by a pause.
const DEAR: Duration = Duration::from_millis(100);

/// A head that takes this much longer than what it brings is worth lies behind many rows long done. Until it is due again,
/// claims go on from the places known last, also after a rest.
const HEAD_DEAR: Duration = Duration::from_millis(10);

/// What a claim may take for each of its tasks, at most.
const PER_TASK: Duration = Duration::from_micros(20);

/// A queue with limits whose claim failed is asked again after this.
const FAILED_PAUSE: Duration = Duration::from_secs(1);

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
    /// While the head is dear: tenants from whom all was claimed that lies behind their places.
    spent: VecDeque<Slot>,
    /// The tenant whose turn it is when there are more tenants than a claim takes.
    first: Uuid,
    head_due: Instant,
    /// What the last claim that went on took.
    onward_cost: Duration,
    /// Dear when the last look at it took longer than what it brought is worth, and left no tenant out.
    head: Head,
    /// The last look at the head was dear and brought nothing.
    dear: bool,
    /// Until when the head is left alone, whoever calls.
    left_until: Option<Instant>,
    /// When limits let more start, without anybody calling.
    open_at: Option<Instant>,
    /// Nothing was taken from any tenant from the first on to that whose turn it is.
    barren: bool,
}

/// What a look at the head costs beside what it brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Head {
    Cheap,
    Dear,
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
            spent: VecDeque::new(),
            first: Uuid::nil(),
            head_due: Instant::now(),
            onward_cost: Duration::ZERO,
            head: Head::Cheap,
            dear: false,
            left_until: None,
            open_at: None,
            barren: false,
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
        self.wake_by(now);
        let free = self.free();
        if free == 0 || !self.more || self.left_until.is_some() {
            return Want::Nothing;
        }
        if self.slots.is_empty() || now >= self.head_due {
            let queue = Arc::clone(&self.queue);
            return Want::AtHead(AtHead { queue, free, first: self.first, alone: self.dear });
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

    /// When it wants to claim without being woken.
    pub(crate) fn due(&self) -> Option<Instant> {
        if self.free() == 0 {
            return None;
        }
        [self.left_until, self.open_at].into_iter().flatten().min()
    }

    /// Forgets the moments that have come.
    pub(crate) fn wake_by(&mut self, now: Instant) {
        self.left_until = self.left_until.filter(|until| now < *until);
        if self.open_at.is_some_and(|at| at <= now) {
            self.open_at = None;
            self.more = true;
        }
    }

    /// Learns from a claim at the head. `called` when somebody called meanwhile: coming up short says nothing then.
    pub(crate) fn took_at_head(
        &mut self,
        asked: &AtHead,
        claimed: &[Claimed],
        cost: Duration,
        called: Called,
    ) {
        self.weigh(claimed, cost);
        let last = last_places(claimed);
        let cap = asked.free.min(self.tenants_per_claim);
        let share = asked.free.checked_div(last.len()).unwrap_or(asked.free);
        let whole = last.len() >= cap;
        self.first = match last.keys().max() {
            Some(latest) if whole => Uuid::from_u128(latest.as_u128().wrapping_add(1)),
            _ => Uuid::nil(),
        };
        let more = cost.saturating_sub(self.onward_cost);
        let worth = PER_TASK * u32::try_from(claimed.len()).unwrap_or(u32::MAX);
        self.head_due = Instant::now() + (more * HEAD_COST_FACTOR).clamp(self.head_interval, HEAD_PAUSE_MAX);
        // Past the last of the tenants the round begins anew, which this claim did not see.
        let seen_all = asked.first.is_nil() && !whole;
        self.head = if seen_all && more >= HEAD_DEAR + worth { Head::Dear } else { Head::Cheap };
        self.remember(last, share);
        if self.slots.is_empty() && seen_all && called == Called::No {
            self.more = false;
        }
    }

    /// Keeps the places of tenants that have more; of the others too, while the head is dear.
    fn remember(&mut self, last: HashMap<Uuid, (usize, Place)>, share: usize) {
        let known = self.slots.drain(..).chain(self.spent.drain(..));
        let (kept, most) = (self.head == Head::Dear, self.tenants_per_claim);
        let known: Vec<Slot> =
            known.filter(|slot| kept && !last.contains_key(&slot.tenant)).take(most).collect();
        for (tenant, (count, behind)) in last {
            let slot = Slot { tenant, behind };
            if count >= share {
                self.slots.push_back(slot);
            } else if self.head == Head::Dear {
                self.spent.push_back(slot);
            }
        }
        self.spent.extend(known);
        self.spent.truncate(most.saturating_sub(self.slots.len()));
    }

    /// Leaves the head alone for a while when it was dear in vain, twice in a row: the second look was for this queue only.
    fn weigh(&mut self, claimed: &[Claimed], cost: Duration) {
        let dear = claimed.is_empty() && cost >= DEAR;
        if dear && self.dear {
            self.left_until = Some(Instant::now() + (cost * HEAD_COST_FACTOR).min(HEAD_PAUSE_MAX));
        }
        self.dear = dear;
    }

    /// Learns from a claim under limits. Such claims begin at the head each time, so no places are kept.
    pub(crate) fn took_limited(
        &mut self,
        asked: &AtHead,
        claimed: &[Claimed],
        learnt: Learnt,
        called: Called,
    ) {
        self.weigh(claimed, learnt.cost);
        self.forget();
        let open_at = learnt.next.map(|next| Instant::now() + next);
        self.open_at = [self.open_at, open_at].into_iter().flatten().min();
        self.first = match learnt.seen {
            Seen::Nothing => self.first,
            Seen::Filled(last) | Seen::Until(last) => Uuid::from_u128(last.as_u128().wrapping_add(1)),
            Seen::AllAndMore | Seen::All => Uuid::nil(),
        };
        let from_first = asked.first.is_nil() || self.barren;
        self.barren = claimed.is_empty() && from_first && matches!(learnt.seen, Seen::Until(_));
        let rests = match learnt.seen {
            Seen::Nothing | Seen::Filled(_) => true,
            Seen::Until(_) | Seen::AllAndMore => false,
            Seen::All => from_first,
        };
        if rests && called == Called::No {
            self.more = false;
        }
    }

    /// Learns that a claim under limits failed, which is no reason for others to rest.
    pub(crate) fn failed(&mut self) {
        self.rest();
        self.open_at = Some(Instant::now() + FAILED_PAUSE);
    }

    /// Learns from a claim behind known places. When they are used up, the head is asked once more: at once, or when it is
    /// due if it is dear.
    pub(crate) fn took_onward(
        &mut self,
        asked: &[Onward],
        claimed: &[Claimed],
        cost: Duration,
        called: Called,
    ) {
        self.onward_cost = cost;
        let last = last_places(claimed);
        for one in asked {
            let Some(mut slot) = self.slots.pop_front() else { continue };
            let (count, behind) = last.get(&one.tenant).copied().unwrap_or((0, slot.behind));
            slot.behind = behind;
            if count >= one.free {
                self.slots.push_back(slot);
            } else if self.head == Head::Dear {
                self.spent.push_back(slot);
            }
        }
        if !self.slots.is_empty() {
            return;
        }
        match called {
            _ if self.head == Head::Cheap => self.head_due = Instant::now(),
            Called::Yes => self.slots.append(&mut self.spent),
            Called::No => {
                self.more = false;
                self.open_at = [self.open_at, Some(self.head_due)].into_iter().flatten().min();
            }
        }
    }

    /// Claims for a tenant too that was not known to have tasks.
    pub(crate) fn found(&mut self, tenant: Uuid) {
        let known = self.slots.iter().any(|slot| slot.tenant == tenant);
        if known || self.slots.is_empty() || self.slots.len() >= self.tenants_per_claim {
            return;
        }
        let spent = self.spent.iter().position(|slot| slot.tenant == tenant);
        let place = spent.and_then(|index| self.spent.remove(index));
        self.slots.push_front(place.unwrap_or(Slot { tenant, behind: before_all() }));
    }

    /// Expects work in the table.
    pub(crate) fn wake(&mut self) {
        self.more = true;
        self.slots.append(&mut self.spent);
    }

    /// Stops asking until woken.
    pub(crate) fn rest(&mut self) {
        self.more = false;
        self.forget();
    }

    /// Forgets all places: the next claim begins at the head.
    fn forget(&mut self) {
        self.slots.clear();
        self.spent.clear();
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
        for moment in [&mut self.left_until, &mut self.open_at].into_iter().flatten() {
            *moment = moment.checked_sub(length).unwrap_or_else(Instant::now);
        }
    }
}

/// What a claim under limits teaches beside what it took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Learnt {
    pub(crate) seen: Seen,
    pub(crate) next: Option<Duration>,
    pub(crate) cost: Duration,
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
