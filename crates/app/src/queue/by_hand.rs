//! What somebody at a terminal does to single tasks, with the rights of the worker.
//!
//! Each is written to the queue's own list of actions. Where a task works for a client, that client's audit trail has it
//! too, in the same transaction.

use domain::{Actor, ClientId, CorrelationId, TaskId};
use queue::{Cancel, TaskDetail};
use store::{Store, Tx};

use super::trail::{Deed, is_being_cancelled};
use crate::Error;

/// What a statement answered, and what the trail calls it if anything was done.
type Done<T> = Result<(T, Option<&'static str>), store::Error>;

/// Cancels a live task: at once when it does not run, through its worker when it does.
///
/// # Errors
/// Those of the store.
pub async fn cancel(store: &Store, id: TaskId, who: &str) -> Result<Cancel, Error> {
    let task = find(store, id).await?;
    let repeated = task.as_ref().is_some_and(is_being_cancelled);
    act(store, task.as_ref(), who, |tx| async move {
        let answer = tx.cancel_task(id, who).await?;
        let nothing = answer == Cancel::Unknown || (answer == Cancel::Requested && repeated);
        Ok((answer, (!nothing).then_some("task_cancelled")))
    })
    .await
}

/// Runs a task again that was given up, or one before its time that is delayed. False when it is neither.
///
/// # Errors
/// [`store::Error::Queue`] with the refusal when its unique key is taken, and those of the store.
pub async fn retry(store: &Store, id: TaskId, who: &str) -> Result<bool, Error> {
    let task = find(store, id).await?;
    act(store, task.as_ref(), who, |tx| async move {
        if tx.retry_dead_letter(id, who).await? {
            return Ok((true, Some("task_retried")));
        }
        let hurried = tx.run_task_now(id, who).await?;
        Ok((hurried, hurried.then_some("task_run_now")))
    })
    .await
}

/// Drops a task that was given up. False when there is none.
///
/// # Errors
/// Those of the store.
pub async fn discard(store: &Store, id: TaskId, who: &str) -> Result<bool, Error> {
    let task = find(store, id).await?;
    act(store, task.as_ref(), who, |tx| async move {
        let gone = tx.discard_dead_letter(id, who).await?;
        Ok((gone, gone.then_some("task_discarded")))
    })
    .await
}

async fn find(store: &Store, id: TaskId) -> Result<Option<TaskDetail>, Error> {
    Ok(store.run_single("find_task", |tx| async move { tx.task(id).await }).await?)
}

/// Acts in the name of the client that a task works for; a task of none is acted upon by the statement alone.
async fn act<T, F, Fut>(store: &Store, task: Option<&TaskDetail>, who: &str, work: F) -> Result<T, Error>
where
    F: Fn(Tx) -> Fut,
    Fut: Future<Output = Done<T>>,
{
    let tenant = task.and_then(|task| Some((task, task.tenant?)));
    let Some((task, tenant)) = tenant else {
        return Ok(store.run_single("act_by_hand", work).await?.0);
    };
    let actor = Actor::process(ClientId::from_uuid(tenant), CorrelationId::generate());
    let work = &work;
    store
        .run_in_turn(&actor, "act_by_hand", |tx| async move {
            let (answer, action) = work(tx.clone()).await?;
            if let Some(action) = action {
                Deed { action, task }.note_of_terminal(&tx, who).await?;
            }
            Ok::<_, Error>(answer)
        })
        .await
}
