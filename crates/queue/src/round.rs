//! One round of claims: for every queue of the process whatever it asks for.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use crate::claim::{self, AtHead, Claimed, Gap, Onward};
use crate::error::chain;
use crate::lane::{Called, Lane, Learnt, Want};
use crate::worker::Worker;
use crate::{Error, limit};

/// What the queues ask for.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    heads: Vec<AtHead>,
    onward: Vec<Onward>,
    alone: Vec<AtHead>,
    limited: Vec<AtHead>,
    gaps: Vec<Gap>,
}

/// What a round brought.
pub(crate) struct Round {
    /// Leases count from here.
    pub(crate) asked_at: Instant,
    pub(crate) taken: Vec<Part>,
    /// Why the rest of the round was not asked.
    pub(crate) failed: Option<Error>,
    /// Tenants with ready tasks that were not known, by queue, and how long it took to look for them.
    pub(crate) newcomers: Vec<(String, Uuid)>,
    pub(crate) looked: Duration,
}

/// What a round brought for one queue.
pub(crate) struct Part {
    pub(crate) queue: Arc<str>,
    asked: For,
    pub(crate) claimed: Vec<Claimed>,
}

enum For {
    Head(AtHead, Duration),
    Onward(Vec<Onward>, Duration),
    Limited(AtHead, Learnt),
    /// Under limits; nobody knows what it brought.
    Failed,
}

impl Asked {
    pub(crate) fn of(wants: impl Iterator<Item = Want>, worker: &Worker) -> Self {
        let mut asked = Self::default();
        for want in wants {
            match want {
                Want::Nothing => {}
                Want::AtHead(head) if worker.is_limited(&head.queue) => asked.limited.push(head),
                Want::AtHead(head) if head.alone => asked.alone.push(head),
                Want::AtHead(head) => asked.heads.push(head),
                Want::Onward(onward) => asked.onward.extend(onward),
            }
        }
        asked
    }

    /// Looks for tenants beside those from whom claims go on.
    pub(crate) fn look_around(&mut self) {
        self.gaps = claim::gaps(&self.onward);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.heads.is_empty() && self.alone.is_empty() && self.onward.is_empty() && self.limited.is_empty()
    }
}

impl Part {
    /// Tells the lane what its question brought.
    pub(crate) fn teach(&self, lane: &mut Lane, called: Called) {
        match &self.asked {
            For::Head(asked, cost) => lane.took_at_head(asked, &self.claimed, *cost, called),
            For::Onward(asked, cost) => lane.took_onward(asked, &self.claimed, *cost, called),
            For::Limited(asked, learnt) => lane.took_limited(asked, &self.claimed, *learnt, called),
            For::Failed => lane.failed(),
        }
    }
}

/// Claims; what was claimed before a failure is kept.
pub(crate) async fn claim(worker: Arc<Worker>, asked: Asked) -> Round {
    let mut round = Round {
        asked_at: Instant::now(),
        taken: Vec::new(),
        failed: None,
        newcomers: Vec::new(),
        looked: Duration::ZERO,
    };
    if let Err(error) = round.fill(&worker, asked).await {
        round.failed = Some(error);
    }
    round
}

impl Round {
    async fn fill(&mut self, worker: &Worker, asked: Asked) -> Result<(), Error> {
        if !asked.gaps.is_empty() {
            let begun = Instant::now();
            self.newcomers = claim::newcomers(worker, &asked.gaps).await?;
            self.looked = begun.elapsed();
        }
        if !asked.onward.is_empty() {
            self.go_on(worker, asked.onward).await?;
        }
        if !asked.heads.is_empty() {
            self.begin_anew(worker, asked.heads).await?;
        }
        for head in asked.limited {
            self.claim_limited(worker, head).await;
        }
        for head in asked.alone {
            self.begin_anew(worker, vec![head]).await?;
        }
        Ok(())
    }

    /// A failure is this queue's alone: the others of the round are asked all the same.
    async fn claim_limited(&mut self, worker: &Worker, head: AtHead) {
        let begun = Instant::now();
        let queue = Arc::clone(&head.queue);
        match limit::claim(worker, &head).await {
            Ok(taken) => {
                let learnt = Learnt { seen: taken.seen, next: taken.next, cost: begun.elapsed() };
                self.push(queue, For::Limited(head, learnt), taken.claimed);
            }
            Err(error) => {
                tracing::warn!(error.chain = chain(&error), "no tasks were claimed from a queue with limits");
                worker.doubt();
                self.push(queue, For::Failed, Vec::new());
            }
        }
    }

    async fn go_on(&mut self, worker: &Worker, asked: Vec<Onward>) -> Result<(), Error> {
        let begun = Instant::now();
        let mut claimed = claim::onward(worker, &asked).await?;
        let (cost, mut rest) = (begun.elapsed(), asked);
        while let Some(queue) = rest.first().map(|one| Arc::clone(&one.queue)) {
            let (ours, others) = rest.into_iter().partition(|one| one.queue == queue);
            rest = others;
            let claimed = take_of(&mut claimed, &queue);
            self.push(queue, For::Onward(ours, cost), claimed);
        }
        Ok(())
    }

    async fn begin_anew(&mut self, worker: &Worker, asked: Vec<AtHead>) -> Result<(), Error> {
        let begun = Instant::now();
        let mut claimed = claim::at_head(worker, &asked).await?;
        let cost = begun.elapsed();
        for head in asked {
            let claimed = take_of(&mut claimed, &head.queue);
            self.push(Arc::clone(&head.queue), For::Head(head, cost), claimed);
        }
        Ok(())
    }

    fn push(&mut self, queue: Arc<str>, asked: For, claimed: Vec<Claimed>) {
        self.taken.push(Part { queue, asked, claimed });
    }
}

/// Takes the tasks of one queue out of what was claimed.
fn take_of(claimed: &mut Vec<Claimed>, queue: &Arc<str>) -> Vec<Claimed> {
    if claimed.iter().all(|task| task.queue == *queue) {
        return std::mem::take(claimed);
    }
    let (ours, others) = std::mem::take(claimed).into_iter().partition(|task| task.queue == *queue);
    *claimed = others;
    ours
}
