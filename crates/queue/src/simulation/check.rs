//! What claims may take, and what they must not pass over.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::employee::TENANTS_PER_CALL;
use super::facts::{Facts, Place, State};
use crate::claim::{AtHead, Onward};
use crate::lane::Want;

pub(crate) const RATE_PERIOD: i64 = 10_000;

/// What people decided about a queue.
#[derive(Debug, Clone, Default)]
pub(crate) struct Decided {
    pub(crate) paused: bool,
    pub(crate) running_max: Option<i32>,
    pub(crate) rate_max: Option<i32>,
    pub(crate) tenant_running_max: Option<i32>,
    pub(crate) tenant_rate_max: Option<i32>,
    /// Which tasks started under these limits, and when by a clock that only goes on.
    starts: Vec<(i64, Uuid)>,
}

/// The moment before a claim.
pub(crate) struct Before<'a> {
    pub(crate) facts: &'a Facts,
    /// Rows that transactions hold which have not ended.
    pub(crate) locked: &'a BTreeSet<Uuid>,
    pub(crate) queues: &'a BTreeMap<&'static str, Decided>,
}

impl Decided {
    pub(crate) fn limited(&self) -> bool {
        [self.running_max, self.rate_max, self.tenant_running_max, self.tenant_rate_max]
            .iter()
            .any(Option::is_some)
    }

    pub(crate) fn limit(
        &mut self,
        [running_max, rate_max, tenant_running_max, tenant_rate_max]: [Option<i32>; 4],
    ) {
        let paused = self.paused;
        *self =
            Self { paused, running_max, rate_max, tenant_running_max, tenant_rate_max, starts: Vec::new() };
    }

    /// Notes what started, and refuses more than the buckets can have held.
    pub(crate) fn start(&mut self, elapsed: i64, tenants: &[Uuid]) -> Result<(), String> {
        self.starts.extend(tenants.iter().map(|tenant| (elapsed, *tenant)));
        if let Some(rate) = self.rate_max {
            within_rate(rate, self.starts.iter().map(|start| start.0))?;
        }
        if let Some(rate) = self.tenant_rate_max {
            for tenant in tenants {
                let own = self.starts.iter().filter(|start| start.1 == *tenant);
                within_rate(rate, own.map(|start| start.0))?;
            }
        }
        Ok(())
    }
}

/// A bucket holds a period's worth and is filled as time goes by.
fn within_rate(rate: i32, starts: impl Iterator<Item = i64>) -> Result<(), String> {
    let starts: Vec<i64> = starts.collect();
    let Some(last) = starts.last() else { return Ok(()) };
    for (started, first) in (1..).zip(starts.iter().rev()) {
        if started * RATE_PERIOD > i64::from(rate) * (RATE_PERIOD + last - first) {
            return Err(format!(
                "{started} starts within {} ms at {rate} per {RATE_PERIOD} ms",
                last - first
            ));
        }
    }
    Ok(())
}

