use queue::NewTask;

use crate::world::World;

#[tokio::test]
async fn an_overdue_ticket_goes_to_whom_the_rule_names_and_they_are_told() {
    let world = World::start().await;
    let boss = world.db.person(world.client, "chitra").name("Chitra Iyer").email("chitra@example.com").await;
    let sql = "insert into escalation_rule (client_id, id, priority, level, after_minutes, person_id)
               values ($1, $2, 'MEDIUM', 1, 30, $3)";
    let rule = domain::CorrelationId::generate();
    world.admin.execute(sql, &[&world.client, &rule, &boss]).await.unwrap();
    let overdue = world.db.ticket(world.client, world.site).created_at("2020-01-01T00:00:00Z").await;
    world.db.ticket(world.client, world.site).title("Just raised").await;

    for _ in 0..2 {
        let task = NewTask::new("ticket.escalate", &());
        queue::enqueue(&world.admin, &[task]).await.unwrap();
        world.db.wait_for_count("select count(*) from task", 0).await;
    }
    let mails = world.wait_for_mails(1).await;
    assert_eq!(mails[0].to, ["chitra@example.com"]);
    assert!(mails[0].subject.starts_with("Escalation level 1: ticket #1"), "{}", mails[0].subject);
    let escalated = world
        .admin
        .query("select id, assignee_id from ticket where escalation_level = 1", &[])
        .await
        .unwrap();
    assert_eq!(escalated.len(), 1);
    assert_eq!(escalated[0].get::<_, uuid::Uuid>(0), *overdue.as_uuid());
    assert_eq!(escalated[0].get::<_, Option<uuid::Uuid>>(1), Some(*boss.as_uuid()));
    world.worker.stop().await.unwrap();
}
