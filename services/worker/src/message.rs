//! The bytes of a message: a function of its row in the outbox and of nothing else, so that a repetition says the same.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use app::outbox::Outgoing;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};

/// A message as it goes over the wire.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    /// Whom it comes from.
    pub(crate) from: Address,
    /// Headers and body.
    pub(crate) bytes: Vec<u8>,
}

/// Writes a message: everybody it names, plain text and HTML, and the headers by which others recognise a repetition and
/// a machine. Signatures (DKIM) are the relay's.
pub(crate) fn write(mail: &Outgoing) -> Result<Written> {
    let from: Mailbox = mail.from.sender.parse().context("reading the sender")?;
    let id = mail.mail.mail_id;
    let mut builder = Message::builder()
        .from(from.clone())
        .date(date(mail))
        .message_id(Some(format!("<{id}@{}>", from.email.domain())))
        .subject(mail.subject.clone())
        .raw_header(header("X-Correlation-ID", mail.correlation_id.to_string()))
        .raw_header(header("Auto-Submitted", "auto-generated".to_owned()));
    if let Some(reply_to) = &mail.from.reply_to {
        builder = builder.reply_to(reply_to.parse().context("reading where answers go")?);
    }
    for recipient in &mail.everybody {
        // What is no address is refused when its turn comes; the header does without.
        if let Ok(address) = recipient.email.parse() {
            builder = builder.to(Mailbox::new(recipient.name.clone(), address));
        }
    }
    let alternatives = MultiPart::alternative()
        .boundary(format!("{}", id.as_uuid().simple()))
        .singlepart(SinglePart::plain(mail.text.clone()))
        .singlepart(SinglePart::html(mail.html.clone()));
    let message = builder.multipart(alternatives).context("writing a message")?;
    Ok(Written { from: from.email, bytes: message.formatted() })
}

/// When what it tells happened, to the second.
fn date(mail: &Outgoing) -> SystemTime {
    let seconds = u64::try_from(mail.mail.created_at.as_second()).unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn header(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value)
}
