//! Cleaning up by hand, as the schema's owner: sessions, counted attempts to sign in, cached answers.

use anyhow::{Context, Result};
use store::Store;

use crate::args::tasks::QueuePlace;
use crate::args::upkeep::{
    CacheOptions, CleanUpCacheOptions, CleanUpSessionsOptions, ResetRateLimitOptions, Select2Command,
};
use crate::{say, tasks};

/// The role that sees every client.
const ROLE: &str = "youtility_owner";

/// Counters one answer shows.
const SHOWN_MAX: i64 = 100;

/// A count among those that a clean-up answers.
fn count(counts: &serde_json::Value, name: &str) -> i64 {
    counts.get(name).and_then(serde_json::Value::as_i64).unwrap_or(0)
}

fn open(place: &QueuePlace) -> Result<Store> {
    Ok(Store::new(&tasks::settings(place, ROLE)?, "upkeep")?)
}

/// `youtility cleanup-sessions`.
pub(crate) async fn clean_up_sessions(options: &CleanUpSessionsOptions) -> Result<()> {
    let store = open(&options.place)?;
    if options.dry_run {
        let ended = store.run_single("count_ended", |tx| async move { tx.count_ended_sessions().await });
        let ended: i64 = ended.await.context("counting sessions")?;
        say::line(&format!("{ended} sessions have ended and would be removed"));
        return Ok(());
    }
    let counts = app::upkeep::clean_up_sessions(&store).await.context("removing sessions")?;
    say::done(&format!(
        "{} sessions removed, {} left",
        count(&counts, "deleted_count"),
        count(&counts, "total_after")
    ));
    Ok(())
}

/// `youtility reset-rate-limit`.
pub(crate) async fn reset_rate_limit(options: &ResetRateLimitOptions) -> Result<()> {
    let store = open(&options.place)?;
    if options.whose.show {
        return show_rate_limits(&store).await;
    }
    let (address, login) = (options.whose.ip, options.whose.username.as_deref());
    let forgotten = store
        .run_single("reset_rate_limit", |tx| async move { tx.reset_sign_in_limits(address, login).await });
    let forgotten: i32 = forgotten.await.context("forgetting attempts")?;
    say::done(&format!("{forgotten} counters forgotten"));
    Ok(())
}

async fn show_rate_limits(store: &Store) -> Result<()> {
    let counters =
        store.run_single("show_rate_limits", |tx| async move { tx.sign_in_counters(SHOWN_MAX).await });
    let counters: Vec<_> = counters.await.context("reading the counters")?;
    say::line(&format!("{} counters", counters.len()));
    for counter in counters {
        say::line(&format!(
            "  {}  {}  since {:.0}",
            counter.key, counter.attempts, counter.window_started_at
        ));
    }
    Ok(())
}

/// `youtility select2-cache`.
pub(crate) async fn select2_cache(command: &Select2Command) -> Result<()> {
    match command {
        Select2Command::Stats(options) => stats(options).await,
        Select2Command::Cleanup(options) => clean_up_cache(options).await,
        Select2Command::Clear(options) => clear(options).await,
    }
}

async fn stats(options: &CacheOptions) -> Result<()> {
    let (store, client) = (open(&options.place)?, options.client.as_deref());
    let seen = store.run_system("show_cache", |tx| async move {
        Ok::<_, store::Error>((tx.select2_stats(client).await?, tx.select2_lists().await?))
    });
    let (cached, lists) = seen.await.context("reading the cache")?;
    let oldest = cached.oldest_at.map_or_else(String::new, |at| format!(", the oldest of {at:.0}"));
    say::line(&format!(
        "{} cached answers in {} bytes, {} of them ran out{oldest}",
        cached.answers, cached.bytes, cached.ran_out
    ));
    for list in lists {
        let state = if list.changed { ", changed since" } else { "" };
        say::line(&format!("  {}  refreshed {:.0}{state}", list.name, list.refreshed_at));
    }
    Ok(())
}

async fn clean_up_cache(options: &CleanUpCacheOptions) -> Result<()> {
    let (store, days) = (open(&options.place)?, options.days);
    if options.dry_run {
        let due = store.run_single("count_due", |tx| async move { tx.count_due_answers(days.into()).await });
        let due: i64 = due.await.context("counting cached answers")?;
        say::line(&format!("{due} cached answers would be removed"));
        return Ok(());
    }
    let counts =
        app::upkeep::clean_up_select2_cache(&store, days).await.context("removing cached answers")?;
    say::done(&format!(
        "{} of {} cached answers removed",
        count(&counts, "deleted_count"),
        count(&counts, "total_before")
    ));
    Ok(())
}

async fn clear(options: &CacheOptions) -> Result<()> {
    let (store, client) = (open(&options.place)?, options.client.as_deref());
    let removed = store.run_system("clear_cache", |tx| async move { tx.clear_select2_cache(client).await });
    let removed: u64 = removed.await.context("removing cached answers")?;
    say::done(&format!("{removed} cached answers removed"));
    Ok(())
}
