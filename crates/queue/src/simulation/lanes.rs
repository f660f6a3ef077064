//! A lane without a database: whatever claims answer, it keeps its counts, and does not rest long while there is work.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::time::Instant;
use uuid::Uuid;

use crate::EngineSettings;
use crate::claim::tests::claimed;
use crate::claim::{AtHead, Claimed, Onward, Place};
use crate::lane::{Called, HEAD_PAUSE_MAX, Lane, Learnt, Want};
use crate::limit::Seen;

const INTERVAL: Duration = Duration::from_mins(1);
/// What a claim costs at most for the interval to count.
const COST: Duration = Duration::from_secs(1);

#[derive(Debug, Clone)]
enum Event {
    /// Tasks of a tenant become ready, and the lane is woken.
    Arrive {
        tenant: u8,
        priority: i16,
        count: u8,
    },
    Claim,
    /// Tasks become ready while a claim is under way.
    ClaimWhile {
        tenant: u8,
        count: u8,
    },
    Start,
    Finish,
    /// The lease of the first waiting task is lost; it is ready again, as another's.
    Lose,
    Pass,
}

/// One queue's ready tasks, claimed from as the statements do.
struct Table {
    lane: Lane,
    ready: BTreeMap<Uuid, BTreeSet<Place>>,
    started: Vec<(Uuid, Place)>,
    arrived: i64,
    tenants_per_claim: usize,
    most: (usize, usize),
    /// The head was asked less than an interval ago.
    fresh: bool,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..5_u8, -1..2_i16, 1..9_u8)
            .prop_map(|(tenant, priority, count)| Event::Arrive { tenant, priority, count }),
        8 => Just(Event::Claim),
        2 => (0..5_u8, 1..4_u8).prop_map(|(tenant, count)| Event::ClaimWhile { tenant, count }),
        8 => Just(Event::Start),
        8 => Just(Event::Finish),
        1 => Just(Event::Lose),
        1 => Just(Event::Pass),
    ]
}

impl Table {
    fn new(concurrency: usize, buffer: usize, tenants_per_claim: usize) -> Self {
        let head_interval_ms = INTERVAL.as_millis().try_into().unwrap();
        let settings = EngineSettings {
            buffer,
            tenants_per_claim,
            head_interval_ms,
            batch: 10,
            ..EngineSettings::default()
        };
        Self {
            lane: Lane::new(Arc::from("default"), concurrency, &settings),
            ready: BTreeMap::new(),
            started: Vec::new(),
            arrived: 0,
            tenants_per_claim,
            most: (concurrency, buffer),
            fresh: false,
        }
    }

    fn arrive(&mut self, tenant: u8, priority: i16, count: u8) {
        for _ in 0..count {
            self.arrived += 1;
            let id = Uuid::from_u128(self.arrived.unsigned_abs().into());
            let run_at = Timestamp::from_second(self.arrived).unwrap();
            let tenant = Uuid::from_u128(tenant.into());
            self.ready.entry(tenant).or_default().insert((priority, run_at, id));
        }
    }

    fn take(&mut self, tenant: Uuid, places: &[Place]) -> Vec<Claimed> {
        let own = self.ready.get_mut(&tenant).expect("only what is ready is taken");
        let claim = |place: &Place| {
            assert!(own.remove(place));
            let (priority, run_at, id) = *place;
            Claimed { id, priority, run_at, tenant: (!tenant.is_nil()).then_some(tenant), ..claimed() }
        };
        let taken = places.iter().map(claim).collect();
        self.ready.retain(|_, own| !own.is_empty());
        taken
    }

    fn at_head(&mut self, asked: &AtHead) -> Vec<Claimed> {
        let most = asked.free.min(self.tenants_per_claim);
        let visited: Vec<Uuid> =
            self.ready.range(asked.first..).take(most).map(|(tenant, _)| *tenant).collect();
        let share = asked.free.checked_div(visited.len()).unwrap_or(0);
        let mut taken = Vec::new();
        for tenant in visited {
            let places: Vec<Place> = self.ready[&tenant].iter().take(share).copied().collect();
            taken.extend(self.take(tenant, &places));
        }
        taken
    }

