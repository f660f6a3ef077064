use std::collections::BTreeMap;

use domain::Capability;
use queue::NewTask;
use serde_json::Value;
use testkit::{Database, PATIENCE, wait_until};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::world::World;

/// Runs a task that comes by the clock, and answers what it found and did.
async fn run(world: &World, kind: &str) -> Value {
    let queue = if kind == "heartbeat.sample" { "default" } else { "maintenance" };
    let task = NewTask::new(kind, &()).queue(queue);
    let id: Uuid = queue::enqueue(&world.admin, &[task]).await.unwrap()[0].new_id().unwrap();
    wait_until(kind, PATIENCE, async || queue::result(&world.admin, id).await.unwrap()).await
}

#[tokio::test]
async fn every_schedule_is_known_with_its_next_tick() {
    let pairs = [("YOUTILITY_PROCESS__ENVIRONMENT", "development"), ("YOUTILITY_DATABASE__TLS", "disable")];
    let more =
        [("YOUTILITY_MAIL__FROM", "a@example.com"), ("YOUTILITY_MAIL__PUBLIC_URL", "http://localhost")];
    let pairs = pairs.iter().chain(&more).map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let defaults: worker::Settings = service::load_settings(&worker::about(), &[], pairs).unwrap();
    let world = World::start_with(|settings| settings.schedules = defaults.schedules).await;
    let rows = world.admin.query("select name, cron from task_schedule order by name", &[]).await.unwrap();
    let schedules: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let expected = [
        ("account-cleanup", "25 * * * *"),
        ("audit-seal", "* * * * *"),
        ("dead-letter-review", "30 6 * * *"),
        ("heartbeat-sample", "* * * * *"),
        ("partition-ensure", "20 2 * * *"),
        ("queue-cleanup", "50 * * * *"),
        ("rate-limit-cleanup", "10 3 * * *"),
        ("select2-cleanup", "40 2 * * *"),
        ("select2-refresh", "*/5 * * * *"),
        ("session-cleanup", "0 */6 * * *"),
        ("ticket-escalate", "*/30 * * * *"),
    ];
    assert_eq!(schedules, expected.map(|(name, cron)| (name.to_owned(), cron.to_owned())));
    world.db.wait_for_count("select count(*) from task_schedule where next_tick > now()", 11).await;
    let made_up =
        "select count(*) from task_schedule where catch_up = 'LATEST' and name <> 'heartbeat-sample'";
    assert_eq!(world.db.count(made_up).await, 10);
    world.worker.stop().await.unwrap();
}

