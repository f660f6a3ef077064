//! Connections to the relay: a bounded number, kept open for a while.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use app::outbox::Whole;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters, TlsParametersBuilder,
};
use lettre::transport::smtp::extension::ClientId;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};

use crate::reply;
use crate::settings::{MailSettings, MailTls};

/// Every connection to the relay.
pub(super) struct Connections {
    host: String,
    port: u16,
    security: Security,
    credentials: Option<Credentials>,
    hello: ClientId,
    idle_timeout: Duration,
    places: Semaphore,
    idle: Mutex<Vec<Idle>>,
}

enum Security {
    None,
    Starttls(TlsParameters),
    Tls(TlsParameters),
}

struct Idle {
    connection: AsyncSmtpConnection,
    since: Instant,
}

/// A connection somebody talks over. Dropped in the middle of a conversation it is closed.
pub(super) struct Line<'a> {
    connections: &'a Connections,
    connection: AsyncSmtpConnection,
    _place: SemaphorePermit<'a>,
}

impl Line<'_> {
    pub(super) fn connection(&mut self) -> &mut AsyncSmtpConnection {
        &mut self.connection
    }

    /// Keeps the connection for the next message; the conversation on it has ended well.
    pub(super) fn give_back(self) {
        let idle = Idle { connection: self.connection, since: Instant::now() };
        self.connections.idle.lock().unwrap_or_else(PoisonError::into_inner).push(idle);
    }
}

impl Connections {
    pub(super) fn new(settings: &MailSettings) -> Result<Self> {
        let credentials = (!settings.username.is_empty())
            .then(|| Credentials::new(settings.username.clone(), settings.password.expose().to_owned()));
        Ok(Self {
            host: settings.host.clone(),
            port: settings.port,
            security: security(settings)?,
            credentials,
            hello: ClientId::default(),
            idle_timeout: Duration::from_millis(settings.idle_timeout_ms),
            places: Semaphore::new(usize::try_from(settings.connections_max).unwrap_or(1)),
            idle: Mutex::new(Vec::new()),
        })
    }

    /// Takes a connection: one that was kept and still answers, or a new one. `step` limits each step.
    pub(super) async fn take(&self, step: Duration) -> Result<Line<'_>, Whole> {
        let place = self.places.acquire().await.expect("the semaphore is never closed");
        while let Some(mut connection) = self.kept() {
            if timeout(step, connection.test_connected()).await.unwrap_or(false) {
                return Ok(Line { connections: self, connection, _place: place });
            }
        }
        // Name, connection, handshake and sign-in are a few steps.
        let opened = timeout(step * 3, self.open(step)).await.map_err(|_elapsed| reply::too_slow())?;
        let connection = opened.map_err(|error| match reply::whole(&error) {
            // Before a message was named, no answer speaks of one.
            Whole::Refused(reply) => Whole::PutOff(reply),
            whole @ (Whole::Answered | Whole::PutOff(_)) => whole,
        })?;
        Ok(Line { connections: self, connection, _place: place })
    }

    /// The youngest of those kept that is not too old; the older ones go with it when it is.
    fn kept(&self) -> Option<AsyncSmtpConnection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|kept| kept.since.elapsed() < self.idle_timeout);
        idle.pop().map(|kept| kept.connection)
    }

    async fn open(&self, step: Duration) -> Result<AsyncSmtpConnection, lettre::transport::smtp::Error> {
        let server = (self.host.as_str(), self.port);
        let tls = match &self.security {
            Security::Tls(parameters) => Some(parameters.clone()),
            Security::None | Security::Starttls(_) => None,
        };
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, Some(step), &self.hello, tls, None).await?;
        if let Security::Starttls(parameters) = &self.security {
            connection.starttls(parameters.clone(), &self.hello).await?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }
}

fn security(settings: &MailSettings) -> Result<Security> {
    Ok(match settings.tls {
        MailTls::None => Security::None,
        MailTls::Starttls => Security::Starttls(parameters(settings)?),
        MailTls::Tls => Security::Tls(parameters(settings)?),
    })
}

/// With a file of authorities nobody else is trusted.
fn parameters(settings: &MailSettings) -> Result<TlsParameters> {
    let mut builder = TlsParametersBuilder::new(settings.host.clone());
    if !settings.ca_file.is_empty() {
        let pem = std::fs::read(&settings.ca_file).context("reading mail.ca_file")?;
        let authority = Certificate::from_pem(&pem).context("reading mail.ca_file")?;
        builder = builder.certificate_store(CertificateStore::None).add_root_certificate(authority);
    }
    builder.build().context("setting up TLS to the mail relay")
}
