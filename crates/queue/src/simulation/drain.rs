//! The end of a sequence: what is left must get done.

use std::collections::BTreeMap;

use super::operation::{Ending, How, Operation, QUEUES, Writing};
use super::world::World;
use crate::driver::steps::Answer;

/// Rounds in which a queue with tasks may see none end: delayed anew, or at the end of a tenant's turn.
const PATIENCE: usize = 4;
/// Limits are lifted after so many rounds, to come to an end.
const UNDER_LIMITS: usize = 8;
const ROUNDS: usize = 60;

impl World<'_> {
    /// Lets everything end well, with all the time it needs: nothing is left waiting for ever.
    pub(crate) async fn drain(&mut self) -> Result<(), String> {
        while !self.slow.is_empty() {
            self.end_transaction(0, Ending::Commit).await?;
        }
        for queue in 0..QUEUES.len() {
            self.act(&Operation::Resume(queue)).await?;
        }
        self.act(&Operation::Pass(7_200)).await?;
        let mut idle: BTreeMap<String, usize> = BTreeMap::new();
        for round in 0..ROUNDS {
            let before = self.left();
            if before.is_empty() {
                return Ok(());
            }
            if round == UNDER_LIMITS {
                for queue in 0..QUEUES.len() {
                    self.act(&Operation::Limit(queue, [None; 4])).await?;
                }
            }
            self.round().await?;
            self.check().await?;
            let after = self.left();
            for (queue, tasks) in before {
                let stuck = after.get(&queue).is_some_and(|left| *left >= tasks);
                let rounds = idle.entry(queue).or_default();
                *rounds = if stuck { *rounds + 1 } else { 0 };
            }
            if idle.values().any(|rounds| *rounds > PATIENCE) {
                break;
            }
        }
        Err(format!("left waiting: {:#?}\nwith {:#?}", self.facts.tasks, self.queues))
    }

    fn left(&self) -> BTreeMap<String, usize> {
        let mut left = BTreeMap::new();
        for task in self.facts.tasks.values() {
            *left.entry(task.queue.clone()).or_default() += 1;
        }
        left
    }

    async fn round(&mut self) -> Result<(), String> {
        self.act(&Operation::Pass(200)).await?;
        self.act(&Operation::Rescue(0)).await?;
        self.act(&Operation::Promote(0)).await?;
        for worker in 0..self.employees.len() {
            self.act(&Operation::Beat(worker)).await?;
            self.act(&Operation::Renew(worker)).await?;
            self.act(&Operation::ReadLimits(worker)).await?;
            self.act(&Operation::Hear(worker)).await?;
            self.act(&Operation::Claim(worker, Answer::Heard)).await?;
            while let Some(key) = self.employees[worker].running().first().copied() {
                self.finish_one(worker, key, How::Well).await;
            }
            self.act(&Operation::Write(worker, Writing::Once)).await?;
        }
        Ok(())
    }
}
