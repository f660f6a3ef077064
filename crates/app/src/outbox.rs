//! The mail outbox: what is to be mailed is written with what it tells, and sent until the relay has answered for
//! everybody.
//!
//! [`post`] is for use cases, inside their transaction. [`begin`] and [`settle`] stand before and after each attempt of
//! the task `mail.send`; between them the relay is asked, outside of any transaction.

mod attempt;
mod envelope;
mod turn;

use std::time::Duration;

use domain::mail::{Chances, MailState, RecipientState};
use domain::{Actor, Capability, CorrelationId, MailId};
use jiff::Timestamp;
use queue::NewTask;
use serde::{Deserialize, Serialize};
use store::audit::AuditEntry;
pub use store::outbox::{BouncedAddress, DomainRate, MailSender};
use store::outbox::{MailRecipient, MailText, OutboxMail};
use store::{Store, Tx};
use uuid::Uuid;

pub use self::attempt::{Answer, Attempt, Reply, Standing, Suppression, Terms, Verdict, Whole, settle};
use crate::Error;
use crate::mail::Recipient;
use crate::right::require;

/// The kind of task that sends a message of the outbox.
pub const SEND_KIND: &str = "mail.send";
/// The queue it waits in.
pub const SEND_QUEUE: &str = "email";

/// Why a mail with a secret ended whose task did not end it.
const TASK_GONE: &str = "its task was cancelled or given up";

/// The arguments of a task of kind [`SEND_KIND`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendMail {
    /// The message.
    pub mail_id: MailId,
    /// When its cause happened: the day it is kept under.
    pub created_at: Timestamp,
}

/// Whether a body stays in the outbox when the mail has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// It stays as a record of what was said.
    Kept,
    /// It goes: there is a secret in it, such as a link that signs somebody in.
    Secret,
}

/// Mail to a group of people, before it is split into messages.
#[derive(Clone, Debug)]
pub struct NewMail {
    /// What sort of mail, such as `ticket`; lower case.
    pub kind: &'static str,
    /// The kind of thing it is about and the thing, such as `ticket` and its id.
    pub about: (&'static str, Uuid),
    /// What it tells. The same cause, happened at the same time, is mailed about once for each kind.
    pub cause_id: Uuid,
    /// When that happened.
    pub at: Timestamp,
    /// To whom. Colleagues who share a domain share a message.
    pub to: Vec<Recipient>,
    /// One line.
    pub subject: String,
    /// As plain text.
    pub text: String,
    /// As HTML.
    pub html: String,
    /// Whether the body stays.
    pub body: Body,
}

/// Writes mail into the outbox and enqueues its sending; answers how many messages that makes. Asked again for the same
/// cause it writes nothing.
///
/// # Errors
/// Those of the store.
pub async fn post(tx: &Tx, actor: &Actor, mail: &NewMail) -> Result<usize, store::Error> {
    let envelopes = envelope::split(&mail.to);
    if envelopes.is_empty() {
        return Ok(0);
    }
    // PostgreSQL keeps microseconds; the key must meet itself again.
    let created_at = Timestamp::from_microsecond(mail.at.as_microsecond()).unwrap_or(mail.at);
    let text = MailText {
        kind: mail.kind,
        subject_kind: mail.about.0,
        subject_id: mail.about.1,
        cause_id: mail.cause_id,
        at: created_at,
        subject: &envelope::one_line(&mail.subject),
        text: &mail.text,
        html: &mail.html,
        body_kept: mail.body == Body::Kept,
        correlation_id: actor.correlation_id,
    };
    let posted = tx.post_mail(&text, &envelopes).await?;
    let tasks: Vec<NewTask> =
        posted.iter().map(|id| task(actor, SendMail { mail_id: *id, created_at })).collect();
    if !tasks.is_empty() {
        tx.enqueue(&tasks).await?;
    }
    Ok(posted.len())
}

fn task(actor: &Actor, mail: SendMail) -> NewTask {
    NewTask::new(SEND_KIND, &mail)
        .queue(SEND_QUEUE)
        // The database tells by this key whether a task still sends the mail: see `end_secret_mails`.
        .unique_key(format!("{}:{}", actor.client_id, mail.mail_id))
        .tenant(*actor.client_id.as_uuid())
        .correlation(*actor.correlation_id.as_uuid())
}

/// A message on its way to the relay.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Which one.
    pub mail: SendMail,
    /// Whom it comes from, as its first attempt said.
    pub from: MailSender,
    /// Everybody it names.
    pub everybody: Vec<MailRecipient>,
    /// One line.
    pub subject: String,
    /// As plain text.
    pub text: String,
    /// As HTML.
    pub html: String,
    /// What started it.
    pub correlation_id: CorrelationId,
    kind: String,
    about: (String, Uuid),
    cause_id: Uuid,
}

impl Outgoing {
    /// The addresses that are still to get it.
    pub fn open(&self) -> impl Iterator<Item = &str> {
        self.everybody
            .iter()
            .filter(|recipient| recipient.state == RecipientState::Queued)
            .map(|recipient| recipient.email.as_str())
    }
}

