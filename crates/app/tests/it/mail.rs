//! What mail about a ticket says, and that it is posted and told once.

use std::time::Duration;

use app::mail::{self, Letter, TicketMail};
use app::outbox::{self, Answer, Attempt, Begun, Reply, SendMail, Verdict, Whole};
use app::ticket::{self, Assignment, Comment, Draft, DraftText};
use domain::mail::Chances;
use domain::ticket::TicketEventKind;
use domain::{Actor, CorrelationId, TicketEventId, TicketId};
use jiff::SignedDuration;

use crate::world::{World, noon, seen};

async fn enqueued(world: &World) -> Vec<TicketMail> {
    let rows = world
        .db
        .admin()
        .await
        .query("select args from task where kind = 'ticket.mail' order by id", &[])
        .await
        .unwrap();
    rows.iter().map(|row| serde_json::from_value(row.get(0)).unwrap()).collect()
}

#[tokio::test]
async fn news_reach_creator_assignee_and_group_once_each() {
    let world = World::create().await;
    let group = world.db.group(world.client, "DESK").await;
    world.db.person(world.client, "dee").email("dee@acme.example.com").group(group).await;
    world.db.person(world.client, "eve").email("ASHA@acme.example.com").group(group).await;
    let actor = world.actor(world.asha);
    let draft = Draft { assignee_id: Some(world.ben), ..world.draft("Leak") };
    let raised = ticket::create(&world.web, &actor, &draft, noon()).await.unwrap();
    let to = Assignment { person_id: Some(world.ben), group_id: Some(group) };
    ticket::assign(&world.web, &actor, seen(raised.id), to, noon() + SignedDuration::from_mins(1))
        .await
        .unwrap();
    let tasks = enqueued(&world).await;
    assert_eq!(tasks.len(), 2);

    let worker = world.db.store("worker");
    let process = Actor::process(world.client, CorrelationId::generate());
    let mail = mail::prepare(&worker, &process, &tasks[1]).await.unwrap().unwrap();
    assert_eq!((mail.news.number, mail.news.kind), (1, TicketEventKind::Assigned));
    assert_eq!(mail.news.detail, "Given to ben and Group DESK.");
    assert_eq!(mail.news.correlation_id, actor.correlation_id);
    let addresses: Vec<&str> = mail.recipients.iter().map(|recipient| recipient.email.as_str()).collect();
    assert_eq!(addresses, ["asha@acme.example.com", "dee@acme.example.com"]);
}

#[tokio::test]
async fn a_comment_whose_id_another_client_chose_before_is_mailed_all_the_same() {
    let world = World::create().await;
    let other = world.db.client("OTHER").await;
    let site = world.db.site(other, "HQ").await;
    let dee = world.db.person(other, "dee").email("dee@other.example.com").await;
    let theirs = Actor { person_id: Some(dee), ..Actor::process(other, CorrelationId::generate()) };
    let comment = Comment::parse(TicketEventId::generate(), "On my way.").unwrap();
    let at_theirs =
        DraftText { site: &site.to_string(), title: "Leak", description: "", priority: "HIGH", assignee: "" };
    let at_theirs = Draft::parse(TicketId::generate(), &at_theirs).unwrap();
    for (actor, draft) in [(&theirs, at_theirs), (&world.actor(world.asha), world.draft("Leak"))] {
        let raised = ticket::create(&world.web, actor, &draft, noon()).await.unwrap();
        for _ in 0..2 {
            ticket::comment(&world.web, actor, raised.id, &comment, noon()).await.unwrap();
        }
    }
    let about = format!("task where kind = 'ticket.mail' and args->>'event_id' = '{}'", comment.id);
    assert_eq!(world.count(&about).await, 2, "once for each client");
}

