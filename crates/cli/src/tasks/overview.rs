//! Queues, workers, schedules.

use anyhow::Result;
use queue::Limits;

use super::table::{or_dash, print};
use super::{connect, print_json, time};
use crate::args::tasks::ReadOptions;
use crate::say;

/// `tasks queues`.
pub(super) async fn queues(options: &ReadOptions) -> Result<()> {
    let client = connect(&options.place).await?;
    let stats = queue::stats(&**client).await?;
    if options.json {
        return print_json(&stats);
    }
    let rows: Vec<_> = stats
        .queues
        .iter()
        .map(|queue| {
            [
                queue.name.clone(),
                if queue.paused { "paused" } else { "open" }.to_owned(),
                queue.ready.to_string(),
                queue.running.to_string(),
                queue.delayed.to_string(),
                queue.waiting.to_string(),
                queue.dead_letters.to_string(),
                format!("{:.0} s", queue.oldest_age_seconds),
                limits(&queue.limits),
            ]
        })
        .collect();
    print(["QUEUE", "STATE", "READY", "RUNNING", "DELAYED", "WAITING", "DEAD", "OLDEST", "LIMITS"], &rows);
    for unknown in &stats.unknown_kinds {
        say::notice(&format!("{} tasks are of kind {}, which no worker knows", unknown.tasks, unknown.kind));
    }
    if stats.workers_alive == 0 {
        say::notice("no worker is alive: nothing is claimed");
    }
    Ok(())
}

/// `tasks workers`.
pub(super) async fn workers(options: &ReadOptions) -> Result<()> {
    let client = connect(&options.place).await?;
    let workers = queue::workers(&**client).await?;
    if options.json {
        return print_json(&workers);
    }
    if workers.is_empty() {
        say::notice("no worker is listed: start `worker serve`");
        return Ok(());
    }
    let rows: Vec<_> = workers
        .iter()
        .map(|worker| {
            let asked = if worker.draining && worker.state != "DRAINING" { " (asked to drain)" } else { "" };
            [
                worker.id.to_string(),
                worker.name.clone(),
                format!("{}{asked}", worker.state),
                worker.running.to_string(),
                worker.buffered.to_string(),
                time(worker.started_at),
                format!("{:.0} s ago", worker.silent_seconds.max(0.0)),
                worker.queues.join(","),
            ]
        })
        .collect();
    print(["ID", "NAME", "STATE", "RUNNING", "AHEAD", "STARTED", "HEARD", "QUEUES"], &rows);
    Ok(())
}

/// `tasks schedules`.
pub(super) async fn schedules(options: &ReadOptions) -> Result<()> {
    let client = connect(&options.place).await?;
    let schedules = queue::schedules(&**client).await?;
    if options.json {
        return print_json(&schedules);
    }
    if schedules.is_empty() {
        say::notice("no schedule is registered: workers do so when they start");
        return Ok(());
    }
    let rows: Vec<_> = schedules
        .iter()
        .map(|schedule| {
            [
                schedule.name.clone(),
                if schedule.paused { "paused" } else { "ticks" }.to_owned(),
                schedule.cron.clone(),
                schedule.time_zone.clone(),
                schedule.kind.clone(),
                schedule.queue.clone(),
                time(schedule.last_tick),
                or_dash(schedule.next_tick.map(time)),
            ]
        })
        .collect();
    print(["SCHEDULE", "STATE", "CRON", "ZONE", "KIND", "QUEUE", "LAST", "NEXT"], &rows);
    Ok(())
}

/// The limits in a few words.
pub(super) fn limits(limits: &Limits) -> String {
    let period_ms = limits.rate_period.as_millis();
    let words = [
        limits.running_max.map(|most| format!("{most} at once")),
        limits.rate_max.map(|most| format!("{most} per {period_ms} ms")),
        limits.tenant_running_max.map(|most| format!("{most} at once per tenant")),
        limits.tenant_rate_max.map(|most| format!("{most} per {period_ms} ms per tenant")),
    ];
    let words: Vec<String> = words.into_iter().flatten().collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn limits_are_said_in_a_few_words() {
        assert_eq!(limits(&Limits::default()), "none");
        let some = Limits {
            running_max: Some(3),
            tenant_rate_max: Some(10),
            rate_period: Duration::from_secs(1),
            ..Limits::default()
        };
        assert_eq!(limits(&some), "3 at once, 10 per 1000 ms per tenant");
    }
}
