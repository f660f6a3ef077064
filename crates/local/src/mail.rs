//! An SMTP server that delivers nothing: it keeps every mail as a file and shows them on a page.
//!
//! It holds a real conversation, so the sender needs no special case, and it can be told to put a mail off or to
//! refuse it, as real servers do, and to insist on TLS.

mod folder;
mod message;
mod page;
mod security;
mod smtp;

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use folder::Folder;
pub use message::Mail;
pub use security::Security;

const CONNECTIONS_MAX: usize = 64;
const CONNECTION_LIMIT: Duration = Duration::from_mins(10);

/// How the server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Takes the mail.
    Accept,
    /// 451 for each recipient: try again later.
    PutOff,
    /// 550 for each recipient: never.
    Refuse,
    /// The given line for each address named; the others are taken.
    Each(BTreeMap<String, String>),
    /// The given line after the message; nothing is kept.
    AfterMessage(String),
    /// Keeps the mail and does not say so, until the answer changes; then it hangs up.
    Silence,
}

impl Answer {
    /// The given line for each address named; the others are taken.
    pub fn each<const COUNT: usize>(replies: [(&str, &str); COUNT]) -> Self {
        Self::Each(replies.map(|(address, reply)| (address.to_owned(), reply.to_owned())).into())
    }
}

/// A mail server that keeps everything. Dropping it closes its listeners and connections.
#[derive(Debug)]
pub struct MailSink {
    /// Where it speaks SMTP.
    pub smtp: SocketAddr,
    /// Where it shows what it got: `/` for people, `/mails.json` for programs.
    pub http: SocketAddr,
    folder: Folder,
    answer: watch::Sender<Answer>,
    _listeners: JoinSet<()>,
}

impl MailSink {
    /// Starts both listeners. Mails already in the folder stay.
    ///
    /// # Errors
    /// When the folder cannot be made or an address is taken.
    pub async fn start(folder: &Path, smtp: impl ToSocketAddrs, http: impl ToSocketAddrs) -> Result<Self> {
        Self::start_secure(folder, smtp, http, Security::None).await
    }

    /// Starts both listeners; mail is taken under protection only.
    ///
    /// # Errors
    /// When the folder cannot be made or an address is taken.
    pub async fn start_secure(
        folder: &Path,
        smtp: impl ToSocketAddrs,
        http: impl ToSocketAddrs,
        security: Security,
    ) -> Result<Self> {
        let folder = Folder::open(folder)?;
        let smtp_listener = TcpListener::bind(smtp).await.context("listening for mail")?;
        let http_listener = TcpListener::bind(http).await.context("listening for the mail page")?;
        let (smtp, http) = (local_address(&smtp_listener)?, local_address(&http_listener)?);
        let (answer, answers) = watch::channel(Answer::Accept);
        let mut listeners = JoinSet::new();
        let kept = folder.clone();
        listeners.spawn(accept(smtp_listener, move |stream| {
            smtp::converse(stream, security.clone(), kept.clone(), answers.clone())
        }));
        let shown = folder.clone();
        listeners.spawn(accept(http_listener, move |stream| page::serve(stream, shown.clone())));
        Ok(Self { smtp, http, folder, answer, _listeners: listeners })
    }

    /// Chooses how the next recipients are answered.
    pub fn answer(&self, answer: Answer) {
        self.answer.send_replace(answer);
    }

    /// Reads the mails it kept, oldest first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub async fn mails(&self) -> Result<Vec<Mail>> {
        self.folder.mails().await
    }
}

fn local_address(listener: &TcpListener) -> Result<SocketAddr> {
    listener.local_addr().context("reading a listener's address")
}

/// Accepts connections, a bounded number at a time, each for a bounded time.
async fn accept<F, Fut>(listener: TcpListener, handle: F)
where
    F: Fn(TcpStream) -> Fut,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("the semaphore is never closed");
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let conversation = handle(stream);
                connections.spawn(async move {
                    let _place = place;
                    report(timeout(CONNECTION_LIMIT, conversation).await);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection to the mail sink was lost before it began");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

fn report(outcome: Result<Result<()>, tokio::time::error::Elapsed>) {
    match outcome {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(error = format!("{error:#}"), "a mail sink conversation broke off"),
        Err(_) => tracing::debug!("a mail sink conversation took too long"),
    }
}
