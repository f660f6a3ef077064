//! `ticket.mail`: tells people what happened to a ticket.

use app::mail::{PreparedMail, TicketMail};
use domain::{Actor, ClientId};
use lettre::Address;
use lettre::message::Mailbox;
use queue::{Failure, Job};

use super::{Tools, actor};
use crate::letter::Letter;
use crate::mailer::{Mail, SendError};
use crate::metrics;

/// Why a mail task can never succeed.
#[derive(Debug, thiserror::Error)]
enum Hopeless {
    #[error("the task names no client")]
    NoClient,
    #[error("no recipient has an address that mail can be sent to")]
    NoAddress,
    #[error("the mail could not be written")]
    Letter(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Sends one mail to everybody the event concerns, then notes in the ticket's history that the relay took it.
///
/// Between the two lies a gap: who stops there sends the mail again, under the same Message-ID, so that readers and
/// servers recognise the repetition. A mail that was noted is never sent again.
pub(super) async fn run(tools: Tools, job: Job) -> Result<(), Failure> {
    let mail: TicketMail = job.args()?;
    let client = ClientId::from_uuid(job.tenant.ok_or_else(|| Failure::permanent(Hopeless::NoClient))?);
    let actor = actor(&job, client);
    let Some(prepared) = app::mail::prepare(&tools.store, &actor, &mail).await? else {
        metrics::mail("needless");
        return Ok(());
    };
    let letter = write(&tools, &job, &actor, &mail, &prepared)?;
    let addresses = match tools.mailer.send(&letter).await {
        Ok(addresses) => addresses,
        Err(error) => return fail(&tools, &actor, &mail, error).await,
    };
    metrics::mail("sent");
    app::mail::record_sent(&tools.store, &actor, &mail, addresses, tools.clock.now()).await?;
    Ok(())
}

fn write(
    tools: &Tools,
    job: &Job,
    actor: &Actor,
    mail: &TicketMail,
    prepared: &PreparedMail,
) -> Result<Mail, Failure> {
    let to: Vec<Mailbox> = prepared.recipients.iter().filter_map(mailbox).collect();
    if to.is_empty() {
        return Err(Failure::permanent(Hopeless::NoAddress));
    }
    let letter = Letter::tell(&prepared.news, mail.ticket_id, &tools.public_url)
        .map_err(|error| Failure::permanent(Hopeless::Letter(error.into())))?;
    let Letter { subject, text, html } = letter;
    Ok(Mail { task_id: job.id, correlation_id: actor.correlation_id, to, subject, text, html })
}

/// An address that mail cannot be sent to is left out; the others still get theirs.
fn mailbox(recipient: &app::mail::Recipient) -> Option<Mailbox> {
    match recipient.email.parse::<Address>() {
        Ok(address) => Some(Mailbox::new(recipient.name.clone(), address)),
        Err(error) => {
            tracing::warn!(target: "mail", { error.chain = %error }, "an address cannot be mailed to and is left out");
            None
        }
    }
}

async fn fail(tools: &Tools, actor: &Actor, mail: &TicketMail, error: SendError) -> Result<(), Failure> {
    if !error.is_final() {
        metrics::mail("put-off");
        return Err(Failure::retry(error));
    }
    metrics::mail("refused");
    let reason = error.status().map_or_else(|| "unwritable".to_owned(), |code| code.to_string());
    app::mail::record_refused(&tools.store, actor, mail, &reason).await?;
    Err(Failure::permanent(error))
}
