//! What operators do to the queue.

use domain::{Actor, Capability, TaskId};
use queue::Cancel;
use serde_json::{Value, json};
use store::audit::AuditEntry;
use store::{Store, Tx};

use super::trail::{Deed, is_being_cancelled, known};
use crate::{Error, right};

/// Stops a queue: what runs goes on, nothing is started. False when it was paused.
///
/// # Errors
/// `forbidden`, `queue-not-found`.
pub async fn pause_queue(store: &Store, actor: &Actor, queue: &str) -> Result<bool, Error> {
    steer(store, actor, "pause_queue", |tx, who| async move {
        let changed = tx.pause_queue(queue, &who).await.map_err(refusal)?;
        note(&tx, changed, &Note::of_queue("queue_paused", queue)).await
    })
    .await
}

/// Lets a paused queue go on. False when it was not paused.
///
/// # Errors
/// `forbidden`, `queue-not-found`.
pub async fn resume_queue(store: &Store, actor: &Actor, queue: &str) -> Result<bool, Error> {
    steer(store, actor, "resume_queue", |tx, who| async move {
        let changed = tx.resume_queue(queue, &who).await.map_err(refusal)?;
        note(&tx, changed, &Note::of_queue("queue_resumed", queue)).await
    })
    .await
}

/// Cancels a live task: at once when it does not run, through its worker when it does.
///
/// # Errors
/// `forbidden`, `task-not-found`, `task-moved` when it has ended.
pub async fn cancel_task(store: &Store, actor: &Actor, id: TaskId) -> Result<(), Error> {
    steer(store, actor, "cancel_task", |tx, who| async move {
        let task = known(&tx, id).await?;
        match tx.cancel_task(id, &who).await? {
            Cancel::Unknown => Err(Error::TaskMoved(id)),
            Cancel::Requested if is_being_cancelled(&task) => Ok(()),
            Cancel::Removed | Cancel::Requested => {
                Deed { action: "task_cancelled", task: &task }.note_of_operator(&tx, actor).await
            }
        }
    })
    .await
}

/// Makes a delayed task ready before its time.
///
/// # Errors
/// `forbidden`, `task-not-found`, `task-moved` when it is not delayed.
pub async fn run_task_now(store: &Store, actor: &Actor, id: TaskId) -> Result<(), Error> {
    steer(store, actor, "run_task_now", |tx, who| async move {
        let task = known(&tx, id).await?;
        let done = tx.run_task_now(id, &who).await?;
        if !done {
            return Err(Error::TaskMoved(id));
        }
        Deed { action: "task_run_now", task: &task }.note_of_operator(&tx, actor).await
    })
    .await
}

/// Puts a task that was given up back into its queue, with all attempts ahead of it.
///
/// # Errors
/// `forbidden`, `task-not-found`, `task-moved` when it is no dead letter, `task-key-held`.
pub async fn retry_dead_letter(store: &Store, actor: &Actor, id: TaskId) -> Result<(), Error> {
    steer(store, actor, "retry_dead_letter", |tx, who| async move {
        let task = known(&tx, id).await?;
        let done = tx.retry_dead_letter(id, &who).await.map_err(refusal)?;
        if !done {
            return Err(Error::TaskMoved(id));
        }
        Deed { action: "task_retried", task: &task }.note_of_operator(&tx, actor).await
    })
    .await
}

/// Drops a task that was given up; what happened to it stays in the history.
///
/// # Errors
/// `forbidden`, `task-not-found`, `task-moved` when it is no dead letter.
pub async fn discard_dead_letter(store: &Store, actor: &Actor, id: TaskId) -> Result<(), Error> {
    steer(store, actor, "discard_dead_letter", |tx, who| async move {
        let task = known(&tx, id).await?;
        let done = tx.discard_dead_letter(id, &who).await?;
        if !done {
            return Err(Error::TaskMoved(id));
        }
        Deed { action: "task_discarded", task: &task }.note_of_operator(&tx, actor).await
    })
    .await
}

