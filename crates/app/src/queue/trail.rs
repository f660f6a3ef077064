//! The audit trail of what is done to tasks by hand.

use domain::{Actor, ClientId, TaskId};
use queue::TaskDetail;
use serde_json::{Value, json};
use store::Tx;
use store::audit::AuditEntry;

use crate::Error;

/// What was done to which task.
pub(super) struct Deed<'a> {
    pub(super) action: &'static str,
    pub(super) task: &'a TaskDetail,
}

impl Deed<'_> {
    /// The task is gone from the history long before the trail is, so the line says what it was.
    fn detail(&self) -> Value {
        json!({ "kind": self.task.kind, "queue": self.task.queue, "tenant": self.task.tenant })
    }

    fn entry(&self, detail: Value) -> AuditEntry {
        AuditEntry { action: self.action, subject_kind: "task", subject_id: Some(self.task.id), detail }
    }

    /// Notes in the trail of the operator's client what an operator did, and in that of the client the task works for.
    pub(super) async fn note_of_operator(&self, tx: &Tx, actor: &Actor) -> Result<(), Error> {
        tx.audit(&self.entry(self.detail())).await?;
        let tenant = self.task.tenant.map(ClientId::from_uuid).filter(|tenant| *tenant != actor.client_id);
        if let Some(tenant) = tenant {
            let told = tx.audit_for_operator(tenant, self.action, self.task).await?;
            if !told {
                tracing::warn!(%tenant, task.id = %self.task.id, "the task's client is none; its trail has no line");
            }
        }
        Ok(())
    }

    /// Notes in the trail of the transaction's client what somebody did at a terminal.
    pub(super) async fn note_of_terminal(&self, tx: &Tx, who: &str) -> Result<(), Error> {
        let mut detail = self.detail();
        if let Some(fields) = detail.as_object_mut() {
            fields.insert("actor".to_owned(), who.into());
        }
        tx.audit_if_client(&self.entry(detail)).await?;
        Ok(())
    }
}

/// Everything about a task that somebody is about to act upon.
pub(super) async fn known(tx: &Tx, id: TaskId) -> Result<TaskDetail, Error> {
    tx.task(id).await?.ok_or(Error::TaskNotFound(id))
}

/// Whether somebody has asked before for a running task to be stopped.
pub(super) fn is_being_cancelled(task: &TaskDetail) -> bool {
    task.live.as_ref().is_some_and(|live| live.cancelled_at.is_some())
}
