//! One round of claims: for every queue of the process whatever it asks for.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::claim::{self, AtHead, Claimed, Onward};
use crate::lane::{Called, Lane, Want};
use crate::worker::Worker;
use crate::{Error, limit};

/// What the queues ask for.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    heads: Vec<AtHead>,
    onward: Vec<Onward>,
    limited: Vec<AtHead>,
}

/// What a round brought.
pub(crate) struct Round {
    /// Leases count from here.
    pub(crate) asked_at: Instant,
    pub(crate) taken: Vec<Part>,
    /// Why the rest of the round was not asked.
    pub(crate) failed: Option<Error>,
    /// When a rate lets more tasks start.
    pub(crate) next: Option<Duration>,
}

/// What a round brought for one queue.
pub(crate) struct Part {
    asked: For,
    pub(crate) claimed: Vec<Claimed>,
}

enum For {
    Head(AtHead, Duration),
    Onward(Vec<Onward>, Arc<str>),
}

impl Asked {
    pub(crate) fn of(wants: impl Iterator<Item = Want>, worker: &Worker) -> Self {
        let mut asked = Self::default();
        for want in wants {
            match want {
                Want::Nothing => {}
                Want::AtHead(head) if worker.is_limited(&head.queue) => asked.limited.push(head),
                Want::AtHead(head) => asked.heads.push(head),
                Want::Onward(onward) => asked.onward.extend(onward),
            }
        }
        asked
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.heads.is_empty() && self.onward.is_empty() && self.limited.is_empty()
    }
}

impl Part {
    pub(crate) fn queue(&self) -> &Arc<str> {
        match &self.asked {
            For::Head(asked, _) => &asked.queue,
            For::Onward(_, queue) => queue,
        }
    }

    /// Tells the lane what its question brought.
    pub(crate) fn teach(&self, lane: &mut Lane, called: Called) {
        match &self.asked {
            For::Head(asked, cost) => lane.took_at_head(asked, &self.claimed, *cost, called),
            For::Onward(asked, _) => lane.took_onward(asked, &self.claimed),
        }
    }
}

/// Claims; what was claimed before a failure is kept.
pub(crate) async fn claim(worker: Arc<Worker>, asked: Asked) -> Round {
    let mut round = Round { asked_at: Instant::now(), taken: Vec::new(), failed: None, next: None };
    if let Err(error) = round.fill(&worker, asked).await {
        round.failed = Some(error);
    }
    round
}

impl Round {
    async fn fill(&mut self, worker: &Worker, asked: Asked) -> Result<(), Error> {
        if !asked.onward.is_empty() {
            let mut claimed = claim::onward(worker, &asked.onward).await?;
            let mut rest = asked.onward;
            while let Some(queue) = rest.first().map(|one| Arc::clone(&one.queue)) {
                let (ours, others) = rest.into_iter().partition(|one| one.queue == queue);
                rest = others;
                let claimed = take_of(&mut claimed, &queue);
                self.taken.push(Part { asked: For::Onward(ours, queue), claimed });
            }
        }
        if !asked.heads.is_empty() {
            let begun = Instant::now();
            let mut claimed = claim::at_head(worker, &asked.heads).await?;
            let cost = begun.elapsed();
            for head in asked.heads {
                let claimed = take_of(&mut claimed, &head.queue);
                self.taken.push(Part { asked: For::Head(head, cost), claimed });
            }
        }
        for head in asked.limited {
            let begun = Instant::now();
            let taken = limit::claim(worker, &head).await?;
            self.next = [self.next, taken.next].into_iter().flatten().min();
            self.taken.push(Part { asked: For::Head(head, begun.elapsed()), claimed: taken.claimed });
        }
        Ok(())
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
