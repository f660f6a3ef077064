//! What may happen, and how often.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::driver::steps::Answer;

pub(crate) const WORKERS: usize = 3;
pub(crate) const QUEUES: [&str; 2] = ["default", "email"];

/// One thing that happens. A pick that finds nothing to choose from does nothing.
#[derive(Debug, Clone)]
pub(crate) enum Operation {
    Enqueue(Vec<New>),
    Workflow(Shape, New),
    /// In a transaction that ends later.
    EnqueueSlowly(Vec<New>),
    CancelSlowly(Index),
    /// A handler writes its effect and completes its task, and commits later.
    Complete(Index),
    Close(Index, Ending),
    /// A notification reaches a worker.
    Hear(usize),
    Claim(usize, Answer),
    ClaimTogether,
    Finish(Index, How),
    /// The worker writes the verdicts it has.
    Write(usize, Writing),
    WriteTogether,
    Beat(usize),
    Renew(usize),
    Crash(usize),
    Stop(usize),
    Promote(usize),
    Rescue(usize),
    /// Time goes by, seconds of it.
    Pass(u32),
    /// The database's clock jumps.
    Jump(i32),
    Cancel(Index, Told),
    RetryNow(Index),
    RetryLetter(Index),
    DiscardLetter(Index),
    Pause(usize),
    Resume(usize),
    Limit(usize, [Option<i32>; 4]),
    /// A worker reads which queues have limits.
    ReadLimits(usize),
}

