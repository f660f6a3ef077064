//! `ticket.escalate`: tickets nobody acted on in time go to whom the client's rules name.

use domain::ClientId;
use queue::{Failure, Job};
use serde::Serialize;

use super::{Tools, actor};

/// What a round did.
#[derive(Serialize)]
pub(super) struct Escalated {
    clients: usize,
    tickets: usize,
}

/// Escalates client by client. The trouble of one client, or of one ticket, does not keep the others waiting; it fails the
/// round at its end, and the next attempt finds those that were escalated not due.
pub(super) async fn run(tools: Tools, job: Job) -> Result<Escalated, Failure> {
    let clients = app::escalation::list_client_ids(&tools.store).await?;
    let mut round = Round { escalated: Escalated { clients: clients.len(), tickets: 0 }, trouble: None };
    for client in clients {
        if let Err(error) = round.escalate(&tools, &job, client).await {
            let chain = domain::fault::chain(&error);
            tracing::warn!(target: "escalation", { client.id = %client, error.chain = chain }, "a client's tickets could not be escalated");
            round.trouble = Some(error);
        }
    }
    round.trouble.map_or(Ok(round.escalated), |error| Err(Failure::retry(error)))
}

struct Round {
    escalated: Escalated,
    trouble: Option<app::Error>,
}

impl Round {
    async fn escalate(&mut self, tools: &Tools, job: &Job, client: ClientId) -> Result<(), app::Error> {
        let (actor, batch) = (actor(job, client), tools.escalation_batch);
        loop {
            let done = app::escalation::escalate(&tools.store, &actor, tools.clock.now(), batch).await?;
            self.escalated.tickets += done.escalated;
            for (ticket, error) in done.failed {
                let chain = domain::fault::chain(&error);
                tracing::warn!(target: "escalation", { client.id = %client, ticket.id = %ticket, error.chain = chain }, "a ticket could not be escalated");
                self.trouble = Some(error);
            }
            // Those that failed are found first again: where nothing else was found, there is no use in going on.
            if done.overdue < usize::from(batch) || done.escalated == 0 {
                return Ok(());
            }
        }
    }
}
