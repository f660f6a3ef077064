//! Partitions, retention, expired sessions.

use app::upkeep::{self, Retention};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use testkit::Database;

use crate::world::count;

const RETENTION: Retention = Retention {
    audit_days: 400,
    security_days: 90,
    telemetry_days: 31,
    task_days: 14,
    mail_days: 90,
    message_days: 31,
};

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
    let sql = "insert into telemetry_dead_letter (id, at, topic, payload, reason, correlation_id)
               select gen_random_uuid(), now() - interval '60 days', 'a', '', 'b', gen_random_uuid()
                 from generate_series(1, 20001)";
    db.admin().await.execute(sql, &[]).await.unwrap();
    let too_short = Retention { audit_days: 30, ..RETENTION };
    assert!(upkeep::keep_partitions(&db.store("worker"), &too_short, 20, now()).await.is_err());
    assert_eq!(count(&db, &format!("pg_class where relname = '{}'", partition("task_history", 19))).await, 1);
    assert_eq!(count(&db, "telemetry_dead_letter").await, 0);
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

#[tokio::test]
async fn attempts_to_sign_in_are_kept_for_their_days_and_removed_once() {
    let db = Database::create().await;
    let sql = "insert into auth_rate_limit_attempts (ip_address, username, outcome, attempt_time)
               select inet '192.0.2.1', 'asha', 'FAILED', now() - interval '8 days' from generate_series(1, 20001)
               union all
               select inet '192.0.2.1', 'asha', 'FAILED', now() - interval '6 days'";
    db.admin().await.execute(sql, &[]).await.unwrap();
    let worker = db.store("worker");
    assert_eq!(upkeep::clean_up_sign_in_attempts(&worker, 7).await.unwrap(), 20001);
    assert_eq!(upkeep::clean_up_sign_in_attempts(&worker, 7).await.unwrap(), 0);
    assert_eq!(count(&db, "auth_rate_limit_attempts").await, 1);
}

#[tokio::test]
async fn cached_answers_go_when_they_ran_out_or_are_too_old() {
    let db = Database::create().await;
    let acme = db.client("ACME").await;
    let sql = "insert into select2_cache (client_id, key, value, created_at, expires_at)
               values ($1, 'fresh', '1', now(), now() + interval '1 hour'),
                      ($1, 'ran out', '1', now(), now() - interval '1 second'),
                      ($1, 'old', '1', now() - interval '8 days', now() + interval '1 hour')";
    db.admin().await.execute(sql, &[&acme]).await.unwrap();
    let worker = db.store("worker");
    let counts = upkeep::clean_up_select2_cache(&worker, 7).await.unwrap();
    assert_eq!(
        (&counts["deleted_count"], &counts["total_before"], &counts["days_old"]),
        (&2.into(), &3.into(), &7.into())
    );
    assert_eq!(upkeep::clean_up_select2_cache(&worker, 7).await.unwrap()["deleted_count"], 0);
    assert_eq!(count(&db, "select2_cache").await, 1);
}

async fn listed(db: &Database, client: domain::ClientId) -> Vec<String> {
    let web = db.admin().await;
    let scope = format!("set role youtility_definer; set app.client_id = '{client}'");
    web.batch_execute(&scope).await.unwrap();
    let rows = web.query("select text from list_people_dropdown()", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn lists_are_refreshed_when_their_tables_changed_and_show_each_client_its_own() {
    let db = Database::create().await;
    let (acme, other) = (db.client("ACME").await, db.client("OTHER").await);
    db.person(acme, "asha").name("Asha Rao").await;
    db.person(other, "olga").await;
    let worker = db.store("worker");
    assert_eq!(listed(&db, acme).await, Vec::<String>::new());
    let refreshed = upkeep::refresh_select2_views(&worker).await.unwrap();
    assert_eq!(refreshed["refreshed_views"], serde_json::json!(["mv_people_dropdown"]));
    assert_eq!(refreshed["success"], true);
    assert_eq!(listed(&db, acme).await, ["Asha Rao (asha)"]);
    assert_eq!(listed(&db, other).await, ["olga (olga)"]);
    let again = upkeep::refresh_select2_views(&worker).await.unwrap();
    assert_eq!(again["refreshed_views"], serde_json::json!([]));

    db.site(acme, "HQ").await;
    let refreshed = upkeep::refresh_select2_views(&worker).await.unwrap();
    assert_eq!(refreshed["refreshed_views"], serde_json::json!(["mv_location_dropdown"]));
}

#[tokio::test]
async fn a_change_that_is_not_committed_while_a_list_is_refreshed_is_in_the_next_one() {
    let db = Database::create().await;
    let acme = db.client("ACME").await;
    db.person(acme, "asha").await;
    let writer = db.admin().await;
    writer.batch_execute("begin; update person set name = 'Asha Rao'").await.unwrap();
    let worker = db.store("worker");
    // Neither waits for the other.
    upkeep::refresh_select2_views(&worker).await.unwrap();
    assert_eq!(listed(&db, acme).await, ["asha (asha)"]);
    writer.batch_execute("commit").await.unwrap();
    upkeep::refresh_select2_views(&worker).await.unwrap();
    assert_eq!(listed(&db, acme).await, ["Asha Rao (asha)"]);
}

#[tokio::test]
async fn of_two_refreshes_at_once_one_does_the_work() {
    let db = Database::create().await;
    let acme = db.client("ACME").await;
    db.person(acme, "asha").await;
    let first = db.admin().await;
    first.batch_execute("begin; select refresh_select2_materialized_views()").await.unwrap();
    let second = upkeep::refresh_select2_views(&db.store("worker")).await.unwrap();
    assert_eq!((&second["success"], &second["refreshed_views"]), (&false.into(), &serde_json::json!([])));
    first.batch_execute("commit").await.unwrap();
    assert_eq!(listed(&db, acme).await, ["asha (asha)"]);
}
