//! Asking the database for a sign of life.

use jiff::Timestamp;

use crate::{Error, Tx, queries};

queries! {
    /// The time by the database's clock.
    NOW: () => Timestamp = "
        select clock_timestamp()";
}

impl Tx {
    /// Reads the database's clock.
    pub async fn clock(&self) -> Result<Timestamp, Error> {
        self.one(&NOW, ()).await
    }
}
