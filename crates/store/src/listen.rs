//! Notifications of PostgreSQL, on a connection that comes back by itself.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

/// The pause between two attempts to connect.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);
/// How long connecting and subscribing may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Silence after which the server is asked whether it is there.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// Notifications kept while the server answers something else.
const PENDING_MAX: usize = 10_000;

/// Something a listener has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It listens from here on; what was said before is not known, so read what matters again.
    Connected,
    /// The connection broke; it is being restored.
    Lost,
    /// Somebody notified.
    Notification {
        /// The channel.
        channel: String,
        /// The payload.
        payload: String,
    },
}

type Messages =
    Box<dyn FnMut(&mut Context<'_>) -> Poll<Option<Result<AsyncMessage, tokio_postgres::Error>>> + Send>;

/// Listens to channels. Dropping it closes its connection.
pub struct Listener {
    config: Config,
    tls: MakeRustlsConnect,
    subscription: String,
    link: Option<Link>,
    pending: VecDeque<Heard>,
    retry_at: Option<Instant>,
}

struct Link {
    client: Client,
    messages: Messages,
}

impl Listener {
    pub(crate) fn new(config: Config, tls: MakeRustlsConnect, channels: &[&str]) -> Self {
        let listens: Vec<String> =
            channels.iter().map(|channel| format!("listen {}", quoted(channel))).collect();
        Self {
            config,
            tls,
            subscription: listens.join("; "),
            link: None,
            pending: VecDeque::new(),
            retry_at: None,
        }
    }

    /// Waits for the next thing heard. Safe to drop and call again: nothing heard is lost by that.
    pub async fn next(&mut self) -> Heard {
        loop {
            if let Some(heard) = self.pending.pop_front() {
                return heard;
            }
            let step = match &mut self.link {
                None => self.connect().await,
                Some(link) => link.hear(&mut self.pending).await,
            };
            if let Err(error) = step {
                tracing::warn!(%error, "listening to the database was interrupted");
                self.retry_at = Some(Instant::now() + RECONNECT_PAUSE);
                if self.link.take().is_some() {
                    return Heard::Lost;
                }
            }
        }
    }

    async fn connect(&mut self) -> Result<(), ListenError> {
        if let Some(at) = self.retry_at {
            tokio::time::sleep_until(at).await;
        }
        let connecting = async {
            let (client, connection) = self.config.connect(self.tls.clone()).await?;
            let mut link = Link { client, messages: messages_of(connection) };
            let mut heard = VecDeque::from([Heard::Connected]);
            link.run(&self.subscription, &mut heard).await?;
            Ok::<_, ListenError>((link, heard))
        };
        let (link, heard) = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await??;
        self.pending.extend(heard);
        self.link = Some(link);
        self.retry_at = None;
        Ok(())
    }
}

impl Link {
    /// Waits for one message, or asks after a long silence whether the server is there.
    async fn hear(&mut self, pending: &mut VecDeque<Heard>) -> Result<(), ListenError> {
        match tokio::time::timeout(SILENCE_MAX, poll_fn(&mut self.messages)).await {
            Ok(message) => take_in(message, pending),
            Err(_silent) => tokio::time::timeout(CONNECT_TIMEOUT, self.run("select", pending)).await?,
        }
    }

    /// Runs a statement while taking in what arrives meanwhile.
    async fn run(&mut self, sql: &str, pending: &mut VecDeque<Heard>) -> Result<(), ListenError> {
        let answer = self.client.batch_execute(sql);
        tokio::pin!(answer);
        loop {
            tokio::select! {
                biased;
                message = poll_fn(&mut self.messages) => take_in(message, pending)?,
                answer = &mut answer => return Ok(answer?),
            }
        }
    }
}

/// Why a connection that listens ended.
#[derive(Debug, thiserror::Error)]
enum ListenError {
    #[error("PostgreSQL refused or closed the connection")]
    Driver(#[from] tokio_postgres::Error),
    #[error("PostgreSQL does not answer")]
    Silent(#[from] tokio::time::error::Elapsed),
    #[error("the connection ended")]
    Ended,
    #[error("more than {PENDING_MAX} notifications wait to be read")]
    Flooded,
}

fn take_in(
    message: Option<Result<AsyncMessage, tokio_postgres::Error>>,
    pending: &mut VecDeque<Heard>,
) -> Result<(), ListenError> {
    match message {
        None => Err(ListenError::Ended),
        Some(Err(error)) => Err(error.into()),
        Some(Ok(AsyncMessage::Notification(_))) if pending.len() >= PENDING_MAX => Err(ListenError::Flooded),
        Some(Ok(AsyncMessage::Notification(heard))) => {
            pending.push_back(Heard::Notification {
                channel: heard.channel().to_owned(),
                payload: heard.payload().to_owned(),
            });
            Ok(())
        }
        Some(Ok(_)) => Ok(()),
    }
}

fn messages_of<S>(mut connection: Connection<Socket, S>) -> Messages
where
    S: tokio_postgres::tls::TlsStream + Unpin + Send + 'static,
{
    Box::new(move |context| connection.poll_message(context))
}

/// A channel name as an identifier.
fn quoted(channel: &str) -> String {
    format!("\"{}\"", channel.replace('"', "\"\""))
}
