//! Questions to PostgreSQL itself: does it answer, and are the functions there that operators and the worker call.

use std::io;
use std::time::Instant;

use serde_json::{Map, Value};
use tokio_postgres::Row;

use crate::finding::Finding;
use crate::session::{Connector, Session};

/// Whether writes are accepted, and by which version.
const STATE: &str = "select current_setting('server_version') as version, pg_is_in_recovery() as standby";

/// Which of the named functions exist.
const FUNCTIONS: &str = "
    select name, exists (select from pg_catalog.pg_proc
                          where proname = name and pronamespace = 'public'::regnamespace) as present
      from unnest($1::text[]) as name";

/// What says which limit of sign-in is full, for operators, and what removes ended sessions, for the worker.
const WANTED: &[&str] = &["check_rate_limit", "cleanup_expired_sessions"];

/// Connects once, keeps the connection while it works, and asks whether PostgreSQL answers.
pub(crate) struct DatabaseProbe {
    asked: Kept,
}

/// Asks whether the functions exist.
pub(crate) struct FunctionsProbe {
    asked: Kept,
}

/// A connection kept from question to question. It is taken out for the time of a question, so that a question cut off
/// by the time limit takes its connection with it.
pub(crate) struct Kept {
    connector: Connector,
    session: Option<Session>,
}

impl Kept {
    /// Keeps nothing yet.
    pub(crate) fn new(connector: Connector) -> Self {
        Self { connector, session: None }
    }

    /// The connection of the last question, or a new one.
    pub(crate) async fn take(&mut self) -> Result<Session, tokio_postgres::Error> {
        match self.session.take().filter(|session| !session.client().is_closed()) {
            Some(session) => Ok(session),
            None => self.connector.connect().await,
        }
    }

    /// Keeps a connection that answered.
    pub(crate) fn put_back(&mut self, session: Session) {
        self.session = Some(session);
    }
}

impl DatabaseProbe {
    /// Connects at the first question.
    pub(crate) fn new(connector: Connector) -> Self {
        Self { asked: Kept::new(connector) }
    }

    /// Asks.
    pub(crate) async fn ask(&mut self) -> Finding {
        match self.query().await {
            Ok(finding) => finding,
            Err(error) => refused(&error).detail("connection_status", "failed"),
        }
    }

    async fn query(&mut self) -> Result<Finding, tokio_postgres::Error> {
        let session = self.asked.take().await?;
        let started = Instant::now();
        let row = session.client().query_one(STATE, &[]).await?;
        let query_time_ms = started.elapsed().as_secs_f64() * 1_000.0;
        self.asked.put_back(session);
        Ok(state(&row)?
            .detail("connection_status", "connected")
            .detail("query_time_ms", (query_time_ms * 1_000.0).round() / 1_000.0))
    }
}

fn state(row: &Row) -> Result<Finding, tokio_postgres::Error> {
    let version: String = row.try_get("version")?;
    let finding = if row.try_get("standby")? {
        Finding::unhealthy("accepts no writes")
    } else {
        Finding::healthy("answers")
    };
    Ok(finding.internal("database_version", version))
}

impl FunctionsProbe {
    /// Connects at the first question.
    pub(crate) fn new(connector: Connector) -> Self {
        Self { asked: Kept::new(connector) }
    }

    /// Asks.
    pub(crate) async fn ask(&mut self) -> Finding {
        match self.query().await {
            Ok(finding) => finding,
            Err(error) => refused(&error),
        }
    }

    async fn query(&mut self) -> Result<Finding, tokio_postgres::Error> {
        let session = self.asked.take().await?;
        let mut functions = Map::new();
        for row in session.client().query(FUNCTIONS, &[&WANTED]).await? {
            functions.insert(row.try_get("name")?, Value::Bool(row.try_get("present")?));
        }
        self.asked.put_back(session);
        let missing: Vec<&str> = functions
            .iter()
            .filter(|(_, present)| **present == Value::Bool(false))
            .map(|(name, _)| name.as_str())
            .collect();
        let finding = if missing.is_empty() {
            Finding::healthy("all functions exist")
        } else {
            Finding::unhealthy(format!("missing: {}", missing.join(", ")))
        };
        Ok(finding.detail("functions", functions))
    }
}

/// A failed question in our words: the driver's would name addresses and roles.
pub(crate) fn refused(error: &tokio_postgres::Error) -> Finding {
    if let Some(code) = error.code() {
        return Finding::unhealthy(format!("refused the question: SQLSTATE {}", code.code()));
    }
    let io = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    match io.map(io::Error::kind) {
        // What the driver says of a server that is reached and takes no writes.
        Some(io::ErrorKind::PermissionDenied) => Finding::unhealthy("accepts no writes"),
        Some(kind) => Finding::unhealthy(format!("cannot be reached: {kind}")),
        None if error.is_closed() => Finding::unhealthy("closed the connection"),
        None => Finding::unhealthy("gives no readable answer"),
    }
}