impl Before<'_> {
    /// The ready tasks of a queue by tenant, in order; those that are locked by others included.
    fn ready(&self, queue: &str) -> BTreeMap<Uuid, Vec<Place>> {
        let mut ready: BTreeMap<Uuid, Vec<Place>> = BTreeMap::new();
        for (id, task) in &self.facts.tasks {
            if task.queue == queue && task.state == State::Ready {
                ready.entry(task.tenant).or_default().push(task.place(*id));
            }
        }
        for places in ready.values_mut() {
            places.sort_unstable();
        }
        ready
    }

    fn free_of<'p>(&'p self, places: &'p [Place]) -> impl Iterator<Item = Uuid> + 'p {
        places.iter().map(|place| place.2).filter(|id| !self.locked.contains(id))
    }

    /// What a claim takes from queues without limits, to the last task.
    pub(crate) fn foretold(&self, want: &Want) -> BTreeSet<Uuid> {
        match want {
            Want::Nothing => BTreeSet::new(),
            Want::AtHead(asked) => self.at_head(asked),
            Want::Onward(asked) => asked.iter().flat_map(|one| self.onward(one)).collect(),
        }
    }

    fn is_closed(&self, queue: &str) -> bool {
        let decided = &self.queues[queue];
        decided.paused || decided.limited()
    }

    fn at_head(&self, asked: &AtHead) -> BTreeSet<Uuid> {
        if self.is_closed(&asked.queue) {
            return BTreeSet::new();
        }
        let visited = self.visited(asked, asked.free.min(TENANTS_PER_CALL));
        let share = asked.free.checked_div(visited.len()).unwrap_or(0);
        visited.values().flat_map(|places| self.free_of(places).take(share)).collect()
    }

    fn onward(&self, asked: &Onward) -> Vec<Uuid> {
        if self.is_closed(&asked.queue) {
            return Vec::new();
        }
        let behind = (asked.behind.0, asked.behind.1.as_millisecond(), asked.behind.2);
        let ready = self.ready(&asked.queue);
        let Some(places) = ready.get(&asked.tenant) else { return Vec::new() };
        let further: Vec<Place> = places.iter().filter(|place| **place > behind).copied().collect();
        self.free_of(&further).take(asked.free).collect()
    }

    /// The tenants whose turn it is.
    fn visited(&self, asked: &AtHead, most: usize) -> BTreeMap<Uuid, Vec<Place>> {
        self.ready(&asked.queue).into_iter().filter(|(tenant, _)| *tenant >= asked.first).take(most).collect()
    }

    /// Whether each tenant's part of what was taken is the beginning of what could be taken.
    pub(crate) fn in_order(&self, queue: &str, taken: &BTreeSet<Uuid>) -> Result<(), String> {
        for (tenant, places) in self.ready(queue) {
            let free: Vec<Uuid> = self.free_of(&places).collect();
            let count = free.iter().filter(|id| taken.contains(id)).count();
            if free[..count].iter().any(|id| !taken.contains(id)) {
                return Err(format!("out of order: of {tenant} {taken:?} were taken from {free:?}"));
            }
        }
        Ok(())
    }

    /// Whether each task that was taken could be.
    pub(crate) fn may_take(&self, taken: &BTreeSet<Uuid>) -> Result<(), String> {
        for id in taken {
            let task = &self.facts.tasks[id];
            if self.locked.contains(id) {
                return Err(format!("{id} was taken from under another's lock"));
            }
            if self.queues[&*task.queue].paused {
                return Err(format!("{id} was taken from a paused queue"));
            }
        }
        Ok(())
    }

    /// A claim from a queue with limits: in order, within the limits, and not less than they allow.
    pub(crate) fn within_limits(&self, asked: &AtHead, taken: &BTreeSet<Uuid>) -> Result<(), String> {
        self.in_order(&asked.queue, taken)?;
        let decided = &self.queues[&*asked.queue];
        if taken.len() > asked.free {
            return Err(format!("{} tasks were taken, {} asked for", taken.len(), asked.free));
        }
        let running = self.counted(&asked.queue, None);
        let room =
            decided.running_max.map_or(usize::MAX, |max| count(max).saturating_sub(running)).min(asked.free);
        if taken.len() > room {
            return Err(format!("{} tasks were taken, there was room for {room}", taken.len()));
        }
        let visited = self.able(asked, room);
        for (tenant, places) in &self.ready(&asked.queue) {
            let own = places.iter().filter(|place| taken.contains(&place.2)).count();
            let most = self.places(&asked.queue, *tenant);
            if own > most {
                return Err(format!("{own} tasks of {tenant} were taken, there was room for {most}"));
            }
            let passed_over = visited.contains(tenant) && own == 0 && self.free_of(places).next().is_some();
            let rated = decided.rate_max.is_some() || decided.tenant_rate_max.is_some();
            if passed_over && !decided.paused && !rated {
                return Err(format!("{tenant} was passed over with room for {room}"));
            }
        }
        // Which tenants have used up their rates is not known here; whoever comes after them has the turn.
        let in_turn = |tenant: &Uuid| {
            visited.contains(tenant) || (decided.tenant_rate_max.is_some() && *tenant >= asked.first)
        };
        if !taken.iter().all(|id| in_turn(&self.facts.tasks[id].tenant)) {
            return Err("a tenant was served out of turn".to_owned());
        }
        Ok(())
    }

    /// The tenants whose turn it is under limits: those that may start nothing are passed over.
    fn able(&self, asked: &AtHead, room: usize) -> BTreeSet<Uuid> {
        let ready = self.ready(&asked.queue);
        let from_first = ready.keys().filter(|tenant| **tenant >= asked.first);
        let able = from_first.filter(|tenant| self.places(&asked.queue, **tenant) > 0);
        able.take(room.min(TENANTS_PER_CALL)).copied().collect()
    }

    /// How many more tasks of a tenant may run at once.
    fn places(&self, queue: &str, tenant: Uuid) -> usize {
        let busy = self.counted(queue, Some(tenant));
        self.queues[queue].tenant_running_max.map_or(usize::MAX, |max| count(max).saturating_sub(busy))
    }

    fn counted(&self, queue: &str, tenant: Option<Uuid>) -> usize {
        let tasks = self
            .facts
            .tasks
            .values()
            .filter(|task| task.queue == queue && task.counted && task.state == State::Running);
        tasks.filter(|task| tenant.is_none_or(|tenant| task.tenant == tenant)).count()
    }
}

fn count(limit: i32) -> usize {
    usize::try_from(limit).unwrap()
}
