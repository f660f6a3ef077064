//! `ticket.mail`: writes what happened to a ticket into the outbox, for everybody it concerns.

use app::mail::TicketMail;
use domain::ClientId;
use queue::{Failure, Job};

use super::{Tools, actor};
use crate::letter;

/// Why such a task can never succeed.
#[derive(Debug, thiserror::Error)]
enum Hopeless {
    #[error("the task names no client")]
    NoClient,
    #[error("the mail could not be written")]
    Letter(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Finds out whom the event concerns, puts it into words, and posts it. A repetition posts nothing: the outbox knows the
/// event.
pub(super) async fn run(tools: Tools, job: Job) -> Result<(), Failure> {
    let mail: TicketMail = job.args()?;
    let client = ClientId::from_uuid(job.tenant.ok_or_else(|| Failure::permanent(Hopeless::NoClient))?);
    let actor = actor(&job, client);
    let Some(prepared) = app::mail::prepare(&tools.store, &actor, &mail).await? else { return Ok(()) };
    let letter = letter::tell(&prepared.news, mail.ticket_id, &tools.public_url)
        .map_err(|error| Failure::permanent(Hopeless::Letter(error.into())))?;
    app::mail::post(&tools.store, &actor, &mail, &prepared, &letter).await?;
    Ok(())
}
