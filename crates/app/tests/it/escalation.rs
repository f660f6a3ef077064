//! Tickets nobody acted on in time.

use app::escalation;
use app::ticket;
use domain::ticket::TicketState;
use domain::{Actor, ClientId, CorrelationId};
use futures_util::future::join_all;
use jiff::SignedDuration;
use uuid::Uuid;

use crate::world::{World, noon};

/// Urgent tickets: level 1 after an hour to Ben, level 2 after three more to an address; the site `DEPOT` has its own.
async fn rules(world: &World) {
    let depot = world.db.site(world.client, "DEPOT").await;
    let sql = "insert into escalation_rule (client_id, id, site_id, priority, level, after_minutes, person_id, notify)
               values ($1, $2, null, 'HIGH', 1, 60, $3, null),
                      ($1, $4, null, 'HIGH', 2, 180, null, 'duty@acme.example.com'),
                      ($1, $5, $6, 'HIGH', 1, 600, null, null)";
    let ids: Vec<Uuid> = (0..3).map(|_| *CorrelationId::generate().as_uuid()).collect();
    let admin = world.db.admin().await;
    admin.execute(sql, &[&world.client, &ids[0], &world.ben, &ids[1], &ids[2], &depot]).await.unwrap();
}

fn process(client: ClientId) -> Actor {
    Actor::process(client, CorrelationId::generate())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overdue_ticket_is_escalated_once_however_many_workers_look() {
    let world = World::create().await;
    rules(&world).await;
    let addresses = "duty@acme.example.com, Night@acme.example.com,asha@acme.example.com";
    let sql = format!("update escalation_rule set notify = '{addresses}' where level = 2");
    world.db.admin().await.execute(&sql, &[]).await.unwrap();
    let actor = world.actor(world.asha);
    let raised = ticket::create(&world.web, &actor, &world.draft("Leak"), noon()).await.unwrap();
    let worker = world.db.store("worker");
    let process = process(world.client);
    let soon = noon() + SignedDuration::from_mins(59);
    assert_eq!(escalation::escalate(&worker, &process, soon, 50).await.unwrap().escalated, 0);
    let due = noon() + SignedDuration::from_mins(60);
    let looking = (0..6).map(|_| escalation::escalate(&worker, &process, due, 50));
    let escalated: usize = join_all(looking).await.into_iter().map(|done| done.unwrap().escalated).sum();
    assert_eq!(escalated, 1);
    let details = ticket::get(&world.web, &actor, raised.id).await.unwrap();
    assert_eq!(details.named.ticket.escalation_level, 1);
    assert_eq!(details.named.ticket.assignee_id, Some(world.ben));
    assert_eq!(details.history.last().unwrap().detail, "Escalated from level 0 to 1: nobody acted in time.");
    assert_eq!(world.count("ticket_event where kind = 'ESCALATED'").await, 1);

    let later = due + SignedDuration::from_mins(180);
    assert_eq!(escalation::escalate(&worker, &process, later, 50).await.unwrap().escalated, 1);
    assert_eq!(escalation::escalate(&worker, &process, later, 50).await.unwrap().escalated, 0);
    let details = ticket::get(&world.web, &actor, raised.id).await.unwrap();
    assert_eq!(details.named.ticket.assignee_id, Some(world.ben));
    let event_id = details.history.last().unwrap().id;
    let mail = app::mail::TicketMail { ticket_id: raised.id, event_id };
    let mail = app::mail::prepare(&worker, &process, &mail).await.unwrap().unwrap();
    let addresses: Vec<&str> = mail.recipients.iter().map(|recipient| recipient.email.as_str()).collect();
    let everybody = ["asha@acme.example.com", "duty@acme.example.com", "night@acme.example.com"];
    assert_eq!(addresses, everybody);
    let outside: Vec<bool> = mail.recipients.iter().map(|recipient| recipient.is_outside).collect();
    assert_eq!(outside, [false, true, true], "the rule names one of the client's people, too");
}

#[tokio::test]
async fn finished_waiting_and_quiet_tickets_and_other_clients_are_left_alone() {
    let world = World::create().await;
    rules(&world).await;
    let other = world.db.client("OTHER").await;
    let hq = world.db.site(other, "HQ").await;
    let long_ago = "2029-01-01T00:00:00Z";
    let high = domain::ticket::TicketPriority::High;
    world.db.ticket(other, hq).priority(high).created_at(long_ago).await;
    for state in [TicketState::OnHold, TicketState::Resolved, TicketState::Closed, TicketState::Cancelled] {
        world.db.ticket(world.client, world.site).priority(high).state(state).created_at(long_ago).await;
    }
    world.db.ticket(world.client, world.site).created_at(long_ago).await;
    let worker = world.db.store("worker");
    for client in escalation::list_client_ids(&worker).await.unwrap() {
        assert_eq!(escalation::escalate(&worker, &process(client), noon(), 50).await.unwrap().escalated, 0);
    }
}

#[tokio::test]
async fn a_sites_own_rule_goes_before_the_clients() {
    let world = World::create().await;
    rules(&world).await;
    let sql = "update ticket set site_id = (select id from site where code = 'DEPOT')";
    let high = domain::ticket::TicketPriority::High;
    world.db.ticket(world.client, world.site).priority(high).created_at("2030-01-01T12:00:00Z").await;
    world.db.admin().await.execute(sql, &[]).await.unwrap();
    let worker = world.db.store("worker");
    let at = |minutes| noon() + SignedDuration::from_mins(minutes);
    let process = process(world.client);
    assert_eq!(escalation::escalate(&worker, &process, at(599), 50).await.unwrap().escalated, 0);
    assert_eq!(escalation::escalate(&worker, &process, at(600), 50).await.unwrap().escalated, 1);
}

#[tokio::test]
async fn time_that_does_not_count_is_not_made_up_for_when_work_begins_again() {
    let world = World::create().await;
    rules(&world).await;
    let actor = world.actor(world.asha);
    let raised = ticket::create(&world.web, &actor, &world.draft("Leak"), noon()).await.unwrap();
    let at = |minutes| noon() + SignedDuration::from_mins(minutes);
    let worker = world.db.store("worker");
    let process = process(world.client);
    let moves = [(TicketState::Open, 10), (TicketState::OnHold, 20), (TicketState::Open, 10_000)];
    for (version, (state, minutes)) in (1..).zip(moves) {
        let read = ticket::TicketRead { id: raised.id, version };
        ticket::move_to(&world.web, &actor, read, state, at(minutes)).await.unwrap();
    }
    assert_eq!(escalation::escalate(&worker, &process, at(10_059), 50).await.unwrap().escalated, 0);
    assert_eq!(escalation::escalate(&worker, &process, at(10_060), 50).await.unwrap().escalated, 1);
}

#[tokio::test]
async fn opening_a_new_ticket_does_not_restart_its_time() {
    let world = World::create().await;
    rules(&world).await;
    let actor = world.actor(world.asha);
    let raised = ticket::create(&world.web, &actor, &world.draft("Leak"), noon()).await.unwrap();
    let at = |minutes| noon() + SignedDuration::from_mins(minutes);
    let read = ticket::TicketRead { id: raised.id, version: 1 };
    ticket::move_to(&world.web, &actor, read, TicketState::Open, at(50)).await.unwrap();
    let escalated = escalation::escalate(&world.db.store("worker"), &process(world.client), at(60), 50).await;
    assert_eq!(escalated.unwrap().escalated, 1);
}

#[tokio::test]
async fn mail_of_each_escalation_goes_to_its_own_level_however_late() {
    let world = World::create().await;
    rules(&world).await;
    let sql = "update escalation_rule set notify = 'first@acme.example.com' where level = 1";
    world.db.admin().await.execute(sql, &[]).await.unwrap();
    let actor = world.actor(world.ben);
    ticket::create(&world.web, &actor, &world.draft("Leak"), noon()).await.unwrap();
    let worker = world.db.store("worker");
    let process = process(world.client);
    for minutes in [60, 240] {
        let at = noon() + SignedDuration::from_mins(minutes);
        assert_eq!(escalation::escalate(&worker, &process, at, 50).await.unwrap().escalated, 1);
    }
    let rows = world.db.admin().await.query("select args from task order by id", &[]).await.unwrap();
    for (row, (level, address)) in
        rows.iter().zip([(1, "first@acme.example.com"), (2, "duty@acme.example.com")])
    {
        let mail = serde_json::from_value(row.get(0)).unwrap();
        let mail = app::mail::prepare(&worker, &process, &mail).await.unwrap().unwrap();
        assert_eq!(mail.news.escalation_level, level);
        assert_eq!(mail.recipients.len(), 1);
        assert_eq!(mail.recipients[0].email, address);
    }
    assert_eq!(rows.len(), 2);
}

#[tokio::test]
async fn a_ticket_that_cannot_be_escalated_does_not_keep_the_others_from_it() {
    let world = World::create().await;
    rules(&world).await;
    let high = domain::ticket::TicketPriority::High;
    let mut tickets = Vec::new();
    for hour in 1..=3 {
        let at = format!("2029-12-31T0{hour}:00:00Z");
        tickets.push(world.db.ticket(world.client, world.site).priority(high).created_at(&at).await);
    }
    let refuse = format!(
        "alter table ticket_event add constraint untold check (ticket_id <> '{}' or kind <> 'ESCALATED')",
        tickets[0]
    );
    world.db.admin().await.batch_execute(&refuse).await.unwrap();
    let worker = world.db.store("worker");
    let done = escalation::escalate(&worker, &process(world.client), noon(), 50).await.unwrap();
    assert_eq!((done.overdue, done.escalated), (3, 2));
    assert_eq!(done.failed.iter().map(|(ticket, _)| *ticket).collect::<Vec<_>>(), [tickets[0]]);
    assert_eq!(world.count("ticket where escalation_level = 1").await, 2);
}

#[tokio::test]
async fn tickets_that_cannot_be_escalated_do_not_stand_before_the_others_of_their_client() {
    let world = World::create().await;
    rules(&world).await;
    let high = domain::ticket::TicketPriority::High;
    for hour in 1..=5 {
        let at = format!("2029-12-31T0{hour}:00:00Z");
        world.db.ticket(world.client, world.site).priority(high).created_at(&at).await;
    }
    let refuse = "alter table ticket add constraint stuck check (created_at > '2029-12-31T03:30Z' or escalation_level = 0)";
    world.db.admin().await.batch_execute(refuse).await.unwrap();
    let (worker, process) = (world.db.store("worker"), process(world.client));
    let mut stuck = std::collections::BTreeSet::new();
    for (failed, escalated) in [(2, 0), (1, 1), (0, 1), (0, 0)] {
        let done = escalation::escalate_others(&worker, &process, noon(), 2, &stuck).await.unwrap();
        assert_eq!((done.failed.len(), done.escalated), (failed, escalated));
        stuck.extend(done.failed.into_iter().map(|(ticket, _)| ticket));
    }
    assert_eq!(world.count("ticket where escalation_level = 1").await, 2);
}
