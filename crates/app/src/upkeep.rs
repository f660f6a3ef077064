//! What keeps the database in shape: partitions ahead, old rows gone.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use store::Store;

use crate::Error;

/// Tables partitioned by day, with the days their rows are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The audit trail.
    pub audit_days: u16,
    /// Readings of devices.
    pub telemetry_days: u16,
    /// Finished tasks and their attempts.
    pub task_days: u16,
    /// Attempts to sign in, dead letters and the keys of misdated messages.
    pub attempt_days: u16,
}

/// What an upkeep changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// Partitions created.
    pub partitions_created: i32,
    /// Partitions dropped.
    pub partitions_dropped: i32,
    /// Rows deleted.
    pub rows_deleted: i64,
}

/// Creates the partitions of the next `days_ahead` days and removes what is older than its retention.
///
/// # Errors
/// Those of the store.
pub async fn keep_partitions(
    store: &Store,
    retention: &Retention,
    days_ahead: u16,
    now: Timestamp,
) -> Result<Upkeep, Error> {
    let today = now.to_zoned(TimeZone::UTC).date();
    let mut done = Upkeep::default();
    for (table, days_kept) in [
        ("audit_event", retention.audit_days),
        ("telemetry_reading", retention.telemetry_days),
        ("task_attempt", retention.task_days),
        ("task_history", retention.task_days),
    ] {
        let first_kept = days_before(today, days_kept);
        let (created, dropped) = store
            .run_system("keep_partitions", |tx| async move {
                let created = tx.ensure_partitions(table, today, i32::from(days_ahead)).await?;
                let dropped = tx.drop_partitions(table, first_kept).await?;
                Ok::<_, store::Error>((created, dropped))
            })
            .await?;
        done.partitions_created += created;
        done.partitions_dropped += dropped;
    }
    let days = i32::from(retention.attempt_days);
    done.rows_deleted = store
        .run_system("clean_up_attempts", |tx| async move {
            Ok::<_, store::Error>(
                tx.clean_up_sign_in_attempts(days).await? + tx.clean_up_telemetry(days).await?,
            )
        })
        .await?;
    Ok(done)
}

/// Removes sessions that ended; answers with the counts operators know.
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
