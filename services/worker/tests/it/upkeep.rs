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
    let partitions =
        "select count(*) from pg_class where relname ~ '^(audit_event|telemetry_reading)_[0-9]{8}$'";
    let before = world.count(partitions).await;
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
    world.wait_for_count("select count(*) from task", 0).await;
    assert_eq!(world.count("select count(*) from task_dead_letter").await, 0);
    assert_eq!(world.count("select count(*) from session").await, 0);
    assert!(world.count(partitions).await >= before.max(16), "no partition was made");
    world.worker.stop().await.unwrap();
}
