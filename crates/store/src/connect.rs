//! One connection outside the pool, for migrations and set-up.

use tokio_postgres::{Client, Config, Connection, Socket};

use crate::error::Error;
use crate::settings::DatabaseSettings;
use crate::tls;

/// A connection driven by whoever uses it: no task is left behind.
pub(crate) struct Link {
    client: Client,
    driver: std::pin::Pin<Box<dyn Future<Output = Result<(), tokio_postgres::Error>> + Send>>,
}

/// Connects once.
pub(crate) async fn open(settings: &DatabaseSettings, config: Config) -> Result<Link, Error> {
    let connecting = config.connect(tls::connector(settings)?);
    let (client, connection) = connecting.await.map_err(|source| Error::from_driver("connect", source))?;
    Ok(Link { client, driver: driver_of(connection) })
}

impl Link {
    /// Runs work while driving the connection.
    pub(crate) async fn run<T>(
        mut self,
        work: impl AsyncFnOnce(&mut Client) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let work = work(&mut self.client);
        tokio::pin!(work);
        tokio::select! {
            biased;
            outcome = &mut work => outcome,
            ended = self.driver => {
                // The connection is gone: the work learns it from its next statement.
                if let Err(error) = ended {
                    tracing::debug!(%error, "connection ended");
                }
                work.await
            }
        }
    }
}

fn driver_of<S>(
    connection: Connection<Socket, S>,
) -> std::pin::Pin<Box<dyn Future<Output = Result<(), tokio_postgres::Error>> + Send>>
where
    S: tokio_postgres::tls::TlsStream + Unpin + Send + 'static,
{
    Box::pin(connection)
}
