//! Putting tasks in, measured the same way for every queue.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::tally::{Payload, clock, gate, say};

/// Enqueues tasks through a queue's own interface, on one connection.
pub trait Producer {
    /// Enqueues all of them in one transaction.
    async fn enqueue(&mut self, payloads: Vec<Payload>) -> Result<()>;
}

/// Runs `single COUNT`, `bulk COUNT BATCH` or `produce COUNT INTERVAL_MS PER_TICK`.
pub async fn run(producer: &mut impl Producer, words: &[&str]) -> Result<()> {
    match words {
        ["single", count] => single(producer, number(count)?).await,
        ["bulk", count, batch] => bulk(producer, number(count)?, number(batch)?).await,
        ["produce", count, interval, tick] => {
            produce(producer, number(count)?, Duration::from_millis(number(interval)?), number(tick)?).await
        }
        _ => bail!(
            "use: setup | single COUNT | bulk COUNT BATCH | produce COUNT INTERVAL_MS PER_TICK | work MARK"
        ),
    }
}

/// Reads a number from the command line.
pub fn number(word: &str) -> Result<u64> {
    word.parse().with_context(|| format!("`{word}` is not a number"))
}

async fn single(producer: &mut impl Producer, count: u64) -> Result<()> {
    gate().await?;
    let begin = Instant::now();
    for n in 0..count {
        producer.enqueue(vec![Payload { t: 0.0, n }]).await?;
    }
    say(&json!({ "event": "done", "count": count, "seconds": begin.elapsed().as_secs_f64() }));
    Ok(())
}

async fn bulk(producer: &mut impl Producer, count: u64, batch: u64) -> Result<()> {
    gate().await?;
    let begin = Instant::now();
    let mut next = 0;
    while next < count {
        let end = (next + batch).min(count);
        producer.enqueue((next..end).map(|n| Payload { t: 0.0, n }).collect()).await?;
        next = end;
    }
    say(&json!({ "event": "done", "count": count, "seconds": begin.elapsed().as_secs_f64() }));
    Ok(())
}

/// Arrivals at a fixed pace; a late one is not made up for by a burst, and carries when it really went out.
async fn produce(producer: &mut impl Producer, count: u64, interval: Duration, tick: u64) -> Result<()> {
    gate().await?;
    let begin = Instant::now();
    let mut pace = tokio::time::interval(interval.max(Duration::from_millis(1)));
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut next = 0;
    while next < count {
        pace.tick().await;
        let end = (next + tick).min(count);
        let t = clock();
        producer.enqueue((next..end).map(|n| Payload { t, n }).collect()).await?;
        next = end;
    }
    say(&json!({ "event": "done", "count": count, "seconds": begin.elapsed().as_secs_f64() }));
    Ok(())
}