    /// As a claim under limits that lets one of each tenant run at once.
    fn limited(&mut self, asked: &AtHead, busy: &BTreeSet<Uuid>) -> (Vec<Claimed>, Seen) {
        let (mut able, mut looks, mut last) = (Vec::new(), 0, None);
        for (tenant, places) in self.ready.range(asked.first..) {
            if able.len() == self.tenants_per_claim.min(asked.free) || looks == 2 * self.tenants_per_claim {
                break;
            }
            (looks, last) = (looks + 1, Some(*tenant));
            if !busy.contains(tenant) {
                able.extend(places.first().map(|place| (*tenant, *place)));
            }
        }
        let ended = able.len() < self.tenants_per_claim.min(asked.free) && looks < 2 * self.tenants_per_claim;
        let taken = able.iter().flat_map(|(tenant, place)| self.take(*tenant, &[*place])).collect();
        (taken, last.filter(|_| !ended).map_or(Seen::All, Seen::Until))
    }

    fn onward(&mut self, asked: &[Onward]) -> Vec<Claimed> {
        let mut taken = Vec::new();
        for one in asked {
            let Some(own) = self.ready.get(&one.tenant) else { continue };
            let further = own.iter().filter(|place| **place > one.behind);
            let places: Vec<Place> = further.take(one.free).copied().collect();
            taken.extend(self.take(one.tenant, &places));
        }
        taken
    }

    /// Claims what the lane asks for; `meanwhile` becomes ready before the lane hears the answer.
    fn claim(&mut self, meanwhile: Option<(u8, u8)>) {
        let want = self.lane.want(Instant::now());
        let called = if meanwhile.is_some() { Called::Yes } else { Called::No };
        let taken = match &want {
            Want::Nothing => Vec::new(),
            Want::AtHead(asked) => self.at_head(asked),
            Want::Onward(asked) => self.onward(asked),
        };
        if let Some((tenant, count)) = meanwhile {
            self.arrive(tenant, 0, count);
            self.lane.wake();
        }
        match &want {
            Want::Nothing => return,
            Want::AtHead(asked) => {
                // A look in vain is cheap here; a dear one would be followed by a pause.
                let cost = if taken.is_empty() { Duration::ZERO } else { COST };
                self.lane.took_at_head(asked, &taken, cost, called);
                self.fresh = true;
            }
            Want::Onward(asked) => {
                assert!(self.fresh, "the head was to be asked after its interval");
                self.lane.took_onward(asked, &taken, COST, called);
            }
        }
        self.lane.push_all(taken);
    }

    fn start(&mut self) {
        if let Some(task) = self.lane.start_next() {
            self.started.push((task.share_of(), task.place()));
        }
    }

    fn lose(&mut self) {
        let waiting: Vec<Claimed> = self.lane.empty().collect();
        let lost: HashSet<_> = waiting.iter().take(1).map(Claimed::key).collect();
        let places: Vec<_> = waiting.iter().take(1).map(|task| (task.share_of(), task.place())).collect();
        let count = waiting.len();
        self.lane.push_all(waiting);
        assert_eq!(self.lane.remove_all(&lost).len(), lost.len());
        assert_eq!(self.lane.waiting(), count - lost.len());
        for (tenant, place) in places {
            self.ready.entry(tenant).or_default().insert(place);
            self.lane.wake();
        }
    }

    fn happen(&mut self, event: &Event) {
        match event {
            Event::Arrive { tenant, priority, count } => {
                self.arrive(*tenant, *priority, *count);
                self.lane.wake();
            }
            Event::Claim => self.claim(None),
            Event::ClaimWhile { tenant, count } => self.claim(Some((*tenant, *count))),
            Event::Start => self.start(),
            Event::Finish => {
                if self.lane.running() > 0 {
                    self.lane.finish();
                }
            }
            Event::Lose => self.lose(),
            Event::Pass => {
                self.lane.pass(INTERVAL);
                self.fresh = false;
            }
        }
        self.check();
    }

    fn check(&mut self) {
        let (concurrency, buffer) = self.most;
        assert!(self.lane.running() <= concurrency, "{} run", self.lane.running());
        assert!(self.lane.running() + self.lane.waiting() <= concurrency + buffer);
        if !self.ready.is_empty() && self.lane.free() > 0 && self.lane.want(Instant::now()) == Want::Nothing {
            let soon = Instant::now() + HEAD_PAUSE_MAX;
            assert!(self.lane.due().is_some_and(|due| due <= soon), "rests beside {:?}", self.ready);
        }
    }