#[tokio::test]
async fn the_history_tells_of_mail_once_all_messages_about_an_event_have_ended() {
    let world = World::create().await;
    let group = world.db.group(world.client, "DESK").await;
    world.db.person(world.client, "dee").email("dee@elsewhere.example.com").group(group).await;
    let actor = world.actor(world.asha);
    let raised = ticket::create(&world.web, &actor, &world.draft("Leak"), noon()).await.unwrap();
    let to = Assignment { person_id: None, group_id: Some(group) };
    ticket::assign(&world.web, &actor, seen(raised.id), to, noon()).await.unwrap();
    let task = enqueued(&world).await[1];
    let worker = world.db.store("worker");
    let process = Actor::process(world.client, CorrelationId::generate());
    let prepared = mail::prepare(&worker, &process, &task).await.unwrap().unwrap();
    for posted in [2, 0] {
        assert_eq!(mail::post(&worker, &process, &task, &prepared, &letter()).await.unwrap(), posted);
    }

    let terms = outbox::Terms {
        from: outbox::MailSender { sender: "robot@example.com".to_owned(), reply_to: None },
        rate: outbox::DomainRate { interval: Duration::ZERO, burst: Duration::ZERO },
        suppression: outbox::Suppression { lasts: Duration::from_hours(24), after_days: 3 },
    };
    for (message, mailed) in posted(&world).await.into_iter().zip([0, 1]) {
        let begun = outbox::begin(&worker, &process, message, &terms, noon()).await.unwrap();
        let Begun::Send(outgoing) = begun else { panic!("{begun:?}") };
        let email = outgoing.open().next().unwrap().to_owned();
        let reply = Reply { code: Some(250), reason: "kept".to_owned() };
        let answers = vec![Answer { email, verdict: Verdict::Taken, reply }];
        let attempt = Attempt { answers, whole: Whole::Answered };
        let chances = (Chances::Left, terms.suppression);
        outbox::settle(&worker, &process, (&outgoing, &attempt), chances, noon()).await.unwrap();
        assert_eq!(world.count("ticket_event where kind = 'MAILED'").await, mailed);
    }
    assert_eq!(world.count("ticket_event where detail = 'Mailed to 2 addresses.'").await, 1);
    assert_eq!(mail::prepare(&worker, &process, &task).await.unwrap(), None);
}

fn letter() -> Letter {
    Letter { subject: "News".to_owned(), text: "News".to_owned(), html: "<p>News</p>".to_owned() }
}

async fn posted(world: &World) -> Vec<SendMail> {
    let sql = "select args from task where kind = 'mail.send' order by id";
    let rows = world.db.admin().await.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| serde_json::from_value(row.get(0)).unwrap()).collect()
}

#[tokio::test]
async fn a_ticket_that_concerns_nobody_with_an_address_enqueues_nothing() {
    let world = World::create().await;
    ticket::create(&world.web, &world.actor(world.ben), &world.draft("Leak"), noon()).await.unwrap();
    assert_eq!(world.count("task").await, 0);
}

#[tokio::test]
async fn news_reach_those_who_had_the_ticket_then_and_see_its_site() {
    let world = World::create().await;
    let depot = world.db.site(world.client, "DEPOT").await;
    let cy = world.db.person(world.client, "cy").email("cy@acme.example.com").sites(&[world.site]).await;
    let dee = world.db.person(world.client, "dee").email("dee@acme.example.com").sites(&[world.site]).await;
    let actor = world.actor(world.ben);
    let draft = Draft { assignee_id: Some(cy), ..world.draft("Leak") };
    let raised = ticket::create(&world.web, &actor, &draft, noon()).await.unwrap();
    let to = Assignment { person_id: Some(dee), group_id: None };
    ticket::assign(&world.web, &actor, seen(raised.id), to, noon()).await.unwrap();
    let tasks = enqueued(&world).await;
    let worker = world.db.store("worker");
    let process = Actor::process(world.client, CorrelationId::generate());
    for (task, address) in tasks.iter().zip(["cy@acme.example.com", "dee@acme.example.com"]) {
        let mail = mail::prepare(&worker, &process, task).await.unwrap().unwrap();
        assert_eq!(mail.recipients.len(), 1);
        assert_eq!(mail.recipients[0].email, address);
    }
    let sql = "update person_site set site_id = $1 where person_id = $2";
    world.db.admin().await.execute(sql, &[&depot, &cy]).await.unwrap();
    assert_eq!(mail::prepare(&worker, &process, &tasks[0]).await.unwrap(), None);
}
