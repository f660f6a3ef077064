//! Mail about tickets: what it says, to whom it goes, and that it went.

use domain::Actor;
use jiff::Timestamp;
use serde_json::json;
use store::Store;
use store::audit::AuditEntry;
use store::mail::MailedEvent;
pub use store::mail::{Recipient, TicketNews};

use crate::Error;
pub use crate::news::{MAIL_KIND, MAIL_QUEUE, TicketMail};

/// Most people one event is mailed to.
pub const RECIPIENTS_MAX: i64 = 100;

/// Mail ready to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedMail {
    /// What it says.
    pub news: TicketNews,
    /// To whom it goes; somebody at least.
    pub recipients: Vec<Recipient>,
}

/// Reads what mail about an event says. Nothing when the event is gone, was mailed about, or reaches nobody.
///
/// # Errors
/// Those of the store.
pub async fn prepare(store: &Store, actor: &Actor, mail: &TicketMail) -> Result<Option<PreparedMail>, Error> {
    let prepared = store.read(actor, "prepare_ticket_mail", |tx| async move {
        let Some(news) = tx.ticket_news(mail.ticket_id, mail.event_id).await? else { return Ok(None) };
        if news.is_mailed {
            return Ok(None);
        }
        let recipients = tx.ticket_recipients(mail.ticket_id, mail.event_id, RECIPIENTS_MAX + 1).await?;
        let recipients = cut(recipients, mail);
        let prepared = (!recipients.is_empty()).then_some(PreparedMail { news, recipients });
        Ok::<_, store::Error>(prepared)
    });
    Ok(prepared.await?)
}

/// The first [`RECIPIENTS_MAX`]; that others are left out is told to operators.
fn cut(mut recipients: Vec<Recipient>, mail: &TicketMail) -> Vec<Recipient> {
    let most = usize::try_from(RECIPIENTS_MAX).unwrap_or(usize::MAX);
    if recipients.len() > most {
        tracing::warn!(
            target: "mail",
            recipients = most,
            ticket.id = %mail.ticket_id,
            event.id = %mail.event_id,
            "an event concerns more people than one mail goes to; the others are not told"
        );
        recipients.truncate(most);
    }
    recipients
}

/// Adds to the ticket's history that the mail server took the mail; once per event.
///
/// # Errors
/// Those of the store.
pub async fn record_sent(
    store: &Store,
    actor: &Actor,
    mail: &TicketMail,
    recipients: usize,
    now: Timestamp,
) -> Result<(), Error> {
    let mailed = &MailedEvent {
        ticket_id: mail.ticket_id,
        cause_id: mail.event_id,
        detail: match recipients {
            1 => "Mailed to one address.".to_owned(),
            count => format!("Mailed to {count} addresses."),
        },
        correlation_id: actor.correlation_id,
        at: now,
    };
    store.run_tx(actor, "record_ticket_mail", |tx| async move { tx.record_mailed(mailed).await }).await?;
    Ok(())
}

/// Notes for operators that the mail server refused the mail for good.
///
/// # Errors
/// Those of the store.
pub async fn record_refused(
    store: &Store,
    actor: &Actor,
    mail: &TicketMail,
    reason: &str,
) -> Result<(), Error> {
    let entry = &AuditEntry {
        action: "ticket_mail_refused",
        subject_kind: "ticket",
        subject_id: Some(*mail.ticket_id.as_uuid()),
        detail: json!({ "event_id": mail.event_id, "reason": reason }),
    };
    store.run_tx(actor, "record_refused_ticket_mail", |tx| async move { tx.audit(entry).await }).await?;
    Ok(())
}
