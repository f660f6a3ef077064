//! The handle to the database that everybody shares.

use std::pin::Pin;
use std::time::Duration;

use deadpool_postgres::Pool;
use tokio_postgres::Config;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::Error;
use crate::listen::Listener;
use crate::settings::DatabaseSettings;
use crate::{migrate, pool, tls};

/// The database. Cheap to clone; connects when somebody asks.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    listening: Config,
    tls: MakeRustlsConnect,
    attempts_max: u32,
    patience: Duration,
    slow: Option<Duration>,
    trace: Option<TraceSource>,
}

/// Tells the W3C `traceparent` of what is going on.
pub(crate) type TraceSource = fn() -> Option<String>;

impl Store {
    /// Prepares a pool; connecting happens at first use. PostgreSQL shows the connections as `youtility-<name>`.
    ///
    /// # Errors
    /// When certificate authorities cannot be read.
    pub fn new(settings: &DatabaseSettings, name: &str) -> Result<Self, Error> {
        let application_name = format!("youtility-{name}");
        Ok(Self {
            pool: pool::open(settings, &application_name)?,
            listening: settings.connection(&format!("{application_name}-listen")),
            tls: tls::connector(settings)?,
            attempts_max: settings.transaction_attempts_max,
            patience: settings.patience(),
            slow: settings.slow_statement(),
            trace: None,
        })
    }

    /// Lets every task that is enqueued continue the trace of what enqueues it.
    #[must_use]
    pub fn trace_with(mut self, source: fn() -> Option<String>) -> Self {
        self.trace = Some(source);
        self
    }

    /// Tells whether the database can be worked with: reached, taking writes, schema new enough.
    ///
    /// # Errors
    /// [`Error::Pool`], [`Error::Lost`] or [`Error::SchemaBehind`].
    pub async fn check(&self) -> Result<(), Error> {
        let found = self.run_system("check_schema", |tx| async move { migrate::version(&tx).await }).await?;
        let needed = migrate::compiled_version();
        if found < needed { Err(Error::SchemaBehind { found, needed }) } else { Ok(()) }
    }

    /// Answers readiness: [`Store::check`] as a probe that owns what it asks, with words for operators.
    pub fn probe(
        &self,
    ) -> impl Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync + 'static {
        let store = self.clone();
        move || {
            let store = store.clone();
            Box::pin(async move { store.check().await.map_err(|error| error.to_string()) })
        }
    }

    /// Listens to channels on a connection of its own that comes back by itself.
    pub fn listen(&self, channels: &[&str]) -> Listener {
        Listener::new(self.listening.clone(), self.tls.clone(), channels)
    }

    /// What another listener connects with: the queue engine has its own.
    pub fn listening(&self) -> (Config, MakeRustlsConnect) {
        (self.listening.clone(), self.tls.clone())
    }

    /// The pool, for the queue engine.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    pub(crate) fn slow(&self) -> Option<Duration> {
        self.slow
    }

    pub(crate) fn trace(&self) -> Option<TraceSource> {
        self.trace
    }

    pub(crate) fn attempts_max(&self) -> u32 {
        self.attempts_max
    }
}
