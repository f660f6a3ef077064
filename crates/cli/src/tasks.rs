//! `youtility tasks`: the queues, seen and steered.

mod drain;
mod list;
mod overview;
mod show;
mod steer;
mod table;

use anyhow::{Context, Result};
use deadpool_postgres::Object;
use serde::Serialize;
use store::{DatabaseSettings, Store};

use crate::args::tasks::{QueuePlace, TasksCommand};
use crate::home::Home;
use crate::keys::Keys;
use crate::migrate::MigrateSettings;
use crate::{database, say};

/// The role that owns the queue's work.
const ROLE: &str = "youtility_worker";

/// Does what was asked.
pub(crate) async fn run(command: &TasksCommand) -> Result<()> {
    match command {
        TasksCommand::List(options) => list::tasks(options).await,
        TasksCommand::DeadLetters(options) => list::dead_letters(options).await,
        TasksCommand::Actions(options) => list::actions(options).await,
        TasksCommand::Show(options) => show::run(options).await,
        TasksCommand::Queues(options) => overview::queues(options).await,
        TasksCommand::Workers(options) => overview::workers(options).await,
        TasksCommand::Schedules(options) => overview::schedules(options).await,
        TasksCommand::Retry(options) => steer::retry(options).await,
        TasksCommand::Cancel(options) => steer::cancel(options).await,
        TasksCommand::Discard(options) => steer::discard(options).await,
        TasksCommand::Pause(options) => steer::pause(options).await,
        TasksCommand::Resume(options) => steer::resume(options).await,
        TasksCommand::Limit(options) => steer::limit(options).await,
        TasksCommand::Drain(options) => drain::run(options).await,
        TasksCommand::DrainWorker(options) => steer::drain_worker(options).await,
        TasksCommand::Tick(options) => steer::tick(options).await,
        TasksCommand::PauseSchedule(options) => steer::pause_schedule(options).await,
        TasksCommand::ResumeSchedule(options) => steer::resume_schedule(options).await,
    }
}

fn open(place: &QueuePlace) -> Result<Store> {
    Ok(Store::new(&settings(place, ROLE)?, "tasks")?)
}

async fn connect(place: &QueuePlace) -> Result<Object> {
    open(place)?.pool().get().await.context("connecting to the database")
}

/// The settings given, or those of the system that runs in the home, as a role.
pub(crate) fn settings(place: &QueuePlace, role: &str) -> Result<DatabaseSettings> {
    let home = Home::open(&place.place)?;
    if place.config.is_empty() && home.running()?.is_some() {
        let keys = Keys::load_or_create(&home)?;
        return Ok(database::settings(database::running_port(&home)?, role, keys.role(role)?));
    }
    Ok(MigrateSettings::load(&place.config)?.database)
}

/// Says who acts, for the record: the account at the terminal.
pub(crate) fn actor() -> String {
    let uid = rustix::process::getuid().as_raw();
    let accounts = std::fs::read_to_string("/etc/passwd");
    let name = accounts.ok().and_then(|accounts| {
        accounts.lines().find_map(|line| {
            let mut fields = line.split(':');
            let (name, id) = (fields.next()?, fields.nth(1)?);
            (id.parse() == Ok(uid)).then(|| name.to_owned())
        })
    });
    format!("cli:{}", name.unwrap_or_else(|| uid.to_string()))
}

fn print_json(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).context("writing JSON")?;
    say::line(&say::escape_controls(&text));
    Ok(())
}

/// A time to the second.
fn time(at: jiff::Timestamp) -> String {
    format!("{at:.0}")
}
