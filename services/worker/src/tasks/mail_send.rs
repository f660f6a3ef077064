//! `mail.send`: hands one message of the outbox to the relay.

use app::outbox::{self, Attempt, Begun, Outgoing, Reply, SendMail, Standing, Verdict, Whole};
use domain::mail::{Chances, MailState};
use domain::{Actor, ClientId};
use queue::{Failure, Job};

use super::{Tools, actor};
use crate::{message, metrics};

/// Why a message did not go, without the relay's words: they may name people's addresses, and task errors are everybody's.
#[derive(Debug, thiserror::Error)]
enum NotSent {
    #[error("the task names no client")]
    NoClient,
    #[error("the message is not in the outbox")]
    Gone,
    #[error("the message held a secret, which was removed when it ended; what caused it must send a new one")]
    Emptied,
    #[error("the mail relay refused the mail for good with {0}")]
    Refused(u16),
    #[error("the mail cannot be written or handed over")]
    Unsendable,
    #[error("the mail relay answered {0}")]
    PutOff(u16),
    #[error("the mail relay gave no answer; it may have taken the mail")]
    NoAnswer,
}

/// Sends a message to those who are still to get it, then notes what the relay said of each.
///
/// Between the two lies a gap: who stops there sends the message again, byte for byte and under the same Message-ID, so
/// that readers and servers recognise the repetition. Who is noted as served is never served again.
pub(super) async fn run(tools: Tools, job: Job) -> Result<(), Failure> {
    let mail: SendMail = job.args()?;
    let client = ClientId::from_uuid(job.tenant.ok_or_else(|| Failure::permanent(NotSent::NoClient))?);
    let actor = actor(&job, client);
    match outbox::begin(&tools.store, &actor, mail, &tools.mail_terms, tools.clock.now()).await? {
        Begun::Send(outgoing) => send(&tools, &job, &actor, &outgoing).await,
        Begun::Wait(pause) => {
            metrics::mail("delayed");
            Err(Failure::snooze(pause))
        }
        Begun::Needless => {
            metrics::mail("needless");
            Ok(())
        }
        Begun::Gone => Err(Failure::permanent(NotSent::Gone)),
        Begun::Emptied => Err(Failure::permanent(NotSent::Emptied)),
    }
}

async fn send(tools: &Tools, job: &Job, actor: &Actor, mail: &Outgoing) -> Result<(), Failure> {
    let attempt = match message::write(mail) {
        Ok(written) => tools.mailer.send(mail, &written).await,
        Err(error) => unwritable(&error),
    };
    let chances = if job.attempt < tools.mail_attempts_max { Chances::Left } else { Chances::UsedUp };
    let terms = (chances, tools.mail_terms.suppression);
    let standing = outbox::settle(&tools.store, actor, (mail, &attempt), terms, tools.clock.now()).await?;
    follow(standing, &attempt)
}

/// Our own mistake, with its reason.
fn unwritable(error: &anyhow::Error) -> Attempt {
    let reply = Reply { code: None, reason: format!("the mail cannot be written: {error:#}") };
    Attempt { answers: Vec::new(), whole: Whole::Refused(reply) }
}

/// What becomes of the task. A message whose addresses are gone is done: the audit trail says so. What the relay objects to
/// otherwise, or never took, goes to the dead letters, where somebody looks.
fn follow(standing: Standing, attempt: &Attempt) -> Result<(), Failure> {
    match standing.state {
        MailState::Sent => metrics::mail("sent"),
        MailState::Refused => metrics::mail("refused"),
        MailState::Queued => metrics::mail("put-off"),
        MailState::GivenUp => metrics::mail("given-up"),
    }
    match standing.state {
        MailState::Refused if standing.needs_a_look => {
            let code = code(attempt, Verdict::Refused).or_else(|| code(attempt, Verdict::Unclear));
            Err(Failure::permanent(code.map_or(NotSent::Unsendable, NotSent::Refused)))
        }
        MailState::Sent | MailState::Refused => Ok(()),
        MailState::Queued | MailState::GivenUp => {
            let code = code(attempt, Verdict::PutOff);
            Err(Failure::retry(code.map_or(NotSent::NoAnswer, NotSent::PutOff)))
        }
    }
}

/// The code that tells why the message did not reach everybody.
fn code(attempt: &Attempt, verdict: Verdict) -> Option<u16> {
    match &attempt.whole {
        Whole::Refused(reply) | Whole::PutOff(reply) => reply.code,
        Whole::Answered => attempt
            .answers
            .iter()
            .find(|answer| answer.verdict == verdict)
            .and_then(|answer| answer.reply.code),
    }
}
