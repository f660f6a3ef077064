//! Mail about tickets: what it says and to whom it goes.

use domain::Actor;
use store::Store;
pub use store::mail::{Recipient, TicketNews};

use crate::Error;
pub use crate::news::{MAIL_KIND, MAIL_QUEUE, TicketMail};
use crate::outbox::{self, Body, NewMail};

/// The kind of mail about tickets, and of what it is about.
pub(crate) const TICKET: &str = "ticket";

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

/// A mail's words: subject, plain text, HTML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// One line.
    pub subject: String,
    /// As plain text.
    pub text: String,
    /// As HTML.
    pub html: String,
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

/// Writes mail about an event into the outbox; answers how many messages that makes. Asked again it writes nothing.
///
/// # Errors
/// Those of the store.
pub async fn post(
    store: &Store,
    actor: &Actor,
    mail: &TicketMail,
    prepared: &PreparedMail,
    letter: &Letter,
) -> Result<usize, Error> {
    let mail = &NewMail {
        kind: TICKET,
        about: (TICKET, *mail.ticket_id.as_uuid()),
        cause_id: *mail.event_id.as_uuid(),
        at: prepared.news.at,
        to: prepared.recipients.clone(),
        subject: letter.subject.clone(),
        text: letter.text.clone(),
        html: letter.html.clone(),
        body: Body::Kept,
    };
    let posted =
        store.run_tx(actor, "post_ticket_mail", |tx| async move { outbox::post(&tx, actor, mail).await });
    Ok(posted.await?)
}
