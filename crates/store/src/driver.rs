//! What the driver said, without the rows PostgreSQL quotes.

use std::fmt;

/// An error of the driver: severity, SQLSTATE, message and constraint.
///
/// PostgreSQL's DETAIL quotes rows ("Failing row contains …") and HINT may; both stay out of `Display`, `Debug` and the
/// chain of sources, because logs are read by more people than tables.
pub struct DriverError(tokio_postgres::Error);

impl DriverError {
    /// The error as the driver gave it. Print this one instead.
    pub(crate) fn inner(&self) -> &tokio_postgres::Error {
        &self.0
    }
}

impl From<tokio_postgres::Error> for DriverError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self(error)
    }
}

impl fmt::Display for DriverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(said) = self.0.as_db_error() else { return self.0.fmt(f) };
        write!(f, "{} {}: {}", said.severity(), said.code().code(), said.message())?;
        match said.constraint() {
            Some(constraint) => write!(f, " (constraint {constraint})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for DriverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DriverError({self})")
    }
}

impl std::error::Error for DriverError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        if self.0.as_db_error().is_some() { None } else { std::error::Error::source(&self.0) }
    }
}
