//! Speaks with the relay. Nothing else in the product speaks SMTP.
//!
//! One conversation for each message: every recipient is named and answered for, and the message goes to those who were
//! taken. So one address that is gone or put off costs the others nothing, and nobody gets a message twice because of it.

mod connection;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use app::outbox::{Answer, Attempt, Outgoing, Reply, Verdict, Whole};
use lettre::Address;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{Extension, MailParameter, ServerInfo};
use lettre::transport::smtp::response::Response;
use tokio::time::{Instant, timeout_at};

use self::connection::Connections;
use crate::message::Written;
use crate::reply;
use crate::settings::MailSettings;

type Answered = Result<Response, lettre::transport::smtp::Error>;

/// The way to the relay.
#[derive(Clone)]
pub(crate) struct Mailer {
    connections: Arc<Connections>,
    /// How long one step of a conversation may take.
    step: Duration,
    /// How long one message may take with all its steps.
    patience: Duration,
}

impl Mailer {
    /// Prepares connections; none is made before the first mail. A mail takes `patience` at most.
    pub(crate) fn new(settings: &MailSettings, patience: Duration) -> Result<Self> {
        let connections = Connections::new(settings).context("preparing connections to the mail relay")?;
        Ok(Self {
            connections: Arc::new(connections),
            step: Duration::from_millis(settings.timeout_ms),
            patience,
        })
    }

    /// Hands a message to the relay for everybody who is still to get it.
    pub(crate) async fn send(&self, mail: &Outgoing, written: &Written) -> Attempt {
        let mut answers = Vec::new();
        let deadline = Instant::now() + self.patience;
        let whole = match timeout_at(deadline, self.talk(mail, written, &mut answers)).await {
            Ok(Ok(())) => Whole::Answered,
            Ok(Err(whole)) => whole,
            Err(_elapsed) => reply::too_slow(),
        };
        if whole != Whole::Answered {
            // Nobody was given the message.
            answers.retain(|answer| answer.verdict != Verdict::Taken);
        }
        Attempt { answers, whole }
    }

    async fn talk(&self, mail: &Outgoing, written: &Written, answers: &mut Vec<Answer>) -> Result<(), Whole> {
        let mut line = self.connections.take(self.step).await?;
        let connection = line.connection();
        let addresses = readable(mail, connection.server_info(), answers);
        if addresses.is_empty() {
            line.give_back();
            return Ok(());
        }
        let taken = self.name(connection, written, &addresses, answers).await?;
        if taken {
            self.step(connection.command(Data)).await?;
            self.step(connection.message(&written.bytes)).await?;
        } else {
            self.step(connection.command(Rset)).await?;
        }
        line.give_back();
        Ok(())
    }

    /// Names sender and recipients; answers whether a recipient was taken.
    async fn name(
        &self,
        connection: &mut AsyncSmtpConnection,
        written: &Written,
        addresses: &[Address],
        answers: &mut Vec<Answer>,
    ) -> Result<bool, Whole> {
        let utf8 = addresses.iter().any(|address| !AsRef::<str>::as_ref(address).is_ascii());
        let parameters = if utf8 { vec![MailParameter::SmtpUtfEight] } else { Vec::new() };
        self.step(connection.command(Mail::new(Some(written.from.clone()), parameters))).await?;
        let mut taken = false;
        for address in addresses {
            let answered = self.wait(connection.command(Rcpt::new(address.clone(), Vec::new()))).await?;
            let answer = recipient(address.to_string(), answered)?;
            taken = taken || answer.verdict == Verdict::Taken;
            answers.push(answer);
        }
        Ok(taken)
    }

    /// Takes one step that must succeed.
    async fn step(&self, answer: impl Future<Output = Answered>) -> Result<Response, Whole> {
        self.wait(answer).await?.map_err(|error| reply::whole(&error))
    }

    async fn wait(&self, answer: impl Future<Output = Answered>) -> Result<Answered, Whole> {
        tokio::time::timeout(self.step, answer).await.map_err(|_elapsed| reply::too_slow())
    }
}

/// The addresses the relay can be asked for; of the others is said that they are refused.
fn readable(mail: &Outgoing, server: &ServerInfo, answers: &mut Vec<Answer>) -> Vec<Address> {
    let takes_all_letters = server.supports_feature(Extension::SmtpUtfEight);
    let mut addresses = Vec::new();
    for email in mail.open() {
        match email.parse::<Address>() {
            Ok(address) if takes_all_letters || email.is_ascii() => addresses.push(address),
            Ok(_) => answers.push(unsendable(email, "the relay does not take letters beyond ASCII")),
            Err(_) => answers.push(unsendable(email, "this is not an address")),
        }
    }
    addresses
}

fn unsendable(email: &str, reason: &str) -> Answer {
    let reply = Reply { code: None, reason: reason.to_owned() };
    Answer { email: email.to_owned(), verdict: Verdict::Refused, reply }
}

/// What the relay said of one recipient; without an answer the conversation is over.
fn recipient(email: String, answered: Answered) -> Result<Answer, Whole> {
    match answered {
        Ok(response) => {
            let reply = Reply {
                code: Some(reply::number(response.code())),
                reason: response.first_line().unwrap_or_default().to_owned(),
            };
            Ok(Answer { email, verdict: Verdict::Taken, reply })
        }
        Err(error) => match error.status() {
            Some(code) => {
                let reply = reply::reply(&error);
                Ok(Answer { email, verdict: reply::verdict(code, &reply.reason), reply })
            }
            None => Err(reply::whole(&error)),
        },
    }
}
