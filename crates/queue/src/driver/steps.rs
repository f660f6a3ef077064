//! The driver's own steps one at a time: the simulation decides when each is taken, and what gets lost.

use std::time::Duration;

use super::*;
use crate::lane::Want;

/// What becomes of the answer to a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Heard,
    /// Somebody called while the claim was under way.
    Called,
    /// The claim took effect and nobody heard of it.
    Lost,
}

impl Driver {
    pub(crate) fn worker(&self) -> &Arc<Worker> {
        &self.worker
    }

    /// What each lane would ask for.
    pub(crate) fn wants(&mut self) -> Vec<Want> {
        let now = Instant::now();
        self.lanes.iter_mut().map(|lane| lane.want(now)).collect()
    }

    /// Hears that there may be work.
    pub(crate) fn hear(&mut self) {
        self.wake();
    }

    /// Claims once, if it wants to; answers why a claim failed.
    pub(crate) async fn claim_once(&mut self, answer: Answer) -> Result<(), Error> {
        self.claim_if_wanted();
        let Some(claiming) = self.claiming.take() else { return Ok(()) };
        let mut round = claiming.await;
        let failed = round.failed.take();
        match answer {
            Answer::Heard => {}
            Answer::Called => self.wake(),
            Answer::Lost => {
                round.taken.clear();
                round.failed = Some(Error::Unanswered);
            }
        }
        self.take_round(round);
        self.start_waiting();
        failed.map_or(Ok(()), Err)
    }

    /// Lets everything go on that can, and counts the attempts that have ended.
    pub(crate) async fn gather(&mut self) {
        loop {
            self.start_waiting();
            for _ in 0..8 {
                tokio::task::yield_now().await;
            }
            let Some(ended) = self.attempts.try_join_next() else { return };
            self.take_all_ended(ended);
        }
    }

    /// Renews what is due; answers which tasks were asked about.
    pub(crate) async fn renew_once(&mut self) -> Result<Vec<Uuid>, Error> {
        self.renew_if_needed();
        let Some(renewing) = self.renewing.take() else { return Ok(Vec::new()) };
        let (asked, keys, answer) = renewing.await;
        let ids = keys.iter().map(|key| key.id).collect();
        let renewed = answer?;
        self.take_renewed((asked, keys, Ok(renewed)));
        Ok(ids)
    }

    /// Hears that somebody cancelled a task, and looks.
    pub(crate) async fn hear_of_cancel(&mut self, id: Uuid) {
        self.cancel(id);
        if let Some(asking) = self.asking.take() {
            let answer = asking.await;
            self.take_cancelled(answer);
        }
    }

    /// Stops like an engine whose drain has no time left.
    pub(crate) async fn stop_at_once(&mut self) {
        let end = self.worker.end();
        self.give_back_waiting(end).await;
        self.cut_short(end).await;
    }

    /// The process's own clock goes on.
    pub(crate) fn pass(&mut self, length: Duration) {
        for held in self.held.values_mut() {
            held.valid_until = held.valid_until.checked_sub(length).unwrap_or_else(Instant::now);
        }
        self.lanes.iter_mut().for_each(|lane| lane.pass(length));
    }

    /// Everything held, waiting or running.
    pub(crate) fn holds(&self) -> Vec<Key> {
        self.held.keys().copied().collect()
    }

    /// What it takes for its own at this moment.
    pub(crate) fn believes(&self) -> Vec<Key> {
        let now = Instant::now();
        let valid = |held: &Held| held.valid_until > now && !held.stop.token.is_cancelled();
        self.held.iter().filter(|(_, held)| valid(held)).map(|(key, _)| *key).collect()
    }
}
