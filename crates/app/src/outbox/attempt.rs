//! What an attempt led to, noted with everything that follows from it.

use std::time::Duration;

use domain::mail::{Chances, MailState, RecipientState};
use domain::{Actor, TicketEventId, TicketId};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use store::audit::AuditEntry;
use store::mail::MailedEvent;
use store::outbox::{Bounce, DomainRate, MailOfCause, MailRecipient, MailSender, MailStanding};
use store::{Store, Tx};

use super::{Outgoing, state_of};
use crate::Error;
use crate::mail::TICKET;

/// Characters kept of what a relay says.
const REASON_CHARS_MAX: usize = 500;

/// What holds for every message.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Whom messages come from.
    pub from: MailSender,
    /// How fast a domain is mailed to.
    pub rate: DomainRate,
    /// When an address is not mailed any more.
    pub suppression: Suppression,
}

/// When an address is not mailed any more, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// For how long an address that is gone is not mailed.
    pub lasts: Duration,
    /// Days in a row with a refusal that does not say why, after which an address counts as gone.
    pub after_days: u16,
}

/// What the relay said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its code; none when there was no answer.
    pub code: Option<u16>,
    /// The same in words.
    pub reason: String,
}

/// What an answer about a recipient means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The relay has taken responsibility.
    Taken,
    /// There is no such address: it is not mailed again.
    Gone,
    /// Refused for good, and nobody says whether because of the address. Refused on several days it counts as gone.
    Unclear,
    /// Refused for good, and not because of the address.
    Refused,
    /// Another time may do.
    PutOff,
}

/// The relay's answer about one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The address.
    pub email: String,
    /// What it means.
    pub verdict: Verdict,
    /// What was said.
    pub reply: Reply,
}

/// The relay's answer about the message itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whole {
    /// Nothing to object; the answers about the recipients count.
    Answered,
    /// Refused for good, to everybody not answered for.
    Refused(Reply),
    /// Not now, or no answer: another time may do.
    PutOff(Reply),
}

/// One conversation about a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The recipients answered for; the others are still open.
    pub answers: Vec<Answer>,
    /// The message.
    pub whole: Whole,
}

/// Where a message stands after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Where.
    pub state: MailState,
    /// Whether somebody must look: it was refused, and not because its addresses are gone.
    pub needs_a_look: bool,
}

/// Notes what an attempt led to: each recipient, addresses not to be mailed again, the audit trail, and, when the last
/// message about an event of a ticket has ended, the ticket's history.
///
/// # Errors
/// Those of the store.
pub async fn settle(
    store: &Store,
    actor: &Actor,
    (mail, attempt): (&Outgoing, &Attempt),
    (chances, suppression): (Chances, Suppression),
    now: Timestamp,
) -> Result<Standing, Error> {
    let standing = store.run_in_turn(actor, "settle_mail", |tx| async move {
        let of_cause = lock(&tx, mail).await?;
        for answer in &attempt.answers {
            note(&tx, mail, answer, (now, suppression)).await?;
        }
        forget_refusals(&tx, attempt).await?;
        let recipients = answered(current(&of_cause, mail), attempt);
        let state = match attempt.whole {
            Whole::Refused(_) => MailState::Refused,
            Whole::Answered | Whole::PutOff(_) => state_of(&recipients, chances),
        };
        let refused = matches!(attempt.whole, Whole::Refused(_))
            || attempt
                .answers
                .iter()
                .any(|answer| matches!(answer.verdict, Verdict::Refused | Verdict::Unclear));
        conclude(&tx, mail, &of_cause, Conclusion { state, recipients, reply: last_reply(attempt), now })
            .await?;
        Ok::<Standing, store::Error>(Standing { state, needs_a_look: state == MailState::Refused && refused })
    });
    Ok(standing.await?)
}

/// Ends a message that nobody is to get any more, without an attempt.
pub(super) async fn end(tx: &Tx, mail: &Outgoing, now: Timestamp) -> Result<(), store::Error> {
    let of_cause = lock(tx, mail).await?;
    let recipients = mail.everybody.clone();
    let state = state_of(&recipients, Chances::Left);
    conclude(tx, mail, &of_cause, Conclusion { state, recipients, reply: None, now }).await
}

async fn lock(tx: &Tx, mail: &Outgoing) -> Result<Vec<MailOfCause>, store::Error> {
    tx.lock_mails_of_cause(mail.cause_id, &mail.kind, mail.mail.created_at).await
}

/// The recipients as they stand in the locked row: another worker may have been faster.
fn current(of_cause: &[MailOfCause], mail: &Outgoing) -> Vec<MailRecipient> {
    of_cause
        .iter()
        .find(|one| one.id == mail.mail.mail_id)
        .map_or_else(|| mail.everybody.clone(), |one| one.recipients.0.clone())
}

fn answered(mut recipients: Vec<MailRecipient>, attempt: &Attempt) -> Vec<MailRecipient> {
    for recipient in recipients.iter_mut().filter(|one| one.state != RecipientState::Sent) {
        let Some(answer) = attempt.answers.iter().find(|answer| answer.email == recipient.email) else {
            continue;
        };
        recipient.reply_code = answer.reply.code;
        recipient.state = match answer.verdict {
            Verdict::Taken => RecipientState::Sent,
            Verdict::Gone | Verdict::Unclear | Verdict::Refused => RecipientState::Refused,
            Verdict::PutOff => RecipientState::Queued,
        };
    }
    recipients
}