async fn kinds(admin: &Client) -> BTreeMap<String, String> {
    let rows = admin.query("select name, queue from task_kind", &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn the_migrated_database_knows_every_kind_before_the_first_worker_starts() {
    let migrated = kinds(&Database::create().await.admin().await).await;
    let world = World::start().await;
    assert_eq!(kinds(&world.admin).await, migrated);
    // All but the bridge's were told by this worker.
    let untold = "select count(*) from task_kind
                   where registered_at < (select started_at - interval '1 second' from task_worker)
                     and queue <> 'mqtt'";
    assert_eq!(world.db.count(untold).await, 0);
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn a_heartbeat_tells_how_late_it_ran_and_is_kept_as_a_sample() {
    let world = World::start().await;
    let due = NewTask::new("heartbeat.sample", &()).run_at("2020-01-01T00:00:00Z".parse().unwrap());
    let id = queue::enqueue(&world.admin, &[due]).await.unwrap()[0].new_id().unwrap();
    let late =
        wait_until("the sample", PATIENCE, async || queue::result(&world.admin, id).await.unwrap()).await;
    assert_eq!(late["due_at"], "2020-01-01T00:00:00Z");
    assert!(late["delay_ms"].as_u64().unwrap() > 150_000_000_000, "{late}");
    let prompt = run(&world, "heartbeat.sample").await;
    assert!(prompt["delay_ms"].as_u64().unwrap() < 30_000, "{prompt}");
    assert!(prompt["database_ms"].as_u64().unwrap() < 30_000, "{prompt}");
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn old_attempts_to_sign_in_and_cached_answers_that_ran_out_are_removed_once() {
    let world = World::start().await;
    let sql = "insert into auth_rate_limit_attempts (ip_address, username, outcome, attempt_time)
               select inet '192.0.2.1', 'asha', 'FAILED', now() - age
                 from unnest(array[interval '6 days', interval '8 days']) as age";
    world.admin.execute(sql, &[]).await.unwrap();
    let sql = "insert into select2_cache (client_id, key, value, expires_at) values ($1, 'a', '1', now() - interval '1 second')";
    world.admin.execute(sql, &[&world.client]).await.unwrap();
    for gone in [1, 0] {
        assert_eq!(run(&world, "rate_limit.cleanup").await["deleted_count"], gone);
        assert_eq!(run(&world, "select2.cleanup").await["deleted_count"], gone);
    }
    assert_eq!(world.db.count("select count(*) from auth_rate_limit_attempts").await, 1);
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn lists_that_changed_are_refreshed_once() {
    let world = World::start().await;
    let refreshed = run(&world, "select2.refresh").await;
    assert_eq!(
        refreshed["refreshed_views"],
        serde_json::json!(["mv_location_dropdown", "mv_people_dropdown"])
    );
    assert_eq!(world.db.count("select count(*) from mv_people_dropdown").await, 2);
    assert_eq!(run(&world, "select2.refresh").await["refreshed_views"], serde_json::json!([]));
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn what_the_queue_keeps_for_a_time_goes_when_the_time_is_over() {
    let world = World::start().await;
    let rows = "
        insert into task_key (kind, key, task_id, expires_at)
        values ('a', 'over', gen_random_uuid(), now()), ('a', 'holds', gen_random_uuid(), now() + interval '1 hour');
        insert into task_tenant (queue, tenant, refilled_at)
        values ('email', gen_random_uuid(), now() - interval '2 hours'), ('email', gen_random_uuid(), now());
        insert into task_action (id, at, actor, action)
        select gen_random_uuid(), now() - age, 'cli:asha', 'PAUSED'
          from unnest(array[interval '364 days', interval '366 days']) as age;
        insert into mail_bounce (client_id, email, mail_id, reason, bounced_at, suppressed_until)
        select client_id, 'ben@a.example', gen_random_uuid(), 'gone', now(), now() - interval '31 days' from client;
        insert into mail_domain (domain, free_at) values ('a.example', now()), ('b.example', now() - interval '2 days');
        insert into mail (client_id, id, created_at, kind, subject_kind, subject_id, cause_id, part, domain, recipients,
                          subject, text_body, html_body, body_kept, correlation_id)
        select client_id, gen_random_uuid(), now(), 'link', 'person', gen_random_uuid(), gen_random_uuid(), 0,
               'a.example', '[{}]', 'Sign in', 'secret', 'secret', false, gen_random_uuid()
          from client";
    world.admin.batch_execute(rows).await.unwrap();
    for gone in [1, 0] {
        let done = run(&world, "queue.cleanup").await;
        let expected = serde_json::json!({
            "keys": gone, "tenants": gone, "actions": gone, "secrets": gone, "mail_rows": gone, "untold": 0,
        });
        assert_eq!(done, expected);
    }
    assert_eq!(world.mail_row("state || text_body || html_body").await, "GIVEN_UP");
    assert_eq!(world.db.count("select count(*) from mail_domain").await, 1);
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn dead_letters_are_told_to_operators_by_kind_and_expire_when_nobody_looked_at_them() {
    let world = World::start().await;
    let sql = "insert into task_dead_letter (id, created_at, buried_at, attempts, crashes, priority, queue, kind, reason, args)
               select gen_random_uuid(), now(), now() - age, 1, 0, 0, 'email', 'a', 'PERMANENT', '{}'
                 from unnest(array[interval '1 hour', interval '89 days', interval '91 days']) as age";
    world.admin.execute(sql, &[]).await.unwrap();
    world
        .db
        .person(world.client, "olga")
        .capabilities(&[Capability::Operate])
        .email("olga@example.com")
        .await;
    for expired in [1, 0] {
        let review = run(&world, "dead_letter.review").await;
        assert_eq!((&review["expired"], &review["mails"]), (&expired.into(), &1.into()));
        let group = &review["waiting"][0];
        assert_eq!(
            (&group["queue"], &group["kind"], &group["reason"]),
            (&"email".into(), &"a".into(), &"PERMANENT".into())
        );
        assert_eq!((&group["letters"], &group["of_last_day"]), (&2.into(), &1.into()));
    }
    let told = world.wait_for_mails(2).await;
    assert!(
        told.iter().all(|mail| mail.to == ["asha@example.com", "ben@example.com", "olga@example.com"]),
        "{told:?}"
    );
    assert_eq!(told[0].subject, "2 tasks were given up and wait for you");
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn the_upkeep_makes_partitions_ahead_and_removes_ended_sessions() {
    let world = World::start().await;
    // Tomorrow's partition is missing in each table, as after days without a worker.
    let tomorrow = "select parent || to_char((now() at time zone 'UTC')::date + 1, '_YYYYMMDD') as name
                      from unnest(array['audit_event', 'telemetry_reading', 'task_attempt', 'task_history']) as parent";
    for row in world.admin.query(tomorrow, &[]).await.unwrap() {
        world.admin.batch_execute(&format!("drop table {}", row.get::<_, &str>(0))).await.unwrap();
    }
    let there = format!("select count(*) from pg_class where relname in ({tomorrow})");
    assert_eq!(world.db.count(&there).await, 0);
    let asha = world.admin.query_one("select id from person where code = 'asha'", &[]).await.unwrap();
    let sql = "insert into session (client_id, id, person_id, token_hash, created_at, last_seen_at, idle_expires_at, expires_at)
               values ($1, $2, $3, $4, now() - interval '9 days', now() - interval '9 days',
                       now() - interval '8 days', now() - interval '8 days')";
    let session = domain::SessionId::generate();
    let hash: &[u8] = &[7; 32];
    world.admin.execute(sql, &[&world.client, &session, &asha.get::<_, Uuid>(0), &hash]).await.unwrap();

    let sessions = run(&world, "session.cleanup").await;
    assert_eq!((&sessions["deleted_count"], &sessions["total_after"]), (&1.into(), &0.into()));
    assert_eq!(run(&world, "session.cleanup").await["deleted_count"], 0);
    assert_eq!(world.db.count("select count(*) from session").await, 0);
    assert!(run(&world, "partition.ensure").await["partitions_created"].as_i64().unwrap() >= 4);
    assert_eq!(run(&world, "partition.ensure").await["partitions_created"], 0);
    assert_eq!(world.db.count(&there).await, 4);
    world.worker.stop().await.unwrap();
}
