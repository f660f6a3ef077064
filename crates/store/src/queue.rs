//! The task queue as operators see and steer it. Its statements are its own; here they run inside our transactions.

use domain::{AuditEventId, ClientId, TaskId};
use queue::{
    Action, Cancel, Cursor, DeadLetter, DeadLetterFilter, FinishedTask, HistoryFilter, KindEntry, LiveTask,
    Page, ScheduleEntry, Stats, TaskDetail, TaskFilter, WorkerEntry,
};

use uuid::Uuid;

use crate::{Error, Tx, queries, row};

/// A tenant that tasks work for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskClient {
    /// Its id.
    pub client_id: ClientId,
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: String,
}

row! { TaskClient { client_id, code, name } }

queries! {
    /// Code and name of clients, when the person of the transaction is an operator.
    CLIENTS: (Vec<ClientId>,) => TaskClient = "
        select client_id, code, name
          from clients_for_operator($1)";
    /// Adds a line about an operator of another client.
    AUDIT: (ClientId, AuditEventId, String, Uuid, String, String) => bool = "
        select audit_for_operator($1, $2, $3, $4, $5, $6)";
}

impl Tx {
    /// Names clients for an operator; for anybody else there are none.
    pub async fn clients_for_operator(&self, clients: Vec<ClientId>) -> Result<Vec<TaskClient>, Error> {
        self.all(&CLIENTS, (clients,)).await
    }

    /// Notes in the trail of the client a task works for what the transaction's person, an operator of another, did to
    /// it; false when that client is none.
    pub async fn audit_for_operator(
        &self,
        tenant: ClientId,
        action: &str,
        task: &TaskDetail,
    ) -> Result<bool, Error> {
        let columns = (tenant, AuditEventId::generate(), action, task.id, &task.kind, &task.queue);
        self.one(&AUDIT, columns).await
    }

    /// Measures all queues.
    pub async fn queue_stats(&self) -> Result<Stats, Error> {
        self.ask_queue("queue::stats", queue::stats).await
    }

    /// Reads all workers.
    pub async fn task_workers(&self) -> Result<Vec<WorkerEntry>, Error> {
        self.ask_queue("queue::workers", queue::workers).await
    }

    /// Reads all kinds of tasks.
    pub async fn task_kinds(&self) -> Result<Vec<KindEntry>, Error> {
        self.ask_queue("queue::kinds", queue::kinds).await
    }

    /// Reads all schedules.
    pub async fn task_schedules(&self) -> Result<Vec<ScheduleEntry>, Error> {
        self.ask_queue("queue::schedules", queue::schedules).await
    }

    /// Reads a page of live tasks.
    pub async fn live_tasks(
        &self,
        filter: &TaskFilter,
        after: Option<Cursor>,
        limit: i64,
    ) -> Result<Page<LiveTask>, Error> {
        self.ask_queue("queue::tasks", |client| queue::tasks(client, filter, after, limit)).await
    }

    /// Reads a page of finished tasks, the latest first.
    pub async fn finished_tasks(
        &self,
        filter: &HistoryFilter,
        after: Option<Cursor>,
        limit: i64,
    ) -> Result<Page<FinishedTask>, Error> {
        self.ask_queue("queue::history", |client| queue::history(client, filter, after, limit)).await
    }

    /// Reads a page of tasks that were given up, the latest first.
    pub async fn dead_letters(
        &self,
        filter: &DeadLetterFilter,
        after: Option<Cursor>,
        limit: i64,
    ) -> Result<Page<DeadLetter>, Error> {
        self.ask_queue("queue::dead_letters", |client| queue::dead_letters(client, filter, after, limit))
            .await
    }

    /// Reads a page of what was done by hand, the latest first.
    pub async fn task_actions(&self, after: Option<Cursor>, limit: i64) -> Result<Page<Action>, Error> {
        self.ask_queue("queue::actions", |client| queue::actions(client, after, limit)).await
    }

    /// Reads everything about one task.
    pub async fn task(&self, id: TaskId) -> Result<Option<TaskDetail>, Error> {
        self.ask_queue("queue::task", |client| queue::task(client, *id.as_uuid())).await
    }

    /// Stops claims from a queue; false when it was paused.
    pub async fn pause_queue(&self, queue: &str, who: &str) -> Result<bool, Error> {
        self.ask_queue("queue::pause", |client| queue::pause(client, queue, who)).await
    }

    /// Lets a queue go on; false when it was not paused.
    pub async fn resume_queue(&self, queue: &str, who: &str) -> Result<bool, Error> {
        self.ask_queue("queue::resume", |client| queue::resume(client, queue, who)).await
    }

    /// Cancels a task.
    pub async fn cancel_task(&self, id: TaskId, who: &str) -> Result<Cancel, Error> {
        self.ask_queue("queue::cancel", |client| queue::cancel(client, *id.as_uuid(), who)).await
    }

    /// Makes a delayed task ready; false when there is none.
    pub async fn run_task_now(&self, id: TaskId, who: &str) -> Result<bool, Error> {
        self.ask_queue("queue::retry_now", |client| queue::retry_now(client, *id.as_uuid(), who)).await
    }

    /// Puts a dead letter back into its queue; false when there is none.
    pub async fn retry_dead_letter(&self, id: TaskId, who: &str) -> Result<bool, Error> {
        self.ask_queue("queue::retry_dead_letter", |client| {
            queue::retry_dead_letter(client, *id.as_uuid(), who)
        })
        .await
    }

    /// Drops a dead letter; false when there is none.
    pub async fn discard_dead_letter(&self, id: TaskId, who: &str) -> Result<bool, Error> {
        self.ask_queue("queue::discard_dead_letter", |client| {
            queue::discard_dead_letter(client, *id.as_uuid(), who)
        })
        .await
    }

    /// Leaves out the ticks of a schedule; false when it was paused.
    pub async fn pause_schedule(&self, name: &str, who: &str) -> Result<bool, Error> {
        self.ask_queue("queue::pause_schedule", |client| queue::pause_schedule(client, name, who)).await
    }

    /// Lets a schedule tick again; false when it was not paused.
    pub async fn resume_schedule(&self, name: &str, who: &str) -> Result<bool, Error> {
        self.ask_queue("queue::resume_schedule", |client| queue::resume_schedule(client, name, who)).await
    }

    /// Enqueues what a schedule enqueues, beside its ticks.
    pub async fn tick_schedule(&self, name: &str, who: &str) -> Result<TaskId, Error> {
        let id =
            self.ask_queue("queue::tick_schedule", |client| queue::tick_schedule(client, name, who)).await?;
        Ok(TaskId::from_uuid(id))
    }
}
