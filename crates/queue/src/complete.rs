//! Ending a task in its handler's own transaction, so that effect and completion are one.

use serde::Serialize;
use serde_json::Value;
use tokio_postgres::GenericClient;
use tokio_postgres::types::Type;

use crate::result::kept;
use crate::worker::millis;
use crate::{Error, Failure, Job};

// The row is the proof of the lease: it goes only while this attempt holds it, and the second of two that try waits for
// the first. Followers are told in the same transaction, and other workers when a place of a limited queue is free.
const COMPLETE: &str = "-- queue::complete
with gone as (
    delete from task
     where id = $1 and worker_id = $2 and attempt = $3
    returning *
), remembered as (
    insert into task_history (id, worker_id, tenant, correlation, created_at, run_at, started_at, finished_at, attempts,
                              queue, kind, outcome, last_outcome, args, result, result_until, parents, priority,
                              created_by)
    select id, worker_id, tenant, correlation, created_at, run_at, $4, clock_timestamp(), attempt,
           queue, kind, 'SUCCEEDED', 'SUCCEEDED', args, $5::jsonb, clock_timestamp() + $6::int8 * interval '1 millisecond',
           parents, priority, created_by
      from gone
     where $7::bool
)
select case when followed then task_follow(array[id], true)::text end as followed,
       case when counted then pg_notify('queue_ready', queue)::text end as freed
  from gone";

impl Job {
    /// Ends the task as succeeded within a transaction of the handler: what it wrote and the end of the task commit
    /// together, or neither does. So the effect takes place exactly once.
    ///
    /// Call it last, then commit and answer `Ok`: until then the task's row is locked. When the transaction is rolled back
    /// the task is not ended: answer the error, and it is tried again. Under `repeatable read` a renewal of the lease since
    /// the beginning of the transaction is a serialization failure, as any change of a row is.
    ///
    /// # Errors
    /// A [`Failure`] to be passed on: the lease was lost and the task is another's, or PostgreSQL failed. Nothing may be
    /// committed then.
    pub async fn complete_in<C>(&self, transaction: &C) -> Result<(), Failure>
    where
        C: GenericClient + Sync,
    {
        self.complete(transaction, None).await
    }

    /// Ends the task like [`Job::complete_in`] and keeps a result, as long as the kind keeps results. What the handler
    /// answers afterwards is dropped.
    ///
    /// # Errors
    /// As [`Job::complete_in`], and when the result cannot be kept.
    pub async fn complete_with<C>(
        &self,
        transaction: &C,
        result: &(impl Serialize + Sync),
    ) -> Result<(), Failure>
    where
        C: GenericClient + Sync,
    {
        self.complete(transaction, kept(result)?).await
    }

    async fn complete<C>(&self, transaction: &C, result: Option<Value>) -> Result<(), Failure>
    where
        C: GenericClient + Sync,
    {
        let result = result.filter(|_| self.engine.result_kept.is_some());
        let result_ms = result.as_ref().and(self.engine.result_kept).map(millis);
        let gone = transaction
            .query_typed(
                COMPLETE,
                &[
                    (&self.id, Type::UUID),
                    (&self.engine.worker_id, Type::UUID),
                    (&self.attempt, Type::INT4),
                    (&self.engine.started_at, Type::TIMESTAMPTZ),
                    (&result, Type::JSONB),
                    (&result_ms, Type::INT8),
                    (&self.engine.history, Type::BOOL),
                ],
            )
            .await
            .map_err(|error| Failure::retry(Error::from(error)))?;
        if gone.is_empty() {
            return Err(Failure::retry(Error::LeaseLost));
        }
        self.settled.set();
        Ok(())
    }
}
