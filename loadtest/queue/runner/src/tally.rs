//! What a worker process tells the harness: lines of JSON on its standard output.

use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::io::AsyncBufReadExt;
use tokio::signal::unix::{SignalKind, signal};

/// What every task carries: when it was enqueued, 0 where nobody asks.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Payload {
    /// Milliseconds since 1970.
    pub t: f64,
    /// Its number.
    pub n: u64,
}

/// Milliseconds since 1970, with a fraction: the clock that all processes of a run share.
pub fn clock() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64() * 1000.0)
}

/// Prints one line for the harness.
pub fn say(line: &serde_json::Value) {
    let mut out = std::io::stdout().lock();
    // The harness is gone when this fails; there is nobody to tell.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Says that everything is prepared, and waits for the word to begin.
pub async fn gate() -> Result<()> {
    say(&json!({ "event": "ready" }));
    let mut line = String::new();
    tokio::io::BufReader::new(tokio::io::stdin()).read_line(&mut line).await.context("waiting to begin")?;
    Ok(())
}

/// Counts handled tasks and remembers how long the timed ones waited.
#[derive(Debug)]
pub struct Tally {
    handled: AtomicU64,
    mark: u64,
    last: Mutex<f64>,
    latencies: Mutex<Vec<f64>>,
}

impl Tally {
    /// Counts from nothing; the task with number `mark` is announced at once.
    pub fn new(mark: u64) -> Arc<Self> {
        Arc::new(Self {
            handled: AtomicU64::new(0),
            mark,
            last: Mutex::new(0.0),
            latencies: Mutex::new(Vec::new()),
        })
    }

    /// Notes that a task has been started and done: they do nothing.
    pub fn count(&self, payload: &Payload) {
        let now = clock();
        *self.last.lock().expect("nobody panics with it") = now;
        let handled = self.handled.fetch_add(1, Ordering::Relaxed) + 1;
        if payload.t > 0.0 {
            self.latencies.lock().expect("nobody panics with it").push(now - payload.t);
        }
        if handled == 1 {
            say(&json!({ "event": "first", "at": now }));
        }
        if handled == self.mark {
            say(&json!({ "event": "mark", "at": now }));
        }
    }

    /// Prints the count whenever it has changed, a hundred times a second.
    pub async fn keep_saying(self: Arc<Self>) {
        let mut said = 0;
        loop {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let handled = self.handled.load(Ordering::Relaxed);
            if handled != said {
                say(
                    &json!({ "event": "count", "n": handled, "last": *self.last.lock().expect("nobody panics with it") }),
                );
                said = handled;
            }
        }
    }

    /// Prints the last line.
    pub fn end(&self) {
        let latencies = self.latencies.lock().expect("nobody panics with it");
        say(&json!({
            "event": "end", "handled": self.handled.load(Ordering::Relaxed), "latencies": *latencies,
        }));
    }
}

/// Waits for SIGTERM.
pub async fn terminated() -> Result<()> {
    signal(SignalKind::terminate()).context("watching for SIGTERM")?.recv().await;
    Ok(())
}
