//! What operators see of the queue.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Actor, Capability, ClientId, TaskId};
use queue::{
    Action, DeadLetter, DeadLetterFilter, FinishedTask, HistoryFilter, LiveTask, Page, ScheduleEntry, Stats,
    TaskDetail, TaskFilter, WorkerEntry,
};
use store::queue::TaskClient;
use store::{Store, Tx};
use uuid::Uuid;

use super::filter::{Narrowing, Place};
use crate::{Error, right};

/// Every queue and every worker.
#[derive(Clone, Debug, PartialEq)]
pub struct Overview {
    /// The queues.
    pub stats: Stats,
    /// The workers.
    pub workers: Vec<WorkerEntry>,
}

/// The clients that tasks work for, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tenants(BTreeMap<Uuid, TaskClient>);

impl Tenants {
    /// The client a task works for, if it exists.
    pub fn of(&self, tenant: Uuid) -> Option<&TaskClient> {
        self.0.get(&tenant)
    }
}

/// A page of tasks and the clients they work for.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed<T> {
    /// The rows, and where the list goes on.
    pub page: Page<T>,
    /// The clients.
    pub tenants: Tenants,
}

/// One task and the client it works for.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// The task.
    pub task: TaskDetail,
    /// The client.
    pub tenants: Tenants,
}

/// What lists can be narrowed by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choices {
    /// Names of queues.
    pub queues: Vec<String>,
    /// Names of kinds.
    pub kinds: Vec<String>,
}

/// Measures the queues and lists the workers.
///
/// # Errors
/// `forbidden`.
pub async fn overview(store: &Store, actor: &Actor) -> Result<Overview, Error> {
    right::require(actor, Capability::Operate)?;
    let read = store.read(actor, "show_queues", |tx| async move {
        let stats = tx.queue_stats().await?;
        Ok::<_, store::Error>(Overview { stats, workers: tx.task_workers().await? })
    });
    Ok(read.await?)
}

/// Lists what lists can be narrowed by.
///
/// # Errors
/// `forbidden`.
pub async fn choices(store: &Store, actor: &Actor) -> Result<Choices, Error> {
    right::require(actor, Capability::Operate)?;
    let kinds = store.read(actor, "list_task_kinds", |tx| async move { tx.task_kinds().await }).await?;
    let queues: BTreeSet<String> = kinds.iter().map(|kind| kind.queue.clone()).collect();
    Ok(Choices {
        queues: queues.into_iter().collect(),
        kinds: kinds.into_iter().map(|kind| kind.name).collect(),
    })
}

/// Lists live tasks, the latest enqueued first; delayed ones by the time at which they are due.
///
/// # Errors
/// `forbidden`.
pub async fn live_tasks(
    store: &Store,
    actor: &Actor,
    narrowing: &Narrowing,
    place: Place,
) -> Result<Listed<LiveTask>, Error> {
    right::require(actor, Capability::Operate)?;
    let filter = &TaskFilter {
        queue: narrowing.queue.clone(),
        kind: narrowing.kind.clone(),
        state: narrowing.state,
        tenant: narrowing.tenant.map(|client| *client.as_uuid()),
        correlation: None,
    };
    let listed = store.read(actor, "list_live_tasks", |tx| async move {
        let page = tx.live_tasks(filter, place.cursor(), place.rows()).await?;
        listed(&tx, page, |task| task.tenant).await
    });
    Ok(listed.await?)
}

/// Lists finished tasks, the latest first.
///
/// # Errors
/// `forbidden`.
pub async fn finished_tasks(
    store: &Store,
    actor: &Actor,
    narrowing: &Narrowing,
    place: Place,
) -> Result<Listed<FinishedTask>, Error> {
    right::require(actor, Capability::Operate)?;
    let filter = &HistoryFilter {
        queue: narrowing.queue.clone(),
        kind: narrowing.kind.clone(),
        outcome: narrowing.outcome.clone(),
        tenant: narrowing.tenant.map(|client| *client.as_uuid()),
        correlation: None,
    };
    let listed = store.read(actor, "list_finished_tasks", |tx| async move {
        let page = tx.finished_tasks(filter, place.cursor(), place.rows()).await?;
        listed(&tx, page, |task| task.tenant).await
    });
    Ok(listed.await?)
}

/// Lists tasks that were given up, the latest first.
///
/// # Errors
/// `forbidden`.
pub async fn dead_letters(
    store: &Store,
    actor: &Actor,
    narrowing: &Narrowing,
    place: Place,
) -> Result<Listed<DeadLetter>, Error> {
    right::require(actor, Capability::Operate)?;
    let filter = &DeadLetterFilter { queue: narrowing.queue.clone(), kind: narrowing.kind.clone() };
    let listed = store.read(actor, "list_dead_letters", |tx| async move {
        let page = tx.dead_letters(filter, place.cursor(), place.rows()).await?;
        listed(&tx, page, |letter| letter.tenant).await
    });
    Ok(listed.await?)
}

/// Reads everything about one task.
///
/// # Errors
/// `forbidden`, `task-not-found`.
pub async fn task(store: &Store, actor: &Actor, id: TaskId) -> Result<Known, Error> {
    right::require(actor, Capability::Operate)?;
    store
        .read(actor, "show_task", |tx| async move {
            let task = tx.task(id).await?.ok_or(Error::TaskNotFound(id))?;
            let tenants = tenants(&tx, task.tenant.into_iter()).await?;
            Ok(Known { task, tenants })
        })
        .await
}

/// Lists the schedules, by name.
///
/// # Errors
/// `forbidden`.
pub async fn schedules(store: &Store, actor: &Actor) -> Result<Vec<ScheduleEntry>, Error> {
    right::require(actor, Capability::Operate)?;
    let read = store.read(actor, "list_schedules", |tx| async move { tx.task_schedules().await });
    Ok(read.await?)
}

/// Lists what was done to the queue by hand, the latest first.
///
/// # Errors
/// `forbidden`.
pub async fn actions(store: &Store, actor: &Actor, place: Place) -> Result<Page<Action>, Error> {
    right::require(actor, Capability::Operate)?;
    let read = store.read(actor, "list_task_actions", |tx| async move {
        tx.task_actions(place.cursor(), place.rows()).await
    });
    Ok(read.await?)
}

async fn listed<T>(
    tx: &Tx,
    page: Page<T>,
    tenant: fn(&T) -> Option<Uuid>,
) -> Result<Listed<T>, store::Error> {
    let tenants = tenants(tx, page.rows.iter().filter_map(tenant)).await?;
    Ok(Listed { page, tenants })
}

async fn tenants(tx: &Tx, ids: impl Iterator<Item = Uuid>) -> Result<Tenants, store::Error> {
    let distinct: BTreeSet<Uuid> = ids.collect();
    if distinct.is_empty() {
        return Ok(Tenants::default());
    }
    let clients =
        tx.clients_for_operator(distinct.into_iter().map(ClientId::from_uuid).collect()).await?.into_iter();
    Ok(Tenants(clients.map(|client| (*client.client_id.as_uuid(), client)).collect()))
}
