//! What keeps the database in shape: partitions ahead, old rows gone.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;
use store::Store;

use crate::Error;

/// Rows one transaction deletes of each table.
const ROWS_AT_ONCE: i32 = 10_000;

/// Tables partitioned by day, with the days their rows are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The audit trail.
    pub audit_days: u16,
    /// Security events.
    pub security_days: u16,
    /// Readings of devices.
    pub telemetry_days: u16,
    /// Finished tasks and their attempts.
    pub task_days: u16,
    /// Mail that was sent, and what became of it.
    pub mail_days: u16,
    /// Unreadable messages of devices and the keys of misdated ones.
    pub message_days: u16,
}

/// What an upkeep changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Upkeep {
    /// Partitions created.
    pub partitions_created: i32,
    /// Partitions dropped.
    pub partitions_dropped: i32,
    /// Rows deleted.
    pub rows_deleted: i64,
}

/// Creates the partitions of the next `days_ahead` days and removes what is older than its retention. What fails for one
/// table is left for the next time, and the others are kept all the same.
///
/// # Errors
/// The first that was met.
pub async fn keep_partitions(
    store: &Store,
    retention: &Retention,
    days_ahead: u16,
    now: Timestamp,
) -> Result<Upkeep, Error> {
    let today = now.to_zoned(TimeZone::UTC).date();
    let mut done = Upkeep::default();
    let mut first_error = None;
    for (table, days_kept) in [
        ("audit_event", retention.audit_days),
        ("security_event", retention.security_days),
        // A line's seal is kept as long as the line, and longer where the other trail is.
        ("audit_seal", retention.audit_days.max(retention.security_days)),
        ("telemetry_reading", retention.telemetry_days),
        ("task_attempt", retention.task_days),
        ("task_history", retention.task_days),
        ("mail", retention.mail_days),
    ] {
        match ensure(store, table, today, days_ahead).await {
            Ok(created) => done.partitions_created += created,
            Err(error) => first_error = first_error.or(Some(error)),
        }
        match drop_before(store, table, days_before(today, days_kept)).await {
            Ok(dropped) => done.partitions_dropped += dropped,
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    match delete_old_messages(store, i32::from(retention.message_days)).await {
        Ok(deleted) => done.rows_deleted = deleted,
        Err(error) => first_error = first_error.or(Some(error)),
    }
    first_error.map_or(Ok(done), |error| Err(error.into()))
}

async fn ensure(store: &Store, table: &'static str, today: Date, days: u16) -> Result<i32, store::Error> {
    let days = i32::from(days);
    store
        .run_system("ensure_partitions", |tx| async move { tx.ensure_partitions(table, today, days).await })
        .await
}

async fn drop_before(store: &Store, table: &'static str, first_kept: Date) -> Result<i32, store::Error> {
    store.run_system("drop_partitions", |tx| async move { tx.drop_partitions(table, first_kept).await }).await
}

/// Deletes some rows in each transaction, so that none of them reaches its time limit.
async fn delete_old_messages(store: &Store, days: i32) -> Result<i64, store::Error> {
    let mut deleted = 0;
    loop {
        let gone = store.run_system("clean_up_telemetry", |tx| async move {
            tx.clean_up_telemetry(days, ROWS_AT_ONCE).await
        });
        let gone = gone.await?;
        deleted += gone;
        if gone < i64::from(ROWS_AT_ONCE) {
            return Ok(deleted);
        }
    }
}

/// Removes addresses that may be mailed again since some days, and turns of domains that have come long ago; answers how
/// many rows went.
///
/// # Errors
/// Those of the store.
pub async fn clean_up_mail(store: &Store, days: u16) -> Result<i64, Error> {
    let days = i32::from(days);
    let mut deleted = 0;
    loop {
        let gone =
            store.run_system("clean_up_mail", |tx| async move { tx.clean_up_mail(days, ROWS_AT_ONCE).await });
        let gone: i64 = gone.await?;
        deleted += gone;
        if gone < i64::from(ROWS_AT_ONCE) {
            return Ok(deleted);
        }
    }
}

/// Removes attempts to sign in that are older than some days; answers how many.
///
/// # Errors
/// Those of the store.
pub async fn clean_up_sign_in_attempts(store: &Store, days: u16) -> Result<i64, Error> {
    let days = i32::from(days);
    let mut deleted = 0;
    loop {
        let gone = store.run_system("clean_up_sign_in_attempts", |tx| async move {
            tx.clean_up_sign_in_attempts(days, ROWS_AT_ONCE).await
        });
        let gone: i64 = gone.await?;
        deleted += gone;
        if gone < i64::from(ROWS_AT_ONCE) {
            return Ok(deleted);
        }
    }
}

/// Removes unfinished sign-ins, passkeys' ceremonies and known browsers that ran out, and mailed links that ran out some
/// days ago; answers how many transactions that took.
///
/// # Errors
/// Those of the store.
pub async fn clean_up_accounts(store: &Store, days: u16) -> Result<u32, Error> {
    let days = i32::from(days);
    let mut rounds = 0;
    loop {
        let most = store.run_system("clean_up_accounts", |tx| async move {
            tx.clean_up_accounts(days, ROWS_AT_ONCE).await
        });
        let most: i64 = most.await?;
        rounds += 1;
        if most < i64::from(ROWS_AT_ONCE) {
            return Ok(rounds);
        }
    }
}

/// Removes cached answers that ran out or are older than some days; answers how many went and how many there were.
///
/// # Errors
/// Those of the store.
pub async fn clean_up_select2_cache(store: &Store, days: u16) -> Result<serde_json::Value, Error> {
    let days = i32::from(days);
    let counts = store
        .run_system("clean_up_cached_answers", |tx| async move { tx.clean_up_select2_cache(days).await });
    Ok(counts.await?)
}

/// Refreshes the lists whose tables changed, while others read them; answers which.
///
/// # Errors
/// Those of the store.
pub async fn refresh_select2_views(store: &Store) -> Result<serde_json::Value, Error> {
    let refreshed = store.run_single("refresh_lists", |tx| async move { tx.refresh_select2_views().await });
    Ok(refreshed.await?)
}

/// Asks the database what time it is: a sign of life, and the one clock that all processes share.
///
/// # Errors
/// Those of the store.
pub async fn ask_time(store: &Store) -> Result<Timestamp, Error> {
    Ok(store.run_single("ask_time", |tx| async move { tx.clock().await }).await?)
}

/// Removes sessions that ended; answers how many went and how many are left.
///
/// # Errors
/// Those of the store.
pub async fn clean_up_sessions(store: &Store) -> Result<serde_json::Value, Error> {
    let counts = store.run_system("clean_up_sessions", |tx| async move { tx.clean_up_sessions().await });
    Ok(counts.await?)
}

fn days_before(day: Date, days: u16) -> Date {
    day.saturating_sub(jiff::Span::new().days(i64::from(days)))
}
