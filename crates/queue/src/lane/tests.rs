//! One lane by itself.

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
    lane.took_onward(&onward, &of(0, 3), Duration::ZERO, Called::No);
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
fn behind_a_dear_head_a_woken_lane_goes_on_from_the_places_it_knows_until_the_head_is_due() {
    let mut lane = lane(4, 4);
    let asked = head(&mut lane);
    let claimed = of(1, 2);
    lane.took_at_head(&asked, &claimed, Duration::from_millis(100), Called::No);
    assert_eq!(lane.want(Instant::now()), Want::Nothing, "it rests");
    lane.wake();
    let Want::Onward(onward) = lane.want(Instant::now()) else { panic!("it forgot the place") };
    assert_eq!(Some(onward[0].behind), claimed.iter().map(Claimed::place).max());
    lane.took_onward(&onward, &of(1, 1), Duration::ZERO, Called::No);
    assert_eq!(lane.want(Instant::now()), Want::Nothing);
    assert!(lane.due().is_some(), "the head is asked without anybody calling");
    lane.pass(Duration::from_secs(2));
    head(&mut lane);
}

#[test]
fn behind_a_dear_head_whoever_calls_during_a_claim_is_looked_for_behind_the_same_places() {
    let mut lane = lane(4, 4);
    let asked = head(&mut lane);
    lane.took_at_head(&asked, &of(1, 8), Duration::from_millis(100), Called::No);
    let Want::Onward(onward) = lane.want(Instant::now()) else { panic!("nothing to go on behind") };
    lane.took_onward(&onward, &[], Duration::ZERO, Called::Yes);
    assert!(matches!(lane.want(Instant::now()), Want::Onward(_)));
}

#[test]
fn a_dear_head_that_left_tenants_out_is_asked_for_them_at_once() {
    let mut lane = lane(2, 0);
    let asked = head(&mut lane);
    let mut tasks = of(5, 1);
    tasks.extend(of(7, 1));
    lane.took_at_head(&asked, &tasks, Duration::from_millis(100), Called::No);
    let Want::Onward(onward) = lane.want(Instant::now()) else { panic!("nothing to go on behind") };
    lane.took_onward(&onward, &[], Duration::ZERO, Called::No);
    assert_eq!(head(&mut lane).first, Uuid::from_u128(8));
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

fn learnt(seen: Seen) -> Learnt {
    Learnt { seen, next: None, cost: Duration::ZERO }
}

#[test]
fn a_lane_under_limits_looks_past_the_tenants_that_may_start_nothing_and_then_rests() {
    let mut lane = lane(4, 0);
    let asked = head(&mut lane);
    lane.took_limited(&asked, &[], learnt(Seen::Until(Uuid::from_u128(7))), Called::No);
    let asked = head(&mut lane);
    assert_eq!(asked.first, Uuid::from_u128(8));
    lane.took_limited(&asked, &[], learnt(Seen::All), Called::No);
    assert_eq!(lane.want(Instant::now()), Want::Nothing, "all were seen");
}

#[test]
fn a_lane_under_limits_sees_those_before_the_turn_too_before_it_rests() {
    let mut lane = lane(4, 0);
    let asked = head(&mut lane);
    lane.took_limited(&asked, &of(7, 1), learnt(Seen::Until(Uuid::from_u128(7))), Called::No);
    let asked = head(&mut lane);
    lane.took_limited(&asked, &[], learnt(Seen::All), Called::No);
    let asked = head(&mut lane);
    assert_eq!(asked.first, Uuid::nil());
    lane.took_limited(&asked, &[], learnt(Seen::All), Called::No);
    assert_eq!((lane.want(Instant::now()), lane.due()), (Want::Nothing, None));
}

#[test]
fn a_lane_that_a_rate_holds_back_asks_again_when_it_lets_more_start() {
    let mut lane = lane(4, 0);
    let asked = head(&mut lane);
    let next = Some(Duration::from_secs(1));
    let learnt = Learnt { next, ..learnt(Seen::Nothing) };
    lane.took_limited(&asked, &[], learnt, Called::No);
    assert_eq!(lane.want(Instant::now()), Want::Nothing);
    let due = lane.due().unwrap();
    assert!(matches!(lane.want(due), Want::AtHead(_)));
}

#[test]
fn a_head_that_is_dear_in_vain_is_asked_alone_and_then_left_for_a_while_whoever_calls() {
    let mut lane = lane(4, 4);
    let asked = head(&mut lane);
    assert!(!asked.alone);
    lane.took_at_head(&asked, &[], Duration::from_millis(200), Called::Yes);
    let asked = head(&mut lane);
    assert!(asked.alone, "it may have been another queue that was dear");
    lane.took_at_head(&asked, &[], Duration::from_millis(200), Called::Yes);
    lane.wake();
    assert_eq!(lane.want(Instant::now()), Want::Nothing);
    let due = lane.due().unwrap();
    assert!(matches!(lane.want(due), Want::AtHead(_)));
}
