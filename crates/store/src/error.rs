//! What can go wrong between a use case and PostgreSQL.

use std::borrow::Cow;
use std::time::Duration;

use deadpool_postgres::PoolError;
use domain::{Fault, FaultKind, FieldError};
use tokio_postgres::error::SqlState;

use crate::constraints::{self, Rule};
use crate::driver::DriverError;

/// Seconds a caller is asked to wait when the database is away or busy.
const RETRY_AFTER_SECONDS: u64 = 2;

/// An error of the store. Its `Display` is for operators; a client reads [`Fault::public`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection could be had.
    #[error("no connection to the database")]
    Pool(#[source] PoolError),
    /// The connection broke, or leads to a server that does not take writes.
    #[error("the database connection was lost during {during}")]
    Lost {
        /// The statement or step.
        during: &'static str,
        /// What the driver said.
        source: DriverError,
    },
    /// PostgreSQL does not answer; the connection was given up.
    #[error("the database did not answer {during}")]
    Unanswered {
        /// The statement or step.
        during: &'static str,
    },
    /// A limit on time was reached, or every attempt lost a race.
    #[error("{during} did not get through in time")]
    Busy {
        /// The statement or step.
        during: &'static str,
        /// What the driver said.
        source: DriverError,
    },
    /// No row where one was expected: somebody else changed or removed it first.
    #[error("{statement} met no row")]
    Stale {
        /// The statement.
        statement: &'static str,
    },
    /// A constraint that a client can break refused the change.
    #[error("{statement} broke {}", rule.constraint)]
    Refused {
        /// The statement.
        statement: &'static str,
        /// What the constraint means.
        rule: &'static Rule,
        /// The field to correct, when the constraint speaks of one.
        fields: Vec<FieldError>,
        /// What the driver said.
        source: DriverError,
    },
    /// A statement failed for a reason that is our mistake.
    #[error("{during} failed")]
    Failed {
        /// The statement or step.
        during: &'static str,
        /// What the driver said.
        source: DriverError,
    },
    /// A use case returned `Ok` although one of its statements had failed, so that nothing can be committed.
    #[error("{transaction} went on after a failed statement")]
    WentOn {
        /// The transaction.
        transaction: &'static str,
    },
    /// Tasks could not be enqueued.
    #[error("tasks could not be enqueued")]
    Enqueue(#[source] queue::Error),
    /// The queue refused what an operator asked for.
    #[error("the task queue refused")]
    Queue(#[source] queue::Error),
    /// The schema is older than this process needs.
    #[error("the schema is at version {found}, this process needs {needed}")]
    SchemaBehind {
        /// The version in the database.
        found: i32,
        /// The version this process was compiled with.
        needed: i32,
    },
    /// A migration failed; those before it stand.
    #[error("migrating failed")]
    Migration(#[source] Box<refinery::Error>),
    /// Another process kept migrating.
    #[error("another process has been migrating for {waited:?}")]
    MigrationBusy {
        /// How long we waited.
        waited: Duration,
    },
    /// The file of trusted authorities cannot be read.
    #[error("the certificate authorities in {path} cannot be read")]
    CaFile {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: rustls_pki_types::pem::Error,
    },
    /// The file of trusted authorities holds none.
    #[error("the certificate authorities in {path} cannot be used")]
    Authorities {
        /// The file.
        path: String,
        /// What is wrong with them.
        source: rustls::client::VerifierBuilderError,
    },
    /// TLS cannot be set up.
    #[error("TLS to the database cannot be set up")]
    Tls(#[source] rustls::Error),
    /// The pool cannot be set up.
    #[error("the connection pool cannot be set up")]
    PoolSetup(#[source] deadpool_postgres::BuildError),
}

impl Error {
    /// The SQLSTATE PostgreSQL gave, when it was PostgreSQL that refused.
    pub fn sqlstate(&self) -> Option<&str> {
        self.driver().and_then(tokio_postgres::Error::code).map(SqlState::code)
    }

    /// The constraint that was broken.
    pub fn constraint(&self) -> Option<&str> {
        self.driver()?.as_db_error()?.constraint()
    }

    /// Whether the values themselves were refused (classes 22 and 23), so that others may pass.
    pub fn is_about_values(&self) -> bool {
        self.sqlstate().is_some_and(|state| state.starts_with("22") || state.starts_with("23"))
    }

    fn driver(&self) -> Option<&tokio_postgres::Error> {
        match self {
            Self::Lost { source, .. }
            | Self::Busy { source, .. }
            | Self::Refused { source, .. }
            | Self::Failed { source, .. } => Some(source.inner()),
            Self::Enqueue(queue::Error::Postgres(source)) | Self::Pool(PoolError::Backend(source)) => {
                Some(source)
            }
            Self::Pool(_)
            | Self::Unanswered { .. }
            | Self::Stale { .. }
            | Self::WentOn { .. }
            | Self::Enqueue(_)
            | Self::Queue(_)
            | Self::SchemaBehind { .. }
            | Self::Migration(_)
            | Self::MigrationBusy { .. }
            | Self::CaFile { .. }
            | Self::Authorities { .. }
            | Self::Tls(_)
            | Self::PoolSetup(_) => None,
        }
    }

    /// Names what the driver's error means for the caller.
    pub(crate) fn from_driver(during: &'static str, error: tokio_postgres::Error) -> Self {
        let (trouble, rule) = (Trouble::of(&error), constraints::broken_by(&error));
        let source = DriverError::from(error);
        match (trouble, rule) {
            (Trouble::Lost | Trouble::InDoubt | Trouble::Unanswered, _) => Self::Lost { during, source },
            (Trouble::Race | Trouble::Slow, _) => Self::Busy { during, source },
            (Trouble::Other, Some(rule)) => {
                Self::Refused { statement: during, rule, fields: rule.fields(), source }
            }
            (Trouble::OldPlan, _) | (Trouble::Other, None) => Self::Failed { during, source },
        }
    }
}

impl Fault for Error {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Pool(_)
            | Self::Lost { .. }
            | Self::Unanswered { .. }
            | Self::Busy { .. }
            | Self::SchemaBehind { .. } => FaultKind::Unavailable,
            Self::Stale { .. } => FaultKind::Stale,
            Self::Refused { rule, .. } => rule.kind(),
            Self::Enqueue(_)
            | Self::Queue(_)
            | Self::Failed { .. }
            | Self::WentOn { .. }
            | Self::Migration(_)
            | Self::MigrationBusy { .. }
            | Self::CaFile { .. }
            | Self::Authorities { .. }
            | Self::Tls(_)
            | Self::PoolSetup(_) => FaultKind::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Pool(_) | Self::Lost { .. } | Self::Unanswered { .. } => "database-unavailable",
            Self::Busy { .. } => "database-busy",
            Self::SchemaBehind { .. } => "schema-behind",
            Self::Stale { .. } => "stale-version",
            Self::Refused { rule, .. } => rule.code(),
            Self::Enqueue(_)
            | Self::Queue(_)
            | Self::Failed { .. }
            | Self::WentOn { .. }
            | Self::Migration(_)
            | Self::MigrationBusy { .. }
            | Self::CaFile { .. }
            | Self::Authorities { .. }
            | Self::Tls(_)
            | Self::PoolSetup(_) => "database-error",
        }
    }

    fn public(&self) -> Cow<'static, str> {
        match (self, self.kind()) {
            (Self::Refused { rule, .. }, _) => rule.detail.into(),
            (_, FaultKind::Unavailable) => {
                "The data cannot be reached at the moment. Try again shortly.".into()
            }
            (_, FaultKind::Stale) => "Somebody else changed this first. Read it again, then repeat.".into(),
            _ => domain::fault::OURS.into(),
        }
    }

    fn fields(&self) -> &[FieldError] {
        if let Self::Refused { fields, .. } = self { fields } else { &[] }
    }

    fn retry_after_seconds(&self) -> Option<u64> {
        (self.kind() == FaultKind::Unavailable).then_some(RETRY_AFTER_SECONDS)
    }
}

/// What a failed statement means for its transaction and its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Lost a race; the same transaction may succeed on its next attempt.
    Race,
    /// A cached statement is older than the schema; prepared anew it may succeed.
    OldPlan,
    /// The connection is of no use; nothing was committed.
    Lost,
    /// The connection broke while committing; nobody knows the outcome.
    InDoubt,
    /// No connection, or no answer on it in time.
    Unanswered,
    /// A time-out of the server.
    Slow,
    /// Anything else: trying again changes nothing.
    Other,
}

impl Trouble {
    pub(crate) fn of(error: &tokio_postgres::Error) -> Self {
        let Some(state) = error.code() else {
            return if error.is_closed() || is_io(error) { Self::Lost } else { Self::Other };
        };
        if [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED].contains(state) {
            Self::Race
        } else if [SqlState::QUERY_CANCELED, SqlState::LOCK_NOT_AVAILABLE].contains(state) {
            Self::Slow
        } else if leads_nowhere(state) {
            Self::Lost
        } else if *state == SqlState::FEATURE_NOT_SUPPORTED && says_old_plan(error) {
            Self::OldPlan
        } else {
            Self::Other
        }
    }

    /// Whether another attempt of the whole transaction may succeed and is safe.
    pub(crate) fn is_worth_repeating(self) -> bool {
        match self {
            Self::Race | Self::OldPlan | Self::Lost => true,
            Self::InDoubt | Self::Unanswered | Self::Slow | Self::Other => false,
        }
    }

    /// Whether the connection may serve somebody else.
    pub(crate) fn leaves_connection_usable(self) -> bool {
        match self {
            Self::Race | Self::OldPlan | Self::Slow | Self::Other => true,
            Self::Lost | Self::InDoubt | Self::Unanswered => false,
        }
    }
}

/// A connection failure (class 08), a server that shuts down, starts or dropped the session (57P), one turned
/// read-only, one without a free connection.
fn leads_nowhere(state: &SqlState) -> bool {
    let class = ["08", "57P"].iter().any(|class| state.code().starts_with(class));
    class
        || [
            SqlState::READ_ONLY_SQL_TRANSACTION,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
            SqlState::TOO_MANY_CONNECTIONS,
        ]
        .contains(state)
}

fn says_old_plan(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|error| error.message().starts_with("cached plan"))
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
}
