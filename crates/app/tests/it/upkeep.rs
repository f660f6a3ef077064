//! Partitions, retention, expired sessions.

use app::upkeep::{self, Retention};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use testkit::Database;

use crate::world::count;

const RETENTION: Retention =
    Retention { audit_days: 400, telemetry_days: 31, task_days: 14, attempt_days: 31 };

#[expect(clippy::disallowed_methods, reason = "partitions are kept by the clock of the database")]
fn now() -> Timestamp {
    Timestamp::now()
}

/// The partition of a table some days from today.
fn partition(table: &str, days: i64) -> String {
    let day = now().to_zoned(TimeZone::UTC).date() + jiff::Span::new().days(days);
    format!("{table}_{}", day.strftime("%Y%m%d"))
}

#[tokio::test]
async fn partitions_are_made_ahead_and_dropped_behind() {
    let db = Database::create().await;
    let worker = db.store("worker");
    let admin = db.admin().await;
    admin
        .execute("select ensure_daily_partitions('telemetry_reading', current_date - 35, 3)", &[])
        .await
        .unwrap();
    let done = upkeep::keep_partitions(&worker, &RETENTION, 20, now()).await.unwrap();
    assert_eq!(done.partitions_dropped, 3);
    let is_there = format!("pg_class where relname = '{}'", partition("telemetry_reading", 19));
    assert_eq!(count(&db, &is_there).await, 1);
    let again = upkeep::keep_partitions(&worker, &RETENTION, 20, now()).await.unwrap();
    assert_eq!((again.partitions_created, again.partitions_dropped), (0, 0));
}

#[tokio::test]
async fn rows_that_came_before_their_partition_move_into_it_and_old_ones_go() {
    let db = Database::create().await;
    let acme = db.client("ACME").await;
    let site = db.site(acme, "HQ").await;
    let pump = db.device(acme, site, "PUMP-1").await;
    let sql = "insert into telemetry_reading (client_id, device_id, message_id, metric, value, measured_at, received_at)
               select $1, $2, gen_random_uuid(), 'load', 1, now() + make_interval(days => day), now()
                 from unnest(array[19, 19, -40]) as day";
    db.admin().await.execute(sql, &[&acme, &pump]).await.unwrap();
    assert_eq!(count(&db, "telemetry_reading_default").await, 3);
    upkeep::keep_partitions(&db.store("worker"), &RETENTION, 20, now()).await.unwrap();
    assert_eq!(count(&db, "telemetry_reading_default").await, 0);
    assert_eq!(count(&db, &partition("telemetry_reading", 19)).await, 2);
    // The moved rows still belong to their client alone.
    let web = db.store("web");
    let other = db.client("OTHER").await;
    let seen = web.read(&db.actor(other), "latest", |tx| async move { tx.latest_values(pump).await }).await;
    assert_eq!(seen.unwrap(), []);
}

#[tokio::test]
async fn a_table_that_cannot_be_kept_leaves_the_others_kept() {
    let db = Database::create().await;
    let sql = "insert into auth_rate_limit_attempts (ip_address, username, outcome, attempt_time)
               select '192.0.2.1', 'asha', 'FAILED', now() - interval '60 days' from generate_series(1, 20001)";
    db.admin().await.execute(sql, &[]).await.unwrap();
    let too_short = Retention { audit_days: 30, ..RETENTION };
    assert!(upkeep::keep_partitions(&db.store("worker"), &too_short, 20, now()).await.is_err());
    assert_eq!(count(&db, &format!("pg_class where relname = '{}'", partition("task_history", 19))).await, 1);
    assert_eq!(count(&db, "auth_rate_limit_attempts").await, 0);
}

#[tokio::test]
async fn a_worker_cannot_erase_the_latest_of_the_audit_trail() {
    let db = Database::create().await;
    let worker = db.store("worker");
    for days in [0, 89] {
        let day = now().to_zoned(TimeZone::UTC).date() - jiff::Span::new().days(days);
        let erased =
            worker.run_system("drop", |tx| async move { tx.drop_partitions("audit_event", day).await }).await;
        assert!(erased.is_err(), "{days}");
    }
}

#[tokio::test]
async fn ended_sessions_are_removed_and_counted() {
    let db = Database::create().await;
    let acme = db.client("ACME").await;
    let asha = db.person(acme, "asha").await;
    let sql = "insert into session (client_id, id, person_id, token_hash, idle_expires_at, expires_at)
               select $1, gen_random_uuid(), $2, sha256(number::text::bytea),
                      now() + make_interval(mins => number), now() + make_interval(mins => number + 60)
                 from generate_series(-4, 5) as number";
    db.admin().await.execute(sql, &[&acme, &asha]).await.unwrap();
    let counts = upkeep::clean_up_sessions(&db.store("worker")).await.unwrap();
    assert_eq!(counts["deleted_count"], 5);
    assert_eq!(counts["total_after"], 5);
    assert_eq!(count(&db, "session").await, 5);
}