    /// Works until nothing is left.
    fn drain(&mut self) {
        for claims in 0.. {
            self.finish_all();
            if self.ready.is_empty() {
                return;
            }
            if self.lane.due().is_some() {
                self.happen(&Event::Pass);
            }
            self.claim(None);
            self.check();
            assert!(claims < 2_000, "nothing is claimed of {:?}", self.ready);
        }
    }

    fn finish_all(&mut self) {
        while self.lane.running() > 0 {
            self.lane.finish();
        }
        while self.lane.waiting() > 0 {
            self.start();
            self.lane.finish();
        }
    }
}

proptest! {
    #[test]
    fn whoever_may_start_does_however_many_before_it_may_not(
        tenants in 1..30_u8,
        finish in vec(0..30_u8, 0..40),
        tenants_per_claim in 1..4_usize,
    ) {
        let mut table = Table::new(30, 0, tenants_per_claim);
        (0..tenants).for_each(|tenant| table.arrive(tenant, 0, 20));
        let mut busy = BTreeSet::new();
        for tenant in std::iter::once(None).chain(finish.into_iter().map(Some)) {
            if tenant.is_some_and(|tenant| busy.remove(&Uuid::from_u128(tenant.into()))) {
                table.lane.finish();
                table.lane.wake();
            }
            for claims in 0.. {
                let Want::AtHead(asked) = table.lane.want(Instant::now()) else { break };
                let (taken, seen) = table.limited(&asked, &busy);
                busy.extend(taken.iter().map(Claimed::share_of));
                let learnt = Learnt { seen, next: None, cost: Duration::ZERO };
                table.lane.took_limited(&asked, &taken, learnt, Called::No);
                table.lane.push_all(taken);
                while table.lane.start_next().is_some() {}
                prop_assert!(claims < 100, "it asks for ever");
            }
            prop_assert!(table.ready.keys().all(|tenant| busy.contains(tenant)), "{:?} of {} run", busy, tenants);
        }
    }

    #[test]
    fn a_lane_keeps_its_counts_and_rests_beside_work_only_until_a_dear_head_is_due(
        events in vec(event(), 0..200),
        concurrency in 1..5_usize,
        buffer in 0..6_usize,
        tenants_per_claim in 1..4_usize,
    ) {
        let mut table = Table::new(concurrency, buffer, tenants_per_claim);
        for event in &events {
            table.happen(event);
        }
        table.drain();
        let all: HashSet<_> = table.started.iter().collect();
        prop_assert_eq!(all.len(), table.started.len(), "started twice");
        prop_assert_eq!(i64::try_from(all.len()).unwrap(), table.arrived, "lost");
    }

    /// The head is asked each time, so that the turn goes on from tenant to tenant.
    #[test]
    fn no_tenant_is_passed_over_for_ever(
        tenants in 1..7_u8,
        concurrency in 1..5_usize,
        tenants_per_claim in 1..4_usize,
    ) {
        let mut table = Table::new(concurrency, 0, tenants_per_claim);
        (0..tenants).for_each(|tenant| table.arrive(tenant, 0, 100));
        // One at a time in each round, and one claim to begin the next round.
        for _ in 0..2 * (tenants + 1) {
            table.claim(None);
            table.finish_all();
            table.lane.pass(INTERVAL);
        }
        for tenant in 0..tenants {
            let tenant = Uuid::from_u128(tenant.into());
            prop_assert!(table.started.iter().any(|(of, _)| *of == tenant), "{} never had its turn", tenant);
        }
    }

    /// With all of them there from the beginning, nothing comes in between.
    #[test]
    fn tasks_of_a_tenant_start_in_order(
        tasks in vec((0..4_u8, -2..3_i16), 1..80),
        concurrency in 1..5_usize,
        buffer in 0..6_usize,
        tenants_per_claim in 1..4_usize,
    ) {
        let mut table = Table::new(concurrency, buffer, tenants_per_claim);
        for (tenant, priority) in &tasks {
            table.arrive(*tenant, *priority, 1);
        }
        table.fresh = true;
        table.drain();
        prop_assert_eq!(table.started.len(), tasks.len());
        for tenant in 0..4 {
            let own = table.started.iter().filter(|(of, _)| *of == Uuid::from_u128(tenant));
            prop_assert!(own.map(|(_, place)| *place).is_sorted());
        }
    }
}
