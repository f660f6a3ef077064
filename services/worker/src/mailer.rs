//! Hands mails to the relay. Nothing else in the product speaks SMTP.

use std::time::Duration;

use anyhow::{Context, Result};
use domain::CorrelationId;
use lettre::address::Envelope;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::response::{Category, Code};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::settings::{MailSettings, MailTls};

/// A mail before it has an envelope.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    /// The task that sends it; every attempt carries the same Message-ID.
    pub(crate) task_id: Uuid,
    /// What started it.
    pub(crate) correlation_id: CorrelationId,
    /// To whom, all in one mail.
    pub(crate) to: Vec<Mailbox>,
    /// One line.
    pub(crate) subject: String,
    /// As plain text.
    pub(crate) text: String,
    /// As HTML.
    pub(crate) html: String,
}

/// Why a mail was not sent. Of the relay's answers only the code is kept: their text may name people's addresses.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// The mail cannot be written.
    #[error("the mail cannot be written")]
    Unwritable(#[source] lettre::error::Error),
    /// The relay refused this mail for good.
    #[error("the mail relay refused the mail for good with {0}")]
    Refused(Code),
    /// The relay answered, but did not take the mail; another time may do.
    #[error("the mail relay answered {0}")]
    PutOff(Code),
    /// There was no answer.
    #[error("the mail relay was not reached")]
    Unreachable(#[source] lettre::transport::smtp::Error),
    /// The relay took too long; it may still have taken the mail.
    #[error("the mail relay took too long")]
    TimedOut,
}

impl SendError {
    /// Whether another attempt is useless.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Unwritable(_) | Self::Refused(_) => true,
            Self::PutOff(_) | Self::Unreachable(_) | Self::TimedOut => false,
        }
    }

    /// The relay's answer, when there was one.
    pub(crate) fn status(&self) -> Option<Code> {
        match self {
            Self::Refused(code) | Self::PutOff(code) => Some(*code),
            Self::Unwritable(_) | Self::Unreachable(_) | Self::TimedOut => None,
        }
    }

    /// Answers 55x speak of this mail or its recipients. The other permanent ones (no sign-in, command not known) speak
    /// of how we are set up: after a correction the same mail goes through.
    fn of(error: lettre::transport::smtp::Error) -> Self {
        match error.status() {
            Some(code) if error.is_permanent() && code.category == Category::MailSystem => {
                Self::Refused(code)
            }
            Some(code) => Self::PutOff(code),
            None => Self::Unreachable(error),
        }
    }
}

/// The connections to the relay.
#[derive(Clone, Debug)]
pub(crate) struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    reply_to: Option<Mailbox>,
    /// How long one conversation may take.
    limit: Duration,
    /// How long one mail may take with all its conversations.
    patience: Duration,
}

impl Mailer {
    /// Prepares the connections; none is made before the first mail.
    /// A mail takes `patience` at most.
    pub(crate) fn new(settings: &MailSettings, patience: Duration) -> Result<Self> {
        let timeout = Duration::from_millis(settings.timeout_ms);
        let pool = PoolConfig::new()
            .max_size(settings.connections_max)
            .idle_timeout(Duration::from_millis(settings.idle_timeout_ms));
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host)
            .port(settings.port)
            .tls(tls(settings)?)
            .timeout(Some(timeout))
            .pool_config(pool);
        if !settings.username.is_empty() {
            let password = settings.password.expose().to_owned();
            builder = builder.credentials(Credentials::new(settings.username.clone(), password));
        }
        Ok(Self {
            transport: builder.build(),
            from: settings.from.parse().context("reading mail.from")?,
            reply_to: settings.reply_to()?,
            // A conversation has about six steps.
            limit: timeout * 6,
            patience,
        })
    }

    /// Sends a mail to everybody in one message; answers how many the relay has taken responsibility for.
    ///
    /// When the relay refuses it for good, each recipient is tried alone with the same message, so that one address
    /// that is gone does not keep the mail from the others. Refused is what nobody can get. Once one of them was taken
    /// the mail is sent: another attempt would reach those again who have it.
    pub(crate) async fn send(&self, mail: &Mail) -> Result<usize, SendError> {
        let deadline = Instant::now() + self.patience;
        let message = self.write(mail).map_err(SendError::Unwritable)?;
        match self.hand_over(message.envelope(), &message, deadline).await {
            Ok(()) => Ok(mail.to.len()),
            Err(refused @ SendError::Refused(_)) if mail.to.len() > 1 => {
                self.send_one_by_one(&message, refused, deadline).await
            }
            Err(error) => Err(error),
        }
    }

    async fn send_one_by_one(
        &self,
        message: &Message,
        refused: SendError,
        deadline: Instant,
    ) -> Result<usize, SendError> {
        let envelope = message.envelope();
        let mut taken = 0;
        for recipient in envelope.to() {
            let single = Envelope::new(envelope.from().cloned(), vec![recipient.clone()]);
            match self.hand_over(&single.map_err(SendError::Unwritable)?, message, deadline).await {
                Ok(()) => taken += 1,
                Err(error) if error.is_final() || taken > 0 => report_left_out(&error),
                Err(error) => return Err(error),
            }
        }
        if taken == 0 { Err(refused) } else { Ok(taken) }
    }

    async fn hand_over(
        &self,
        envelope: &Envelope,
        message: &Message,
        deadline: Instant,
    ) -> Result<(), SendError> {
        let bytes = message.formatted();
        let end = deadline.min(Instant::now() + self.limit);
        let Ok(outcome) = timeout_at(end, self.transport.send_raw(envelope, &bytes)).await else {
            return Err(SendError::TimedOut);
        };
        outcome.map(drop).map_err(SendError::of)
    }

    fn write(&self, mail: &Mail) -> Result<Message, lettre::error::Error> {
        let mut builder = Message::builder()
            .from(self.from.clone())
            .message_id(Some(format!("<{}@{}>", mail.task_id, self.from.email.domain())))
            .subject(mail.subject.clone())
            .raw_header(header("X-Correlation-ID", mail.correlation_id.to_string()))
            .raw_header(header("Auto-Submitted", "auto-generated".to_owned()));
        if let Some(reply_to) = &self.reply_to {
            builder = builder.reply_to(reply_to.clone());
        }
        for recipient in &mail.to {
            builder = builder.to(recipient.clone());
        }
        builder.multipart(MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone()))
    }
}

fn report_left_out(error: &SendError) {
    let code = error.status().map(tracing::field::display);
    tracing::warn!(target: "mail", { smtp.code = code, error.chain = %error }, "one recipient does not get a mail");
}

fn header(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value)
}

fn tls(settings: &MailSettings) -> Result<Tls> {
    let parameters = || TlsParameters::new(settings.host.clone()).context("setting up TLS to the mail relay");
    Ok(match settings.tls {
        MailTls::None => Tls::None,
        MailTls::Starttls => Tls::Required(parameters()?),
        MailTls::Tls => Tls::Wrapper(parameters()?),
    })
}
