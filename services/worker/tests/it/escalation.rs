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

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// An overdue ticket of a client whose rule gives it to a person.
async fn overdue(world: &World, client: domain::ClientId, site: domain::SiteId) -> domain::TicketId {
    let boss = world.db.person(client, "boss").email("boss@example.com").await;
    let sql = "insert into escalation_rule (client_id, id, priority, level, after_minutes, person_id)
               values ($1, gen_random_uuid(), 'MEDIUM', 1, 30, $2)";
    world.admin.execute(sql, &[&client, &boss]).await.unwrap();
    world.db.ticket(client, site).created_at("2020-01-01T00:00:00Z").await
}

#[tokio::test]
async fn the_trouble_of_one_client_does_not_keep_the_others_waiting_and_is_tried_again() {
    let world = World::start().await;
    let other = world.db.client("OTHER").await;
    let site = world.db.site(other, "HQ").await;
    let stuck = overdue(&world, world.client, world.site).await;
    overdue(&world, other, site).await;
    let refuse =
        format!("alter table ticket add constraint stuck check (id <> '{stuck}' or escalation_level = 0)");
    world.admin.batch_execute(&refuse).await.unwrap();
    queue::enqueue(&world.admin, &[NewTask::new("ticket.escalate", &())]).await.unwrap();
    let failed = "select least(count(*), 1) from task_attempt where outcome = 'FAILED'";
    world.db.wait_for_count(failed, 1).await;
    let escalated = "select count(*) from ticket where escalation_level = 1";
    assert_eq!(world.db.count(escalated).await, 1);

    world.admin.batch_execute("alter table ticket drop constraint stuck").await.unwrap();
    world.db.wait_for_count(escalated, 2).await;
    world.db.wait_for_count("select count(*) from task where kind = 'ticket.escalate'", 0).await;
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn what_a_task_enqueues_continues_the_trace_of_what_enqueued_the_task() {
    let world = World::start().await;
    overdue(&world, world.client, world.site).await;
    queue::pause(&world.admin, "email", "test").await.unwrap();
    let task = NewTask::new("ticket.escalate", &()).traceparent(TRACE);
    queue::enqueue(&world.admin, &[task]).await.unwrap();
    let sql = format!("select count(*) from task where kind = 'ticket.mail' and traceparent = '{TRACE}'");
    world.db.wait_for_count(&sql, 1).await;
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn a_client_with_many_overdue_tickets_goes_on_after_the_others() {
    let world = World::start_with(|settings| {
        settings.tasks.escalation_batch = 1;
        settings.tasks.escalation_turn = 1;
    })
    .await;
    let other = world.db.client("OTHER").await;
    let site = world.db.site(other, "HQ").await;
    overdue(&world, world.client, world.site).await;
    for _ in 0..3 {
        world.db.ticket(world.client, world.site).created_at("2020-01-01T00:00:00Z").await;
    }
    overdue(&world, other, site).await;
    queue::enqueue(&world.admin, &[NewTask::new("ticket.escalate", &())]).await.unwrap();
    world.db.wait_for_count("select count(*) from ticket where escalation_level = 1", 5).await;
    let before = "select count(*) from ticket
                   where client_id = (select client_id from client where code = 'ACME')
                     and escalated_at < (select escalated_at from ticket
                                          where client_id = (select client_id from client where code = 'OTHER'))";
    assert!(world.db.count(before).await <= 1);
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn tickets_that_can_never_be_escalated_do_not_block_the_rest_of_their_client() {
    let world = World::start_with(|settings| settings.tasks.escalation_batch = 2).await;
    let mut stuck = vec![overdue(&world, world.client, world.site).await];
    stuck.push(world.db.ticket(world.client, world.site).created_at("2020-01-02T00:00:00Z").await);
    world.db.ticket(world.client, world.site).created_at("2020-01-03T00:00:00Z").await;
    let refuse = format!(
        "alter table ticket add constraint stuck
           check (id not in ('{}', '{}') or escalation_level = 0)",
        stuck[0], stuck[1]
    );
    world.admin.batch_execute(&refuse).await.unwrap();
    queue::enqueue(&world.admin, &[NewTask::new("ticket.escalate", &())]).await.unwrap();
    world.db.wait_for_count("select count(*) from ticket where escalation_level = 1", 1).await;
    world.worker.stop().await.unwrap();
}