/// Whether a message may go to the relay.
#[derive(Clone, Debug)]
pub enum Begun {
    /// It may.
    Send(Box<Outgoing>),
    /// Its turn at its domain comes later.
    Wait(Duration),
    /// Nobody is to get it any more.
    Needless,
    /// It is not in the outbox.
    Gone,
    /// Its body held a secret, which went when the mail ended: it cannot be sent again.
    Emptied,
}

/// Begins an attempt: leaves out addresses that were refused for good, takes the message's turn at its domain, and fixes
/// what the message says, so that a repetition says the same.
///
/// A message that was given up or refused is tried again, as long as it has a body: only a person asks for that.
///
/// # Errors
/// Those of the store.
pub async fn begin(
    store: &Store,
    actor: &Actor,
    mail: SendMail,
    terms: &Terms,
    now: Timestamp,
) -> Result<Begun, Error> {
    let begun = store.run_in_turn(actor, "begin_mail", |tx| async move {
        let Some(found) = tx.outbox_mail(mail.mail_id, mail.created_at).await? else {
            return Ok(Begun::Gone);
        };
        if found.state == MailState::Sent {
            return Ok(Begun::Needless);
        }
        if found.state != MailState::Queued && !found.body_kept {
            return Ok(Begun::Emptied);
        }
        let everybody = open_recipients(&tx, &found).await?;
        if everybody.iter().all(|recipient| recipient.state != RecipientState::Queued) {
            let outgoing = outgoing(mail, found, everybody, terms.from.clone());
            attempt::end(&tx, &outgoing, now).await?;
            return Ok(Begun::Needless);
        }
        if let Some(pause) = turn::take(&tx, mail, &found, terms.rate).await? {
            return Ok(Begun::Wait(pause));
        }
        let key = (mail.mail_id, mail.created_at);
        let from = tx.begin_mail(key, &everybody, &terms.from, now).await?;
        Ok::<Begun, store::Error>(Begun::Send(Box::new(outgoing(mail, found, everybody, from))))
    });
    Ok(begun.await?)
}

fn outgoing(mail: SendMail, found: OutboxMail, everybody: Vec<MailRecipient>, from: MailSender) -> Outgoing {
    Outgoing {
        mail,
        from,
        everybody,
        subject: found.subject,
        text: found.text_body,
        html: found.html_body,
        correlation_id: found.correlation_id,
        kind: found.kind,
        about: (found.subject_kind, found.subject_id),
        cause_id: found.cause_id,
    }
}

/// Everybody, with those queued who are to get the message in this attempt.
async fn open_recipients(tx: &Tx, found: &OutboxMail) -> Result<Vec<MailRecipient>, store::Error> {
    let mut everybody = found.recipients.0.clone();
    if found.state != MailState::Queued {
        for recipient in everybody.iter_mut().filter(|one| one.state != RecipientState::Sent) {
            recipient.state = RecipientState::Queued;
        }
    }
    let open: Vec<String> = everybody
        .iter()
        .filter(|recipient| recipient.state == RecipientState::Queued)
        .map(|recipient| recipient.email.clone())
        .collect();
    let suppressed = tx.suppressed_addresses(open).await?;
    for recipient in everybody.iter_mut().filter(|one| one.state == RecipientState::Queued) {
        if suppressed.contains(&recipient.email) {
            recipient.state = RecipientState::Suppressed;
        }
    }
    Ok(everybody)
}

/// Lists the addresses of the actor's client that are not mailed, and those for which refusals are counted; the latest
/// first.
///
/// # Errors
/// [`Error::Forbidden`] without the capability to administer, and those of the store.
pub async fn list_bounces(store: &Store, actor: &Actor, limit: i64) -> Result<Vec<BouncedAddress>, Error> {
    require(actor, Capability::Admin)?;
    let listed = store.read(actor, "list_bounces", |tx| async move { tx.bounced_addresses(limit).await });
    Ok(listed.await?)
}

/// Lets an address be mailed again that was refused for good. `by` names who does it when the actor is no person.
///
/// # Errors
/// [`Error::Forbidden`] without the capability to administer, and those of the store.
pub async fn lift_bounce(store: &Store, actor: &Actor, email: &str, by: Option<&str>) -> Result<bool, Error> {
    require(actor, Capability::Admin)?;
    let email = &email.to_lowercase();
    let lifted = store.run_tx(actor, "lift_bounce", |tx| async move {
        let lifted = tx.lift_bounce(email).await?;
        if lifted {
            let detail = serde_json::json!({ "email": email, "actor": by });
            let entry = AuditEntry {
                action: "mail_address_lifted",
                subject_kind: "mail_address",
                subject_id: None,
                detail,
            };
            tx.audit(&entry).await?;
        }
        Ok::<bool, store::Error>(lifted)
    });
    Ok(lifted.await?)
}

/// Ends mails with a secret whose task was cancelled or given up without them, and empties them; answers how many.
///
/// # Errors
/// Those of the store.
pub async fn end_secrets(store: &Store) -> Result<i64, Error> {
    let ended = store
        .run_system("end_secret_mails", |tx| async move { tx.end_secret_mails(SEND_KIND, TASK_GONE).await });
    Ok(ended.await?)
}

/// Where a message stands once its recipients stand so.
fn state_of(recipients: &[MailRecipient], chances: Chances) -> MailState {
    let states: Vec<RecipientState> = recipients.iter().map(|recipient| recipient.state).collect();
    MailState::of(&states, chances)
}
