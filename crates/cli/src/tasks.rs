//! `youtility tasks`: dead letters, seen and settled.

use anyhow::{Context, Result, ensure};
use queue::DeadLetter;
use store::{DatabaseSettings, Store};

use crate::args::{QueuePlace, TasksCommand};
use crate::home::Home;
use crate::keys::Keys;
use crate::migrate::MigrateSettings;
use crate::{database, say};

/// Dead letters shown at once.
const SHOWN_MAX: i64 = 100;

/// The role that owns the queue's work.
const ROLE: &str = "youtility_worker";

/// Lists, repeats or drops dead letters.
pub(crate) async fn run(command: &TasksCommand) -> Result<()> {
    match command {
        TasksCommand::DeadLetters(place) => list(place).await,
        TasksCommand::Retry { id, place } => {
            let client = connect(place).await?;
            ensure!(queue::retry_dead_letter(&**client, *id).await?, "{}", unknown(*id));
            say::done(&format!("{id} runs again"));
            Ok(())
        }
        TasksCommand::Discard { id, place } => {
            let client = connect(place).await?;
            ensure!(queue::discard_dead_letter(&**client, *id).await?, "{}", unknown(*id));
            say::done(&format!("{id} was dropped"));
            Ok(())
        }
    }
}

async fn list(place: &QueuePlace) -> Result<()> {
    let client = connect(place).await?;
    let letters = queue::dead_letters(&**client, None, SHOWN_MAX).await?;
    if letters.is_empty() {
        say::done("there are no dead letters");
    }
    for letter in &letters {
        say::line(&line(letter));
    }
    Ok(())
}

fn line(letter: &DeadLetter) -> String {
    let error = letter.error.as_deref().unwrap_or("(no error was kept)");
    format!(
        "{}  {}  {:<16} {} after {} attempts: {error}",
        letter.id, letter.buried_at, letter.kind, letter.reason, letter.attempts
    )
}

fn unknown(id: uuid::Uuid) -> String {
    format!("there is no dead letter {id}; `youtility tasks dead-letters` lists them")
}

async fn connect(place: &QueuePlace) -> Result<deadpool_postgres::Object> {
    let settings = settings(place)?;
    let store = Store::new(&settings, "tasks")?;
    store.pool().get().await.context("connecting to the database")
}

/// The settings given, or those of the system that runs in the home.
fn settings(place: &QueuePlace) -> Result<DatabaseSettings> {
    let home = Home::open(&place.place)?;
    if place.config.is_empty() && home.running()?.is_some() {
        let keys = Keys::load_or_create(&home)?;
        return Ok(database::settings(database::running_port(&home)?, ROLE, keys.role(ROLE)?));
    }
    Ok(MigrateSettings::load(&place.config)?.database)
}