/// Leaves out the ticks of a schedule from here on. False when it was paused.
///
/// # Errors
/// `forbidden`, `schedule-not-found`.
pub async fn pause_schedule(store: &Store, actor: &Actor, name: &str) -> Result<bool, Error> {
    steer(store, actor, "pause_schedule", |tx, who| async move {
        let changed = tx.pause_schedule(name, &who).await.map_err(refusal)?;
        note(&tx, changed, &Note::of_schedule("schedule_paused", name)).await
    })
    .await
}

/// Lets a paused schedule tick again. False when it was not paused.
///
/// # Errors
/// `forbidden`, `schedule-not-found`.
pub async fn resume_schedule(store: &Store, actor: &Actor, name: &str) -> Result<bool, Error> {
    steer(store, actor, "resume_schedule", |tx, who| async move {
        let changed = tx.resume_schedule(name, &who).await.map_err(refusal)?;
        note(&tx, changed, &Note::of_schedule("schedule_resumed", name)).await
    })
    .await
}

/// Enqueues what a schedule enqueues, beside its ticks; answers the task.
///
/// # Errors
/// `forbidden`, `schedule-not-found`, `task-key-held` while an earlier one lives.
pub async fn tick_schedule(store: &Store, actor: &Actor, name: &str) -> Result<TaskId, Error> {
    steer(store, actor, "tick_schedule", |tx, who| async move {
        let id = tx.tick_schedule(name, &who).await.map_err(refusal)?;
        note(&tx, true, &Note::of_schedule("schedule_ticked", name)).await?;
        Ok(id)
    })
    .await
}

/// Runs something an operator does, at read committed: workers change the same rows, and losing races to them would only
/// run it again.
async fn steer<T, F, Fut>(store: &Store, actor: &Actor, name: &'static str, work: F) -> Result<T, Error>
where
    F: Fn(Tx, String) -> Fut,
    Fut: Future<Output = Result<T, Error>>,
{
    right::require(actor, Capability::Operate)?;
    let work = &work;
    store
        .run_in_turn(actor, name, |tx| async move {
            let who = signature(&tx, actor).await?;
            work(tx, who).await
        })
        .await
}

/// How the queue's list of actions names somebody.
async fn signature(tx: &Tx, actor: &Actor) -> Result<String, Error> {
    let Some(person) = actor.person_id else { return Ok("process".to_owned()) };
    let name = tx.name_of_person(person).await?.unwrap_or_else(|| "(unknown)".to_owned());
    // Terminals obey control characters.
    let name: String = name.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    Ok(format!("person:{person} {name}"))
}

/// What the audit trail says.
struct Note {
    action: &'static str,
    subject_kind: &'static str,
    detail: Value,
}

impl Note {
    fn of_queue(action: &'static str, queue: &str) -> Self {
        Self { action, subject_kind: "task_queue", detail: json!({ "queue": queue }) }
    }

    fn of_schedule(action: &'static str, name: &str) -> Self {
        Self { action, subject_kind: "task_schedule", detail: json!({ "schedule": name }) }
    }
}

/// Notes in the audit trail what was done, if anything was; hands on whether.
#[expect(clippy::fn_params_excessive_bools, reason = "the answer of the statement before is handed on")]
async fn note(tx: &Tx, changed: bool, note: &Note) -> Result<bool, Error> {
    if changed {
        let entry = AuditEntry {
            action: note.action,
            subject_kind: note.subject_kind,
            subject_id: None,
            detail: note.detail.clone(),
        };
        tx.audit(&entry).await?;
    }
    Ok(changed)
}

/// Names what the queue refuses.
fn refusal(error: store::Error) -> Error {
    let store::Error::Queue(refused) = &error else { return Error::Store(error) };
    if let queue::Error::UnknownQueue { queue } = refused {
        Error::QueueNotFound(queue.clone())
    } else if let queue::Error::UnknownSchedule { name } = refused {
        Error::ScheduleNotFound(name.clone())
    } else if let queue::Error::KeyHeld = refused {
        Error::TaskKeyHeld
    } else {
        Error::Store(error)
    }
}
