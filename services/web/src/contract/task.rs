//! From what the queue tells operators to what the contract promises.

use api::task::{
    Task, TaskAction, TaskAttempt, TaskCount, TaskDeadLetter, TaskLink, TaskOverview, TaskProgress,
    TaskQueue, TaskRow, TaskSchedule, TaskTenant, TaskWorker, UnknownTaskKind,
};
use app::queue::{
    Action, Attempt, Count, DeadLetter, FinishedTask, Known, LiveTask, Overview, QueueStats, Relative,
    ScheduleEntry, TaskDetail, Tenants, WorkerEntry,
};
use domain::{ClientId, CorrelationId, TaskId};
use serde_json::Value;
use uuid::Uuid;

/// Every queue and every worker.
pub(crate) fn overview(Overview { stats, workers }: Overview) -> TaskOverview {
    let unknown = stats.unknown_kinds.into_iter();
    TaskOverview {
        queues: stats.queues.into_iter().map(queue).collect(),
        workers: workers.into_iter().map(worker).collect(),
        unknown_kinds: unknown.map(|kind| UnknownTaskKind { kind: kind.kind, tasks: kind.tasks }).collect(),
    }
}

fn queue(queue: QueueStats) -> TaskQueue {
    TaskQueue {
        name: queue.name,
        paused: queue.paused,
        ready: count(queue.ready),
        delayed: count(queue.delayed),
        waiting: count(queue.waiting),
        running: count(queue.running),
        oldest_age_seconds: queue.oldest_age_seconds,
        dead_letters: count(queue.dead_letters),
        running_max: queue.limits.running_max,
        rate_max: queue.limits.rate_max,
        rate_period_seconds: queue.limits.rate_period.as_secs_f64(),
        tenant_running_max: queue.limits.tenant_running_max,
        tenant_rate_max: queue.limits.tenant_rate_max,
    }
}

fn count(Count { number, at_least }: Count) -> TaskCount {
    TaskCount { number, at_least }
}

fn worker(worker: WorkerEntry) -> TaskWorker {
    TaskWorker {
        draining: worker.draining || worker.state == "DRAINING",
        name: worker.name,
        queues: worker.queues,
        running: worker.running,
        buffered: worker.buffered,
        started_at: worker.started_at,
        heartbeat_at: worker.heartbeat_at,
        silent_seconds: worker.silent_seconds,
    }
}

/// A live task.
pub(crate) fn live(task: LiveTask, tenants: &Tenants) -> TaskRow {
    TaskRow {
        id: TaskId::from_uuid(task.id),
        kind: task.kind,
        queue: task.queue,
        state: task.state.to_string(),
        tenant: tenant(task.tenant, tenants),
        attempts: task.attempt,
        attempts_max: task.attempts_max,
        created_at: task.created_at,
        run_at: task.run_at,
        started_at: None,
        finished_at: None,
        cancelled_at: task.cancelled_at,
        progress: task.progress.as_ref().and_then(progress),
    }
}

/// A finished task.
pub(crate) fn finished(task: FinishedTask, tenants: &Tenants) -> TaskRow {
    TaskRow {
        id: TaskId::from_uuid(task.id),
        kind: task.kind,
        queue: task.queue,
        state: task.outcome,
        tenant: tenant(task.tenant, tenants),
        attempts: task.attempts,
        attempts_max: None,
        created_at: task.created_at,
        run_at: task.run_at,
        started_at: task.started_at,
        finished_at: Some(task.finished_at),
        cancelled_at: None,
        progress: None,
    }
}

/// A task that was given up.
pub(crate) fn dead_letter(letter: DeadLetter, tenants: &Tenants) -> TaskDeadLetter {
    TaskDeadLetter {
        id: TaskId::from_uuid(letter.id),
        kind: letter.kind,
        queue: letter.queue,
        reason: letter.reason,
        error: letter.error,
        attempts: letter.attempts,
        tenant: tenant(letter.tenant, tenants),
        created_at: letter.created_at,
        buried_at: letter.buried_at,
    }
}

