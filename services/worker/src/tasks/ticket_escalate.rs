//! `ticket.escalate`: tickets nobody acted on in time go to whom the client's rules name.

use domain::ClientId;
use queue::{Failure, Job};

use super::{Tools, actor};

/// Escalates client by client. One client's trouble does not keep the others waiting; it fails the round at its end,
/// and the next attempt finds those that were escalated not due.
pub(super) async fn run(tools: Tools, job: Job) -> Result<(), Failure> {
    let mut failure = None;
    for client in app::escalation::list_client_ids(&tools.store).await? {
        if let Err(error) = escalate(&tools, &job, client).await {
            let chain = domain::fault::chain(&error);
            tracing::warn!(target: "escalation", { client.id = %client, error.chain = chain }, "a client's tickets could not be escalated");
            failure = Some(error);
        }
    }
    failure.map_or(Ok(()), |error| Err(Failure::retry(error)))
}

async fn escalate(tools: &Tools, job: &Job, client: ClientId) -> Result<(), app::Error> {
    let actor = actor(job, client);
    let batch = tools.escalation_batch;
    while app::escalation::escalate(&tools.store, &actor, tools.clock.now(), batch).await?
        == usize::from(batch)
    {}
    Ok(())
}
