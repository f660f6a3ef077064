//! The audit trail: who did what to which thing.

use domain::AuditEventId;
use uuid::Uuid;

use crate::{Error, Tx, queries};

queries! {
    /// Adds an entry; client, person and correlation are those of the transaction.
    INSERT: (AuditEventId, String, String, Option<Uuid>, serde_json::Value) => () = "
        insert into audit_event (id, person_id, action, subject_kind, subject_id, correlation_id, detail)
        values ($1, nullif(current_setting('app.person_id', true), '')::uuid, $2, $3, $4,
                current_setting('app.correlation_id')::uuid, $5)";
    /// Adds an entry of a process, if the transaction's client is one.
    INSERT_IF_CLIENT: (AuditEventId, String, String, Option<Uuid>, serde_json::Value) => () = "
        insert into audit_event (id, action, subject_kind, subject_id, correlation_id, detail)
        select $1, $2, $3, $4, current_setting('app.correlation_id')::uuid, $5
          from client
         where client_id = current_client_id()";
}

/// One entry of the audit trail.
#[derive(Clone, Debug)]
pub struct AuditEntry {
    /// What was done, such as `session_opened`.
    pub action: &'static str,
    /// The kind of thing it was done to, such as `session`.
    pub subject_kind: &'static str,
    /// The thing.
    pub subject_id: Option<Uuid>,
    /// What else a reader needs; never secrets.
    pub detail: serde_json::Value,
}

impl Tx {
    /// Adds an entry to the audit trail.
    pub async fn audit(&self, entry: &AuditEntry) -> Result<(), Error> {
        let columns =
            (AuditEventId::generate(), entry.action, entry.subject_kind, entry.subject_id, &entry.detail);
        self.execute_one(&INSERT, columns).await
    }

    /// Adds an entry that names no person; tasks may carry a tenant that is no client, and then there is no trail.
    pub async fn audit_if_client(&self, entry: &AuditEntry) -> Result<bool, Error> {
        let columns =
            (AuditEventId::generate(), entry.action, entry.subject_kind, entry.subject_id, &entry.detail);
        Ok(self.execute(&INSERT_IF_CLIENT, columns).await? > 0)
    }
}
