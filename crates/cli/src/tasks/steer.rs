//! Changing tasks, queues, workers and schedules by hand.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use app::queue::by_hand;
use domain::TaskId;
use queue::{Cancel, Error, Limits, TaskState};
use tokio_postgres::Client;
use uuid::Uuid;

use super::overview::limits as in_words;
use super::{actor, connect, open};
use crate::args::tasks::{LimitOptions, OneOptions, QueueOptions, ScheduleOptions};
use crate::say;

/// `tasks retry`.
pub(super) async fn retry(options: &OneOptions) -> Result<()> {
    let store = open(&options.place)?;
    let id = options.id;
    match by_hand::retry(&store, TaskId::from_uuid(id), &actor()).await {
        Ok(true) => say::done(&format!("{id} runs again")),
        Ok(false) => bail!(no_retry(&*connect(&options.place).await?, id).await?),
        Err(app::Error::Store(store::Error::Queue(Error::KeyHeld))) => bail!(
            "another task of its kind holds the unique key of {id}; wait until that one has ended, or cancel it"
        ),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Why a task cannot be run again, and what can be done.
async fn no_retry(client: &Client, id: Uuid) -> Result<String> {
    let Some(task) = queue::task(client, id).await? else { return Ok(unknown(id)) };
    Ok(match task.live.map(|live| live.state) {
        Some(TaskState::Ready) => format!("{id} is ready: a worker takes it when its turn comes"),
        Some(TaskState::Running) => format!("{id} runs; `youtility tasks cancel {id}` stops it"),
        Some(TaskState::Waiting) => format!("{id} waits for others; `youtility tasks show {id}` names them"),
        Some(TaskState::Delayed) => format!("{id} was delayed at this moment; try again"),
        None => {
            format!("{id} has ended and is no dead letter; `youtility tasks show {id}` tells how it went")
        }
    })
}

/// `tasks cancel`.
pub(super) async fn cancel(options: &OneOptions) -> Result<()> {
    let store = open(&options.place)?;
    let id = options.id;
    match by_hand::cancel(&store, TaskId::from_uuid(id), &actor()).await? {
        Cancel::Removed => say::done(&format!("{id} was cancelled before it began")),
        Cancel::Requested => {
            say::done(&format!("{id} runs; its worker was told to stop it"));
            say::line(&format!("  `youtility tasks show {id}` tells when it has"));
        }
        Cancel::Unknown => {
            bail!("no task {id} is alive; `youtility tasks show {id}` tells what became of it")
        }
    }
    Ok(())
}

/// `tasks discard`.
pub(super) async fn discard(options: &OneOptions) -> Result<()> {
    let store = open(&options.place)?;
    let gone = by_hand::discard(&store, TaskId::from_uuid(options.id), &actor()).await?;
    ensure!(gone, "there is no dead letter {}; `youtility tasks dead-letters` lists them", options.id);
    say::done(&format!("{} was dropped", options.id));
    Ok(())
}

/// `tasks pause`.
pub(super) async fn pause(options: &QueueOptions) -> Result<()> {
    let client = connect(&options.place).await?;
    let changed = explain(&client, queue::pause(&**client, &options.queue, &actor()).await).await?;
    let name = &options.queue;
    say::done(&if changed { format!("{name} is paused") } else { format!("{name} was paused already") });
    say::line(&format!("  what runs goes on; `youtility tasks resume {name}` lets it claim again"));
    Ok(())
}

/// `tasks resume`.
pub(super) async fn resume(options: &QueueOptions) -> Result<()> {
    let client = connect(&options.place).await?;
    let changed = explain(&client, queue::resume(&**client, &options.queue, &actor()).await).await?;
    let name = &options.queue;
    say::done(&if changed { format!("{name} goes on") } else { format!("{name} was not paused") });
    Ok(())
}

/// `tasks limit`.
pub(super) async fn limit(options: &LimitOptions) -> Result<()> {
    let client = connect(&options.place).await?;
    let stats = queue::stats(&**client).await?;
    let known = stats.queues.iter().find(|queue| queue.name == options.queue).map(|queue| queue.limits);
    let Some(known) = known else { bail!(unknown_queue(&client, &options.queue).await?) };
    let wanted = Limits {
        running_max: options.running_max.map_or(known.running_max, |limit| limit.0),
        rate_max: options.rate.map_or(known.rate_max, |limit| limit.0),
        rate_period: options.rate_period_ms.map_or(known.rate_period, Duration::from_millis),
        tenant_running_max: options.tenant_running_max.map_or(known.tenant_running_max, |limit| limit.0),
        tenant_rate_max: options.tenant_rate.map_or(known.tenant_rate_max, |limit| limit.0),
    };
    let changed = explain(&client, queue::limit(&**client, &options.queue, &wanted, &actor()).await).await?;
    let unchanged = if changed { "" } else { " (as before)" };
    say::done(&format!("limits of {}: {}{unchanged}", options.queue, in_words(&wanted)));
    Ok(())
}

/// `tasks drain-worker`.
pub(super) async fn drain_worker(options: &OneOptions) -> Result<()> {
    let client = connect(&options.place).await?;
    match queue::drain_worker(&**client, options.id, &actor()).await {
        Ok(true) => say::done(&format!("{} was asked to drain", options.id)),
        Ok(false) => say::done(&format!("{} was asked before", options.id)),
        Err(Error::UnknownWorker { id }) => {
            bail!("no worker {id} is listed; `youtility tasks workers` lists them")
        }
        Err(error) => return Err(error.into()),
    }
    say::line("  it sees so at its next heartbeat, finishes what it has, and claims no more");
    Ok(())
}

/// `tasks tick`.
pub(super) async fn tick(options: &ScheduleOptions) -> Result<()> {
    let client = connect(&options.place).await?;
    let name = &options.schedule;
    match queue::tick_schedule(&**client, name, &actor()).await {
        Ok(id) => say::done(&format!("{name} ticked: task {id}")),
        Err(Error::KeyHeld) => {
            bail!("the task of an earlier tick of {name} has not ended; wait, or cancel it")
        }
        Err(error) => return Err(with_schedules(error)),
    }
    Ok(())
}

/// `tasks pause-schedule`.
pub(super) async fn pause_schedule(options: &ScheduleOptions) -> Result<()> {
    let client = connect(&options.place).await?;
    let name = &options.schedule;
    let changed = queue::pause_schedule(&**client, name, &actor()).await.map_err(with_schedules)?;
    say::done(&if changed { format!("{name} is paused") } else { format!("{name} was paused already") });
    Ok(())
}

/// `tasks resume-schedule`.
pub(super) async fn resume_schedule(options: &ScheduleOptions) -> Result<()> {
    let client = connect(&options.place).await?;
    let name = &options.schedule;
    let changed = queue::resume_schedule(&**client, name, &actor()).await.map_err(with_schedules)?;
    say::done(&if changed { format!("{name} ticks again") } else { format!("{name} was not paused") });
    Ok(())
}

fn with_schedules(error: Error) -> anyhow::Error {
    if let Error::UnknownSchedule { name } = error {
        return anyhow::anyhow!("there is no schedule {name}; `youtility tasks schedules` lists them");
    }
    error.into()
}

/// Names the queues there are where one is unknown.
pub(super) async fn explain<T>(client: &Client, answer: Result<T, Error>) -> Result<T> {
    match answer {
        Err(Error::UnknownQueue { queue }) => bail!(unknown_queue(client, &queue).await?),
        answer => answer.context("changing the queue"),
    }
}

async fn unknown_queue(client: &Client, queue: &str) -> Result<String> {
    let stats = queue::stats(client).await?;
    let names: Vec<&str> = stats.queues.iter().map(|queue| queue.name.as_str()).collect();
    Ok(format!("there is no queue {queue}; there are: {}", names.join(", ")))
}

fn unknown(id: Uuid) -> String {
    format!(
        "there is no task {id}; `youtility tasks list` and `youtility tasks dead-letters` show which there are"
    )
}