/// What is told about the whole: the answer about the message, or else the worst about a recipient.
fn last_reply(attempt: &Attempt) -> Option<&Reply> {
    match &attempt.whole {
        Whole::Refused(reply) | Whole::PutOff(reply) => Some(reply),
        Whole::Answered => {
            attempt.answers.iter().map(|answer| &answer.reply).max_by_key(|reply| reply.code.unwrap_or(999))
        }
    }
}

/// Tells operators of a recipient that was refused; an address that is gone is not mailed again.
async fn note(
    tx: &Tx,
    mail: &Outgoing,
    answer: &Answer,
    (now, suppression): (Timestamp, Suppression),
) -> Result<(), store::Error> {
    let lasts = SignedDuration::try_from(suppression.lasts).unwrap_or(SignedDuration::MAX);
    let bounce = Bounce {
        email: &answer.email,
        mail_id: mail.mail.mail_id,
        reply_code: code(&answer.reply),
        reason: &reason(&answer.reply),
        at: now,
        until: now.saturating_add(lasts).unwrap_or(Timestamp::MAX),
    };
    let is_suppressed = match answer.verdict {
        Verdict::Taken | Verdict::PutOff => return Ok(()),
        Verdict::Gone => {
            tx.note_bounce(&bounce).await?;
            true
        }
        Verdict::Unclear => tx.count_refusal(&bounce, suppression.after_days.into()).await?,
        Verdict::Refused => false,
    };
    let action = if is_suppressed { "mail_address_suppressed" } else { "mail_recipient_refused" };
    let detail = json!({ "email": answer.email, "code": answer.reply.code, "mail_id": mail.mail.mail_id });
    tell(tx, mail, action, detail).await
}

/// An address for which a mail was taken has not been refused in a row.
async fn forget_refusals(tx: &Tx, attempt: &Attempt) -> Result<(), store::Error> {
    let taken = attempt.answers.iter().filter(|answer| answer.verdict == Verdict::Taken);
    let taken: Vec<String> = taken.map(|answer| answer.email.clone()).collect();
    if !taken.is_empty() {
        tx.forget_refusals(taken).await?;
    }
    Ok(())
}

/// Adds to the audit trail of what the mail is about.
async fn tell(
    tx: &Tx,
    mail: &Outgoing,
    action: &'static str,
    detail: serde_json::Value,
) -> Result<(), store::Error> {
    let subject_kind = if mail.about.0 == TICKET { TICKET } else { "mail" };
    let subject_id = if subject_kind == TICKET { mail.about.1 } else { *mail.mail.mail_id.as_uuid() };
    tx.audit(&AuditEntry { action, subject_kind, subject_id: Some(subject_id), detail }).await
}

struct Conclusion<'a> {
    state: MailState,
    recipients: Vec<MailRecipient>,
    reply: Option<&'a Reply>,
    now: Timestamp,
}

/// Writes where the message stands, and what follows from its end.
async fn conclude(
    tx: &Tx,
    mail: &Outgoing,
    of_cause: &[MailOfCause],
    conclusion: Conclusion<'_>,
) -> Result<(), store::Error> {
    let Conclusion { state, recipients, reply, now } = conclusion;
    let reason = reply.map(reason);
    let standing = MailStanding {
        id: mail.mail.mail_id,
        created_at: mail.mail.created_at,
        state,
        recipients,
        reply_code: reply.and_then(code),
        reason: reason.as_deref(),
        at: now,
    };
    tx.settle_mail(&standing).await?;
    let action = match state {
        MailState::Queued => return Ok(()),
        MailState::Sent => None,
        MailState::Refused => Some("mail_refused"),
        MailState::GivenUp => Some("mail_given_up"),
    };
    if let Some(action) = action {
        let detail = json!({
            "mail_id": mail.mail.mail_id,
            "cause_id": mail.cause_id,
            "code": reply.and_then(|reply| reply.code),
        });
        tell(tx, mail, action, detail).await?;
    }
    note_in_history(tx, mail, of_cause, &standing).await
}

/// Adds to a ticket's history that mail about an event was sent: once, when no message about it is under way any more.
async fn note_in_history(
    tx: &Tx,
    mail: &Outgoing,
    of_cause: &[MailOfCause],
    standing: &MailStanding<'_>,
) -> Result<(), store::Error> {
    let mut others = of_cause.iter().filter(|one| one.id != standing.id);
    if mail.about.0 != TICKET || others.clone().any(|one| one.state == MailState::Queued) {
        return Ok(());
    }
    let sent = |recipients: &[MailRecipient]| {
        recipients.iter().filter(|recipient| recipient.state == RecipientState::Sent).count()
    };
    let addresses =
        others.by_ref().map(|one| sent(&one.recipients.0)).sum::<usize>() + sent(&standing.recipients);
    let detail = match addresses {
        0 => return Ok(()),
        1 => "Mailed to one address.".to_owned(),
        count => format!("Mailed to {count} addresses."),
    };
    let mailed = MailedEvent {
        ticket_id: TicketId::from_uuid(mail.about.1),
        cause_id: TicketEventId::from_uuid(mail.cause_id),
        detail,
        correlation_id: mail.correlation_id,
        at: standing.at,
    };
    tx.record_mailed(&mailed).await?;
    Ok(())
}

fn code(reply: &Reply) -> Option<i16> {
    reply.code.and_then(|code| i16::try_from(code).ok())
}

/// What the relay said, on one line of bounded length.
fn reason(reply: &Reply) -> String {
    let line: String = reply
        .reason
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(REASON_CHARS_MAX)
        .collect();
    if line.trim().is_empty() { "no words".to_owned() } else { line }
}