/// A task that was given up, as a row among others.
fn buried(letter: &DeadLetter, tenants: &Tenants) -> TaskRow {
    TaskRow {
        id: TaskId::from_uuid(letter.id),
        kind: letter.kind.clone(),
        queue: letter.queue.clone(),
        state: "BURIED".to_owned(),
        tenant: tenant(letter.tenant, tenants),
        attempts: letter.attempts,
        attempts_max: letter.attempts_max,
        created_at: letter.created_at,
        run_at: letter.created_at,
        started_at: None,
        finished_at: Some(letter.buried_at),
        cancelled_at: None,
        progress: None,
    }
}

/// One task: as it lives, as a dead letter, or as it last ended. Nothing when it is none of these.
pub(crate) fn task(Known { task, tenants }: Known) -> Option<Task> {
    let latest = task.ends.first();
    let row = match (&task.live, &task.dead_letter, latest) {
        (Some(task), _, _) => live(task.clone(), &tenants),
        (None, Some(letter), _) => buried(letter, &tenants),
        (None, None, Some(end)) => finished(end.clone(), &tenants),
        (None, None, None) => return None,
    };
    let letter = task.dead_letter.as_ref();
    let priority = task.live.as_ref().map(|task| task.priority);
    let crashes = task.live.as_ref().map(|task| task.crashes).or(letter.map(|letter| letter.crashes));
    let unique_key = task.live.as_ref().and_then(|task| task.unique_key.clone());
    Some(Task {
        row,
        crashes: crashes.unwrap_or(0),
        priority: priority.or(latest.map(|end| end.priority)).unwrap_or(0),
        unique_key: unique_key.or_else(|| letter.and_then(|letter| letter.unique_key.clone())),
        dead_letter: task.dead_letter.clone().map(|letter| dead_letter(letter, &tenants)),
        tries: tries(&task),
        args: task.args,
        result: task.result,
        correlation_id: task.correlation.map(CorrelationId::from_uuid),
        created_by: task.created_by,
        parents: task.parents.into_iter().map(link).collect(),
        children: task.children.into_iter().map(link).collect(),
        actions: task.actions.into_iter().map(action).collect(),
    })
}

/// The attempts that ended, the first first.
fn tries(task: &TaskDetail) -> Vec<TaskAttempt> {
    task.attempts.iter().rev().cloned().map(attempt).collect()
}

fn attempt(attempt: Attempt) -> TaskAttempt {
    TaskAttempt {
        number: attempt.attempt,
        worker: attempt.worker.or_else(|| attempt.worker_id.map(|id| id.to_string())),
        started_at: attempt.started_at,
        finished_at: Some(attempt.finished_at),
        outcome: attempt.outcome,
        error: attempt.error,
    }
}

fn link(relative: Relative) -> TaskLink {
    TaskLink { id: TaskId::from_uuid(relative.id), kind: relative.kind, state: relative.state }
}

/// What somebody did by hand.
pub(crate) fn action(action: Action) -> TaskAction {
    TaskAction {
        at: action.at,
        actor: action.actor,
        action: action.action,
        task_id: action.task_id.map(TaskId::from_uuid),
        queue: action.queue,
        detail: action.detail,
    }
}

/// A schedule.
pub(crate) fn schedule(schedule: ScheduleEntry) -> TaskSchedule {
    TaskSchedule {
        name: schedule.name,
        cron: schedule.cron,
        time_zone: schedule.time_zone,
        kind: schedule.kind,
        queue: schedule.queue,
        paused: schedule.paused,
        catch_up: schedule.catch_up,
        last_tick: schedule.last_tick,
        next_tick: schedule.next_tick,
    }
}

fn tenant(id: Option<Uuid>, tenants: &Tenants) -> Option<TaskTenant> {
    let id = id?;
    let client = tenants.of(id);
    Some(TaskTenant {
        id: ClientId::from_uuid(id),
        code: client.map(|client| client.code.clone()),
        name: client.map(|client| client.name.clone()),
    })
}

/// What a handler last said of its progress; nothing of what is not that.
fn progress(said: &Value) -> Option<TaskProgress> {
    let number = |name: &str| said.get(name).and_then(Value::as_u64).and_then(|it| u32::try_from(it).ok());
    Some(TaskProgress {
        done: number("done")?,
        total: number("total").unwrap_or(0),
        note: said.get("note").and_then(Value::as_str).unwrap_or("").to_owned(),
    })
}
