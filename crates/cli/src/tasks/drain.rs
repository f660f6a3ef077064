//! Emptying a queue of what runs.

use std::time::Duration;

use anyhow::{Result, bail};
use queue::{LiveTask, TaskFilter, TaskState};
use tokio::time::{Instant, interval};
use tokio_postgres::Client;

use super::steer::explain;
use super::{actor, connect};
use crate::args::tasks::DrainOptions;
use crate::say;

/// How often is looked.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Running tasks that are named one by one.
const NAMED_MAX: i64 = 20;

/// `tasks drain`: pauses the queue and waits, saying what is left whenever that changes.
pub(super) async fn run(options: &DrainOptions) -> Result<()> {
    let client = connect(&options.place).await?;
    let name = &options.queue;
    explain(&client, queue::pause(&**client, name, &actor()).await).await?;
    say::step(&format!("{name} is paused; waiting for what runs"));
    let deadline = Instant::now() + Duration::from_secs(options.timeout);
    let mut looks = interval(LOOK_EVERY);
    let mut last_said = String::new();
    loop {
        looks.tick().await;
        let (running, more) = running(&client, name).await?;
        if running.is_empty() {
            say::done(&format!("nothing of {name} runs; `youtility tasks resume {name}` lets it go on"));
            return Ok(());
        }
        let count = format!("{}{}", running.len(), if more { " or more" } else { "" });
        if count != last_said {
            say::step(&format!("running: {count}"));
            last_said.clone_from(&count);
        }
        if Instant::now() >= deadline {
            for task in &running {
                say::line(&line(task));
            }
            bail!(
                "after {} s there still run: {count}; {name} stays paused. Wait with `youtility tasks drain {name}`, stop \
                 one with `youtility tasks cancel ID`, or go on with `youtility tasks resume {name}`",
                options.timeout
            );
        }
    }
}

async fn running(client: &Client, queue: &str) -> Result<(Vec<LiveTask>, bool)> {
    let filter = TaskFilter {
        queue: Some(queue.to_owned()),
        state: Some(TaskState::Running),
        ..TaskFilter::default()
    };
    let page = queue::tasks(client, &filter, None, NAMED_MAX).await?;
    Ok((page.rows, page.next.is_some()))
}

fn line(task: &LiveTask) -> String {
    let worker = task.worker_id.map(|id| id.to_string()).unwrap_or_default();
    format!("  {}  {}  attempt {}  worker {worker}", task.id, task.kind, task.attempt)
}
