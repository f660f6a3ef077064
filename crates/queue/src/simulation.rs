//! The engine driven by generated sequences against a real PostgreSQL: workers that crash and are cut off, answers and
//! notifications that get lost, clocks that jump, transactions that take their time, people who steer.
//!
//! Every step is done by the engine's own code and foretold by the [rules](rules); after it the tables must hold what was
//! foretold, to the last task. So nothing is lost, nothing is done by two, and no limit, order or key is broken. At the end
//! everything must drain. `QUEUE_SIMULATION_CASES` sets the number of sequences.

mod check;
mod drain;
mod ears;
mod employee;
mod facts;
mod happen;
mod lanes;
mod operation;
mod rules;
mod slow;
#[path = "../tests/it/support.rs"]
#[expect(dead_code, reason = "the tests of whole engines use the rest")]
mod support;
mod world;

use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestError, TestRunner};

use operation::{Key, New, Operation, WORKERS, sequences};
use world::{Lab, World};

use crate::driver::steps::Answer;

/// How many sequences are tried unless told otherwise.
const CASES: u32 = 12;
const SCENES: usize = 150;
const ATTEMPTS_TO_SHORTEN: usize = 500;

#[expect(clippy::disallowed_methods, reason = "long runs are a matter of this test alone")]
fn cases() -> u32 {
    std::env::var("QUEUE_SIMULATION_CASES").map_or(CASES, |cases| cases.parse().unwrap())
}

#[test]
fn whatever_happens_the_rules_are_kept_and_everything_drains() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let lab = runtime.block_on(Lab::build());
    let mut runner = TestRunner::new(Config {
        cases: cases(),
        source_file: Some(file!()),
        failure_persistence: Some(Box::new(FileFailurePersistence::SourceParallel("proptest-regressions"))),
        max_shrink_iters: 0,
        ..Config::default()
    });
    let attempt = |operations: &[Operation]| runtime.block_on(run(&lab, operations));
    let outcome = runner.run(&sequences(SCENES), |operations| {
        attempt(&operations).map_err(|broken| TestCaseError::fail(broken.reason))
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Abort(reason)) => panic!("{reason}"),
        Err(TestError::Fail(reason, operations)) => {
            let shortest = shortened(operations, &attempt);
            let last = attempt(&shortest).map_or_else(|broken| broken.reason, |()| reason.to_string());
            let lines: Vec<String> = shortest.iter().map(|operation| format!("  {operation:?}")).collect();
            panic!("{last}\nthe shortest sequence found:\n{}", lines.join("\n"))
        }
    }
}

/// The shortest sequences that broke a rule once.
fn found() -> [Vec<Operation>; 2] {
    let new = New { queue: 0, tenant: 0, priority: 0, delay_s: 0, key: Key::None };
    let claim = |worker| [Operation::Hear(worker), Operation::Claim(worker, Answer::Heard)];
    let limited =
        |limits| [Operation::Limit(0, limits)].into_iter().chain((0..WORKERS).map(Operation::ReadLimits));
    // A clock that was set back emptied the bucket of a rate, and kept it empty until it had caught up.
    let mut set_back: Vec<Operation> = limited([None, Some(1), None, Some(1)]).collect();
    set_back.push(Operation::Enqueue(vec![new.clone(), new.clone(), new.clone()]));
    set_back.extend(claim(0));
    set_back.push(Operation::Jump(-300));
    set_back.extend(claim(0));
    // The place of a task that was given up was free, and nobody was told.
    let mut given_up: Vec<Operation> = limited([Some(1), None, None, None]).collect();
    given_up.push(Operation::Enqueue(vec![new.clone(), new]));
    for worker in 0..2 {
        given_up.extend(claim(worker));
        given_up.extend([Operation::Crash(worker), Operation::Pass(61), Operation::Rescue(2)]);
    }
    [set_back, given_up]
}

#[test]
fn what_broke_a_rule_once_does_not_again() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let lab = runtime.block_on(Lab::build());
    for sequence in found() {
        if let Err(broken) = runtime.block_on(run(&lab, &sequence)) {
            panic!("{}", broken.reason);
        }
    }
}

/// A rule that was broken, and after how many operations.
struct Broken {
    after: usize,
    reason: String,
}

/// Leaves out what is not needed to break a rule: what comes after, then larger and smaller parts of what came before.
fn shortened(
    mut operations: Vec<Operation>,
    attempt: &dyn Fn(&[Operation]) -> Result<(), Broken>,
) -> Vec<Operation> {
    if let Err(broken) = attempt(&operations) {
        operations.truncate(broken.after);
    }
    let (mut part, mut attempts) = (operations.len() / 2, 0);
    while part > 0 {
        let mut begin = 0;
        while begin < operations.len() && attempts < ATTEMPTS_TO_SHORTEN {
            attempts += 1;
            let mut fewer = operations.clone();
            fewer.drain(begin..operations.len().min(begin + part));
            match attempt(&fewer) {
                Ok(()) => begin += part,
                Err(broken) => {
                    fewer.truncate(broken.after);
                    operations = fewer;
                }
            }
        }
        part /= 2;
    }
    operations
}

async fn run(lab: &Lab, operations: &[Operation]) -> Result<(), Broken> {
    let mut world = World::begin(lab).await;
    for (number, operation) in operations.iter().enumerate() {
        let broken = |error| Broken { after: number + 1, reason: format!("{operation:?}: {error}") };
        world.step(operation).await.map_err(broken)?;
    }
    let broken = |error| Broken { after: operations.len(), reason: format!("at the end: {error}") };
    world.drain().await.map_err(broken)
}
