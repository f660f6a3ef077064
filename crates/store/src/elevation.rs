//! Looking into another client for a while.

use domain::text::Code;
use domain::{AuditEventId, ClientId, ElevationId, SessionId};

use crate::{Error, Tx, queries};

queries! {
    /// Lets the transaction's person look into a client; no row when they may not or there is none. Both trails get a line.
    BEGIN: (ElevationId, SessionId, Code, String, i32, AuditEventId, AuditEventId) => ClientId = "
        select target
          from begin_elevation($1, $2, $3, $4, $5, $6, $7) as target
         where target is not null";
    /// Ends the look of a session of the transaction's person; answers whether there was one.
    END: (SessionId, AuditEventId, AuditEventId) => bool = "
        select end_elevation($1, $2, $3)";
}

/// A look into another client to be begun.
#[derive(Clone, Debug)]
pub struct NewElevation {
    /// Its id.
    pub id: ElevationId,
    /// The session it belongs to.
    pub session_id: SessionId,
    /// The code of the client to look into.
    pub client_code: Code,
    /// Why.
    pub reason: String,
    /// For how long.
    pub minutes: i32,
}

impl Tx {
    /// Lets the transaction's person look into another client; `None` when they may not, or there is none such.
    pub async fn begin_elevation(&self, new: &NewElevation) -> Result<Option<ClientId>, Error> {
        let lines = (AuditEventId::generate(), AuditEventId::generate());
        let columns = (new.id, new.session_id, &new.client_code, &new.reason, new.minutes, lines.0, lines.1);
        self.opt(&BEGIN, columns).await
    }

    /// Ends the look of a session of the transaction's person into another client; answers whether there was one.
    pub async fn end_elevation(&self, session: SessionId) -> Result<bool, Error> {
        self.one(&END, (session, AuditEventId::generate(), AuditEventId::generate())).await
    }
}
