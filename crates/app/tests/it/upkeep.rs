//! Partitions, retention, expired sessions.

use app::upkeep::{self, Retention};
use jiff::SignedDuration;
use testkit::Database;

use crate::world::{count, noon};

#[tokio::test]
async fn partitions_are_made_ahead_and_dropped_behind() {
    let db = Database::create().await;
    let worker = db.store("worker");
    let retention = Retention { audit_days: 400, telemetry_days: 30, task_days: 14, attempt_days: 7 };
    upkeep::keep_partitions(&worker, &retention, 3, noon()).await.unwrap();
    let is_there = "pg_class where relname = 'telemetry_reading_20300103'";
    assert_eq!(count(&db, is_there).await, 1);
    let again = upkeep::keep_partitions(&worker, &retention, 3, noon()).await.unwrap();
    assert_eq!((again.partitions_created, again.partitions_dropped), (0, 0));
    let later = noon() + SignedDuration::from_hours(24 * 40);
    let done = upkeep::keep_partitions(&worker, &retention, 3, later).await.unwrap();
    assert!(done.partitions_dropped >= 3);
    assert_eq!(count(&db, is_there).await, 0);
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
