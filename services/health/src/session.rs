//! One connection to PostgreSQL that can be walked away from.

use service::{Tasks, tls};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, Config, NoTls, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::settings::{DatabaseSettings, ProbeSettings, Tls};

/// How to connect.
#[derive(Clone)]
pub(crate) struct Connector {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    tasks: Tasks,
}

/// A connection. Dropped in the middle of a question it is closed, whatever the server does.
pub(crate) struct Session {
    client: Client,
    _closes_when_dropped: DropGuard,
}

impl Session {
    /// What statements are sent with.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }
}

impl Connector {
    /// Reads the settings; connects to nothing.
    pub(crate) fn new(
        settings: &DatabaseSettings,
        pace: ProbeSettings,
        tasks: &Tasks,
    ) -> anyhow::Result<Self> {
        let mut config = Config::new();
        for host in settings.host.split(',').map(str::trim).filter(|host| !host.is_empty()) {
            config.host(host);
        }
        config
            .port(settings.port)
            .dbname(&settings.name)
            .user(&settings.user)
            .password(settings.password.expose())
            .application_name("youtility-health")
            .connect_timeout(pace.time_limit())
            .target_session_attrs(tokio_postgres::config::TargetSessionAttrs::ReadWrite)
            .options(format!("-c statement_timeout={}", pace.time_limit_ms));
        let tls = match settings.tls {
            Tls::Disable | Tls::Prefer => {
                config.ssl_mode(tokio_postgres::config::SslMode::Disable);
                None
            }
            Tls::VerifyCa => Some(tls::client_overlooking_names(&settings.ca_file)?),
            Tls::Require | Tls::VerifyFull => Some(tls::client(&settings.ca_file)?),
        };
        let tls = tls.map(|client| {
            config.ssl_mode(tokio_postgres::config::SslMode::Require);
            MakeRustlsConnect::new(client)
        });
        Ok(Self { config, tls, tasks: tasks.clone() })
    }

    /// Connects. The caller limits how long that may take.
    pub(crate) async fn connect(&self) -> Result<Session, tokio_postgres::Error> {
        match &self.tls {
            Some(tls) => self.connect_with(tls.clone()).await,
            None => self.connect_with(NoTls).await,
        }
    }

    async fn connect_with<T>(&self, tls: T) -> Result<Session, tokio_postgres::Error>
    where
        T: MakeTlsConnect<Socket>,
        T::TlsConnect: Send,
        T::Stream: Send + 'static,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let (client, connection) = self.config.connect(tls).await?;
        let closed = CancellationToken::new();
        let guard = closed.clone().drop_guard();
        self.tasks.spawn("probe_connection", async move {
            // How the connection ends shows at the next question; nothing can be done about it here.
            match closed.run_until_cancelled(connection).await {
                None | Some(Ok(())) => {}
                Some(Err(error)) => {
                    tracing::debug!(error.chain = domain::fault::chain(&error), "a probe's connection ended");
                }
            }
        });
        Ok(Session { client, _closes_when_dropped: guard })
    }
}
