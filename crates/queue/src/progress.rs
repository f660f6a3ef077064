//! How far handlers say they are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_postgres::types::Json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::Error;
use crate::attempt::readable;
use crate::claim::Key;
use crate::error::chain;
use crate::worker::{Worker, pause};

/// Characters of a note that are kept.
const NOTE_CHARS_MAX: usize = 500;

// A row that is locked is left out: its handler is about to complete it, or somebody else has taken it.
const WRITE: &str = "-- queue::progress::write
update task
   set progress = told.progress
  from (
       select task.id, told.progress
         from unnest($1::uuid[], $2::int4[], $3::jsonb[]) as told (id, attempt, progress)
         join task on task.id = told.id and task.attempt = told.attempt
        where task.worker_id = $4
          for update of task skip locked
       ) as told
 where task.id = told.id";

/// Says how far a task is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// So much is done.
    pub done: u32,
    /// Of so much.
    pub total: u32,
    /// What is being done, for people; empty when the handler said nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

impl Progress {
    pub(crate) fn new(done: u32, total: u32, note: &str) -> Self {
        Self { done, total, note: readable(note, NOTE_CHARS_MAX) }
    }
}

/// The latest word of every attempt that is not written yet.
#[derive(Debug, Default)]
pub(crate) struct Board(Mutex<HashMap<Key, Progress>>);

impl Board {
    pub(crate) fn tell(&self, key: Key, progress: Progress) {
        self.lock().insert(key, progress);
    }

    fn take(&self) -> Vec<(Key, Progress)> {
        let mut told: Vec<_> = std::mem::take(&mut *self.lock()).into_iter().collect();
        told.sort_unstable_by_key(|(key, _)| *key);
        told
    }

    /// Keeps what could not be written, unless a later word has come.
    fn put_back(&self, told: Vec<(Key, Progress)>) {
        let mut board = self.lock();
        for (key, progress) in told {
            board.entry(key).or_insert(progress);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Progress>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes what handlers have said, each interval until told to stop.
pub(crate) async fn run(worker: Arc<Worker>, stop: CancellationToken) {
    let interval = Duration::from_millis(worker.settings.progress_interval_ms);
    while pause(interval, &stop).await {
        if let Err(error) = flush(&worker).await {
            tracing::warn!(error.chain = chain(&error), "the progress of tasks was not written");
        }
    }
}

async fn flush(worker: &Worker) -> Result<(), Error> {
    let told = worker.progress.take();
    if told.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = told.iter().map(|(key, _)| key.id).collect();
    let attempts: Vec<i32> = told.iter().map(|(key, _)| key.attempt).collect();
    let progress: Vec<Json<&Progress>> = told.iter().map(|(_, progress)| Json(progress)).collect();
    let written = worker.query(WRITE, &[&ids, &attempts, &progress, &worker.id]).await;
    if written.is_err() {
        worker.progress.put_back(told);
    }
    written.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u128) -> Key {
        Key { id: Uuid::from_u128(number), attempt: 1 }
    }

    #[test]
    fn only_the_latest_word_of_an_attempt_is_kept() {
        let board = Board::default();
        board.tell(key(1), Progress::new(1, 3, "one"));
        board.tell(key(2), Progress::new(0, 9, ""));
        board.tell(key(1), Progress::new(2, 3, "two"));
        let told = board.take();
        assert_eq!(told, [(key(1), Progress::new(2, 3, "two")), (key(2), Progress::new(0, 9, ""))]);
        board.tell(key(1), Progress::new(3, 3, "three"));
        board.put_back(told);
        assert_eq!(board.take()[0].1.note, "three");
        assert!(board.take().is_empty());
    }

    #[test]
    fn the_longest_note_fits_its_column() {
        let progress = Progress::new(u32::MAX, u32::MAX, &"\u{10FFFF}\0".repeat(5_000));
        assert!(serde_json::to_string(&progress).unwrap().len() < 4_096);
    }
}