/// A task to be enqueued.
#[derive(Debug, Clone)]
pub(crate) struct New {
    pub(crate) queue: usize,
    /// 0 is none.
    pub(crate) tenant: u8,
    pub(crate) priority: i16,
    pub(crate) delay_s: u32,
    pub(crate) key: Key,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Key {
    None,
    Live(u8),
    UntilStart(u8),
    Period(u8),
    Request(u8),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    Chain,
    /// Two after one, and one after both.
    Diamond,
    /// One after either of two, and one more after it.
    Either,
    /// One after two, however they end.
    Regardless,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Commit,
    /// It is committed, and its caller is told that it failed.
    CommitUnheard,
    Rollback,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum How {
    Well,
    Retry,
    Snooze(u32),
    Permanent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writing {
    Once,
    Twice,
    Lost,
    /// All that was ever written, once more.
    Again,
}

/// Whether a worker hears at once that its task was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    AtOnce,
    Later,
}

/// Sequences of so many scenes at most; a scene is a few operations that belong together.
pub(crate) fn sequences(scenes: usize) -> impl Strategy<Value = Vec<Operation>> {
    vec(scene(), scenes / 2..scenes).prop_map(|scenes| scenes.into_iter().flatten().collect())
}

fn scene() -> impl Strategy<Value = Vec<Operation>> {
    prop_oneof![
        14 => vec(new(), 1..6).prop_map(|news| vec![Operation::Enqueue(news)]),
        22 => claiming(),
        32 => ending(),
        12 => time().prop_map(|one| vec![one]),
        3 => late(),
        3 => limiting(),
        18 => slow().prop_map(|one| vec![one]),
        4 => trouble().prop_map(|one| vec![one]),
        14 => steering().prop_map(|one| vec![one]),
    ]
}

/// A worker stalls until its leases have run out, claims again, and says only then how it went before.
fn late() -> impl Strategy<Value = Vec<Operation>> {
    (worker(), any::<Index>(), any::<bool>()).prop_map(|(worker, pick, beats)| {
        let beat = if beats { Operation::Beat(worker) } else { Operation::Hear(worker) };
        vec![
            Operation::Finish(pick, How::Well),
            Operation::Pass(61),
            beat,
            Operation::Rescue(worker),
            Operation::Hear(worker),
            Operation::Claim(worker, Answer::Heard),
            Operation::WriteTogether,
        ]
    })
}

fn claiming() -> impl Strategy<Value = Vec<Operation>> {
    let answer = prop_oneof![8 => Just(Answer::Heard), 2 => Just(Answer::Called), 1 => Just(Answer::Lost)];
    prop_oneof![
        6 => (worker(), answer.clone())
            .prop_map(|(worker, answer)| vec![Operation::Hear(worker), Operation::Claim(worker, answer)]),
        4 => (worker(), answer).prop_map(|(worker, answer)| vec![Operation::Claim(worker, answer)]),
        3 => Just((0..WORKERS).map(Operation::Hear).chain([Operation::ClaimTogether]).collect()),
        1 => Just(vec![Operation::ClaimTogether]),
    ]
}

fn ending() -> impl Strategy<Value = Vec<Operation>> {
    let how = prop_oneof![
        4 => Just(How::Well),
        2 => Just(How::Retry),
        1 => prop_oneof![Just(0_u32), Just(5), Just(40)].prop_map(How::Snooze),
        1 => Just(How::Permanent),
    ];
    let writing = prop_oneof![
        8 => Just(Writing::Once),
        2 => Just(Writing::Twice),
        1 => Just(Writing::Lost),
        2 => Just(Writing::Again),
    ];
    let written = prop_oneof![
        4 => (worker(), writing).prop_map(|(worker, writing)| Operation::Write(worker, writing)),
        3 => Just(Operation::WriteTogether),
    ];
    let finished = (any::<Index>(), how).prop_map(|(pick, how)| Operation::Finish(pick, how));
    (vec(finished, 1..5), written).prop_map(|(mut scene, written)| {
        scene.push(written);
        scene
    })
}

fn time() -> impl Strategy<Value = Operation> {
    let lengths = prop_oneof![4 => Just(5_u32), 3 => Just(25), 1 => Just(61), 1 => Just(200)];
    let jumps = prop_oneof![Just(-300), Just(-5), Just(5), Just(61), Just(300)];
    prop_oneof![
        4 => lengths.prop_map(Operation::Pass),
        2 => jumps.prop_map(Operation::Jump),
        3 => worker().prop_map(Operation::Beat),
        4 => worker().prop_map(Operation::Renew),
        3 => worker().prop_map(Operation::Promote),
        3 => worker().prop_map(Operation::Rescue),
    ]
}

fn slow() -> impl Strategy<Value = Operation> {
    let endings =
        prop_oneof![3 => Just(Ending::Commit), 1 => Just(Ending::CommitUnheard), 2 => Just(Ending::Rollback)];
    prop_oneof![
        2 => vec(new(), 1..4).prop_map(Operation::EnqueueSlowly),
        1 => any::<Index>().prop_map(Operation::CancelSlowly),
        5 => any::<Index>().prop_map(Operation::Complete),
        5 => (any::<Index>(), endings).prop_map(|(pick, ending)| Operation::Close(pick, ending)),
    ]
}

fn trouble() -> impl Strategy<Value = Operation> {
    prop_oneof![2 => worker().prop_map(Operation::Crash), 1 => worker().prop_map(Operation::Stop)]
}

fn steering() -> impl Strategy<Value = Operation> {
    let told = prop_oneof![Just(Told::AtOnce), Just(Told::Later)];
    let shape =
        prop_oneof![Just(Shape::Chain), Just(Shape::Diamond), Just(Shape::Either), Just(Shape::Regardless)];
    prop_oneof![
        6 => (shape, new()).prop_map(|(shape, task)| Operation::Workflow(shape, task)),
        4 => (any::<Index>(), told).prop_map(|(pick, told)| Operation::Cancel(pick, told)),
        1 => any::<Index>().prop_map(Operation::RetryNow),
        3 => any::<Index>().prop_map(Operation::RetryLetter),
        1 => any::<Index>().prop_map(Operation::DiscardLetter),
        1 => queue().prop_map(Operation::Pause),
        2 => queue().prop_map(Operation::Resume),
        2 => worker().prop_map(Operation::ReadLimits),
    ]
}

/// Limits are set or lifted, and all workers read which queues have any.
fn limiting() -> impl Strategy<Value = Vec<Operation>> {
    let limit = || prop_oneof![2 => Just(None), 1 => (1..4).prop_map(Some)];
    (queue(), [limit(), limit(), limit(), limit()]).prop_map(|(queue, limits)| {
        [Operation::Limit(queue, limits)].into_iter().chain((0..WORKERS).map(Operation::ReadLimits)).collect()
    })
}

fn new() -> impl Strategy<Value = New> {
    let delay = prop_oneof![5 => Just(0_u32), 1 => Just(5), 1 => Just(100)];
    let key = prop_oneof![
        12 => Just(Key::None),
        2 => (0..3_u8).prop_map(Key::Live),
        2 => (0..3_u8).prop_map(Key::UntilStart),
        1 => (0..2_u8).prop_map(Key::Period),
        1 => (0..2_u8).prop_map(Key::Request),
    ];
    (queue(), 0..4_u8, -1..2_i16, delay, key).prop_map(|(queue, tenant, priority, delay_s, key)| New {
        queue,
        tenant,
        priority,
        delay_s,
        key,
    })
}

fn worker() -> impl Strategy<Value = usize> {
    0..WORKERS
}

fn queue() -> impl Strategy<Value = usize> {
    prop_oneof![3 => Just(0_usize), 1 => Just(1)]
}
