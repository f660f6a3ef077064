//! `ticket.escalate`: tickets nobody acted on in time go to whom the client's rules name.

use std::collections::{BTreeSet, VecDeque};

use domain::{ClientId, TicketId};
use queue::{Failure, Job};
use serde::Serialize;

use super::{Tools, actor};

/// What a round did.
#[derive(Serialize)]
pub(super) struct Escalated {
    clients: usize,
    tickets: usize,
}

/// Escalates client by client, each some batches at a time: who has many overdue tickets goes on after the others. The
/// trouble of one client, or of one ticket, does not keep the others waiting; it fails the round at its end, and the next
/// attempt finds those that were escalated not due.
pub(super) async fn run(tools: Tools, job: Job) -> Result<Escalated, Failure> {
    let clients = app::escalation::list_client_ids(&tools.store).await?;
    let mut round = Round { escalated: Escalated { clients: clients.len(), tickets: 0 }, trouble: None };
    let mut waiting: VecDeque<Turn> = clients.into_iter().map(Turn::first).collect();
    while let Some(mut turn) = waiting.pop_front() {
        match round.take(&tools, &job, &mut turn).await {
            Ok(Left::Nothing) => {}
            Ok(Left::More) => waiting.push_back(turn),
            Err(error) => {
                let chain = domain::fault::chain(&error);
                tracing::warn!(target: "escalation", { client.id = %turn.client, error.chain = chain }, "a client's tickets could not be escalated");
                round.trouble = Some(error);
            }
        }
    }
    round.trouble.map_or(Ok(round.escalated), |error| Err(Failure::retry(error)))
}

/// A client whose turn comes.
struct Turn {
    client: ClientId,
    /// Its tickets that could not be escalated in this round. The oldest come first, so they would stand before the others.
    stuck: BTreeSet<TicketId>,
}

impl Turn {
    fn first(client: ClientId) -> Self {
        Self { client, stuck: BTreeSet::new() }
    }
}

/// What a client has left after its turn.
enum Left {
    Nothing,
    More,
}

struct Round {
    escalated: Escalated,
    trouble: Option<app::Error>,
}

impl Round {
    async fn take(&mut self, tools: &Tools, job: &Job, turn: &mut Turn) -> Result<Left, app::Error> {
        let (actor, batch) = (actor(job, turn.client), tools.escalation_batch);
        for _ in 0..tools.escalation_turn {
            let (store, now) = (&tools.store, tools.clock.now());
            let done = app::escalation::escalate_others(store, &actor, now, batch, &turn.stuck).await?;
            self.escalated.tickets += done.escalated;
            // What is neither escalated nor stuck was somebody else's: there is no use in going on.
            let is_over = done.overdue < usize::from(batch) || done.escalated + done.failed.len() == 0;
            for (ticket, error) in done.failed {
                let chain = domain::fault::chain(&error);
                tracing::warn!(target: "escalation", { client.id = %turn.client, ticket.id = %ticket, error.chain = chain }, "a ticket could not be escalated");
                turn.stuck.insert(ticket);
                self.trouble = Some(error);
            }
            if is_over {
                return Ok(Left::Nothing);
            }
        }
        Ok(Left::More)
    }
}
