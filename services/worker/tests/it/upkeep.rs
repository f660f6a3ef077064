use queue::NewTask;

use crate::world::World;

#[tokio::test]
async fn every_schedule_is_known_with_its_next_tick() {
    let world = World::start().await;
    let rows = world.admin.query("select name, cron from task_schedule order by name", &[]).await.unwrap();
    let schedules: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let expected = [
        ("partition-ensure", "20 2 * * *"),
        ("session-cleanup", "0 */6 * * *"),
        ("ticket-escalate", "*/30 * * * *"),
    ];
    assert_eq!(schedules, expected.map(|(name, cron)| (name.to_owned(), cron.to_owned())));
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
    let sql = "insert into task_dead_letter (id, created_at, buried_at, attempts, crashes, priority, queue, kind, reason, args)
               select gen_random_uuid(), now(), now() - age, 1, 0, 0, 'email', 'a', 'PERMANENT', '{}'
                 from unnest(array[interval '89 days', interval '91 days']) as age";
    world.admin.execute(sql, &[]).await.unwrap();
    let asha = world.admin.query_one("select id from person where code = 'asha'", &[]).await.unwrap();
    let sql = "insert into session (client_id, id, person_id, token_hash, created_at, last_seen_at, idle_expires_at, expires_at)
               values ($1, $2, $3, $4, now() - interval '9 days', now() - interval '9 days',
                       now() - interval '8 days', now() - interval '8 days')";
    let session = domain::SessionId::generate();
    let hash: &[u8] = &[7; 32];
    world.admin.execute(sql, &[&world.client, &session, &asha.get::<_, uuid::Uuid>(0), &hash]).await.unwrap();

    for kind in ["partition.ensure", "session.cleanup"] {
        queue::enqueue(&world.admin, &[NewTask::new(kind, &()).queue("maintenance")]).await.unwrap();
    }
    world.db.wait_for_count("select count(*) from task", 0).await;
    assert_eq!(world.db.count("select count(*) from task_dead_letter").await, 1, "the older one expired");
    assert_eq!(world.db.count("select count(*) from session").await, 0);
    assert_eq!(world.db.count(&there).await, 4);
    world.worker.stop().await.unwrap();
}
