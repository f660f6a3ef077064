use std::collections::BTreeSet;

use domain::CorrelationId;
use local::mail::Answer;
use testkit::{PATIENCE, wait_until};

use crate::world::World;

const MAILED: &str = "select count(*) from ticket_event where kind = 'MAILED'";
const TASKS: &str = "select count(*) from task";
const BURIED: &str = "select count(*) from task_dead_letter";

#[tokio::test]
async fn a_mail_reaches_everybody_in_one_message_with_its_headers() {
    let world = World::start().await;
    let mail = world.raised_ticket().await;
    let correlation = CorrelationId::generate();
    let task = world.enqueue_mail(mail, correlation).await;

    let kept = world.wait_for_mails(1).await.remove(0);
    assert_eq!(kept.to, ["asha@example.com", "ben@example.com"]);
    assert_eq!(kept.from, "Youtility <robot@mail.example.com>");
    assert_eq!(kept.subject, "Ticket #1 is created at site Site HQ: Leak in pump room");
    let header = |name: &str| kept.headers.get(name).map(String::as_str);
    assert_eq!(header("Message-ID"), Some(format!("<{task}@mail.example.com>").as_str()));
    assert_eq!(header("X-Correlation-ID"), Some(correlation.to_string().as_str()));
    assert_eq!(header("Auto-Submitted"), Some("auto-generated"));
    assert_eq!(header("Reply-To"), Some("help@example.com"));
    assert!(header("To").unwrap().contains("Ben Müller"), "{kept:?}");
    assert!(header("Content-Type").unwrap().starts_with("multipart/alternative"), "{kept:?}");
    let link = format!("https://app.example.com/tickets/{}", mail.ticket_id);
    assert!(kept.text.contains(&link) && kept.text.contains("Water on the floor."), "{}", kept.text);

    world.db.wait_for_count(TASKS, 0).await;
    let noted = world
        .admin
        .query_one("select ticket_id, cause_id, correlation_id from ticket_event where kind = 'MAILED'", &[])
        .await
        .unwrap();
    assert_eq!(noted.get::<_, uuid::Uuid>(0), *mail.ticket_id.as_uuid());
    assert_eq!(noted.get::<_, Option<uuid::Uuid>>(1), Some(*mail.event_id.as_uuid()));
    assert_eq!(noted.get::<_, uuid::Uuid>(2), *correlation.as_uuid());
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn enqueuing_wakes_the_worker_long_before_it_looks_by_itself() {
    let world = World::start_with(|settings| settings.queue.poll_interval_ms = 600_000).await;
    world.enqueue_mail(world.raised_ticket().await, CorrelationId::generate()).await;
    world.wait_for_mails(1).await;
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn an_event_that_was_mailed_is_not_mailed_again() {
    let world = World::start().await;
    let mail = world.raised_ticket().await;
    world.enqueue_mail(mail, CorrelationId::generate()).await;
    world.db.wait_for_count(MAILED, 1).await;
    world.enqueue_mail(mail, CorrelationId::generate()).await;
    world.db.wait_for_count(TASKS, 0).await;
    assert_eq!(world.sink.mails().await.len(), 1);
    assert_eq!(world.db.count(MAILED).await, 1);
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn a_mail_put_off_by_the_relay_is_tried_until_it_is_taken() {
    let world = World::start().await;
    let sink = world.sink.sink.as_ref().unwrap();
    sink.answer(Answer::PutOff);
    world.enqueue_mail(world.raised_ticket().await, CorrelationId::generate()).await;
    world
        .db
        .wait_for_count(
            "select coalesce(max(attempt), 0)::bigint from task_attempt where outcome = 'FAILED'",
            2,
        )
        .await;
    assert!(world.sink.mails().await.is_empty());
    sink.answer(Answer::Accept);
    assert_eq!(world.wait_for_mails(1).await.len(), 1);
    world.db.wait_for_count(MAILED, 1).await;
    assert_eq!(world.db.count(BURIED).await, 0);
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn a_mail_refused_for_good_is_buried_at_once_with_a_note() {
    let world = World::start().await;
    world.sink.sink.as_ref().unwrap().answer(Answer::Refuse);
    world.enqueue_mail(world.raised_ticket().await, CorrelationId::generate()).await;
    world.db.wait_for_count(BURIED, 1).await;
    assert_eq!(world.db.count(TASKS).await, 0);
    assert_eq!(world.db.count(MAILED).await, 0);
    let note = world
        .admin
        .query_one("select detail->>'reason' from audit_event where action = 'ticket_mail_refused'", &[])
        .await
        .unwrap();
    assert_eq!(note.get::<_, &str>(0), "550");
    let error = world.admin.query_one("select error from task_attempt", &[]).await.unwrap();
    assert_eq!(error.get::<_, &str>(0), "the mail relay refused the mail for good with 550");
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn one_address_that_is_gone_does_not_keep_the_mail_from_the_others() {
    let world = World::start().await;
    world.sink.sink.as_ref().unwrap().answer(Answer::RefuseOnly("asha@example.com".to_owned()));
    world.enqueue_mail(world.raised_ticket().await, CorrelationId::generate()).await;
    let mails = world.wait_for_mails(1).await;
    assert_eq!(mails[0].to, ["ben@example.com"]);
    let noted = "select count(*) from ticket_event where detail = 'Mailed to one address.'";
    world.db.wait_for_count(noted, 1).await;
    world.db.wait_for_count(TASKS, 0).await;
    assert_eq!(world.db.count(BURIED).await, 0);
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn who_got_a_mail_does_not_get_it_again_because_another_was_put_off() {
    let world = World::start().await;
    world
        .db
        .person(world.client, "chitra")
        .name("Chitra Iyer")
        .email("chitra@example.com")
        .group(world.group)
        .await;
    let answer = Answer::RefuseAndPutOff {
        refused: "asha@example.com".to_owned(),
        put_off: "chitra@example.com".to_owned(),
    };
    world.sink.sink.as_ref().unwrap().answer(answer);
    world.enqueue_mail(world.raised_ticket().await, CorrelationId::generate()).await;
    world.db.wait_for_count(TASKS, 0).await;
    let mails = world.sink.mails().await;
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0].to, ["ben@example.com"]);
    assert_eq!(world.db.count("select count(*) from task_attempt").await, 1);
    assert_eq!(world.db.count(MAILED).await, 1);
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn mails_wait_for_a_relay_that_is_away() {
    let mut world = World::start().await;
    world.sink.stop();
    for _ in 0..3 {
        world.enqueue_mail(world.raised_ticket().await, CorrelationId::generate()).await;
    }
    world.db.wait_for_count("select least(count(*), 3) from task_attempt where outcome = 'FAILED'", 3).await;
    world.sink.restart().await;
    let ids: BTreeSet<String> =
        world.wait_for_mails(3).await.iter().map(|mail| mail.headers["Message-ID"].clone()).collect();
    assert_eq!(ids.len(), 3);
    world.db.wait_for_count(MAILED, 3).await;
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn a_mail_taken_but_not_noted_is_sent_again_under_the_same_message_id_and_noted_once() {
    let world = World::start().await;
    let mail = world.raised_ticket().await;
    world
        .admin
        .batch_execute("alter table ticket_event add constraint unnoted check (kind <> 'MAILED')")
        .await
        .unwrap();
    world.enqueue_mail(mail, CorrelationId::generate()).await;
    wait_until("a second mail", PATIENCE, async || match world.sink.mails().await.len() {
        count @ ..2 => Err(count),
        _ => Ok(()),
    })
    .await;
    world.admin.batch_execute("alter table ticket_event drop constraint unnoted").await.unwrap();

    world.db.wait_for_count(MAILED, 1).await;
    world.db.wait_for_count(TASKS, 0).await;
    let ids: BTreeSet<String> =
        world.sink.mails().await.iter().map(|mail| mail.headers["Message-ID"].clone()).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(world.db.count(MAILED).await, 1);
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn mails_enqueued_while_the_worker_lost_the_database_are_sent_after_it_returns() {
    let world = World::start().await;
    world.proxy.cut();
    for _ in 0..3 {
        world.enqueue_mail(world.raised_ticket().await, CorrelationId::generate()).await;
    }
    assert!(world.sink.mails().await.is_empty());
    world.proxy.heal();
    world.wait_for_mails(3).await;
    world.db.wait_for_count(MAILED, 3).await;
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn a_worker_that_drains_finishes_what_it_began() {
    let world = World::start().await;
    for _ in 0..10 {
        world.enqueue_mail(world.raised_ticket().await, CorrelationId::generate()).await;
    }
    let World { admin, sink, worker, db: _db, proxy: _proxy, .. } = world;
    worker.stop().await.unwrap();
    let count = async |sql: &str| admin.query_one(sql, &[]).await.unwrap().get::<_, i64>(0);
    let noted = count(MAILED).await;
    assert_eq!(noted, i64::try_from(sink.mails().await.len()).unwrap());
    assert_eq!(noted + count(TASKS).await, 10);
    assert_eq!(count("select count(*) from task where worker_id is not null").await, 0);
}

#[tokio::test]
async fn tasks_that_hold_every_connection_do_not_keep_the_engine_from_its_heartbeat() {
    let world = World::start_with(|settings| {
        settings.database.pool_size = 1;
        settings.database.lock_timeout_ms = 60_000;
        settings.database.statement_timeout_ms = 60_000;
        settings.queue.heartbeat_ms = 100;
    })
    .await;
    let mail = world.raised_ticket().await;
    let holder = world.db.admin().await;
    holder.batch_execute("begin; lock table ticket in access exclusive mode").await.unwrap();
    world.enqueue_mail(mail, CorrelationId::generate()).await;
    let held = "select count(*) from pg_locks where relation = 'ticket'::regclass and not granted";
    world.db.wait_for_count(held, 1).await;
    let begun: String = world.admin.query_one("select clock_timestamp()::text", &[]).await.unwrap().get(0);
    let beats = format!(
        "select count(*) from task_worker where heartbeat_at > '{begun}'::timestamptz + interval '1 second'"
    );
    world.db.wait_for_count(&beats, 1).await;
    assert_eq!(world.db.count(held).await, 1, "the task still holds its connection");
    holder.batch_execute("rollback").await.unwrap();
    world.db.wait_for_count(MAILED, 1).await;
    world.worker.stop().await.unwrap();
}
