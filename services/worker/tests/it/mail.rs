use std::collections::BTreeSet;

use domain::CorrelationId;
use local::mail::Answer;
use queue::NewTask;
use testkit::process::Binary;
use testkit::{PATIENCE, wait_until};

use crate::world::{World, enqueue_mail, environment, raise_ticket};

const MAILED: &str = "select count(*) from ticket_event where kind = 'MAILED'";
const TASKS: &str = "select count(*) from task";
const BURIED: &str = "select count(*) from task_dead_letter";

#[tokio::test]
async fn a_mail_reaches_everybody_in_one_message_with_its_headers() {
    let world = World::start().await;
    let mail = world.raised_ticket().await;
    let correlation = CorrelationId::generate();
    world.enqueue_mail(mail, correlation).await;

    let kept = world.wait_for_mails(1).await.remove(0);
    assert_eq!(kept.to, ["asha@example.com", "ben@example.com"]);
    assert_eq!(kept.from, "Youtility <robot@mail.example.com>");
    assert_eq!(kept.subject, "Ticket #1 is created at site Site HQ: Leak in pump room");
    let header = |name: &str| kept.headers.get(name).map(String::as_str);
    let id: uuid::Uuid = world.admin.query_one("select id from mail", &[]).await.unwrap().get(0);
    assert_eq!(header("Message-ID"), Some(format!("<{id}@mail.example.com>").as_str()));
    assert_eq!(header("X-Correlation-ID"), Some(correlation.to_string().as_str()));
    assert_eq!(header("Auto-Submitted"), Some("auto-generated"));
    assert_eq!(header("Reply-To"), Some("help@example.com"));
    assert!(header("To").unwrap().contains("Ben Müller"), "{kept:?}");
    assert!(header("Content-Type").unwrap().starts_with("multipart/alternative"), "{kept:?}");
    let link = format!("https://app.example.com/tickets/{}", mail.ticket_id);
    assert!(kept.text.contains(&link) && kept.text.contains("Water on the floor."), "{}", kept.text);
    let raw = String::from_utf8(world.sink.raw(&kept)).unwrap();
    assert_eq!(raw.matches("Content-Type: text/html").count(), 1, "{raw}");

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
    world.sink.answer(Answer::PutOff);
    world.enqueue_mail(world.raised_ticket().await, CorrelationId::generate()).await;
    let tried = "select coalesce(max(attempt), 0)::bigint from task_attempt where outcome = 'FAILED'";
    world.db.wait_for_count(tried, 2).await;
    assert!(world.sink.mails().await.is_empty());
    assert_eq!(world.mail_row("state || ' ' || reply_code").await, "QUEUED 451");
    world.sink.answer(Answer::Accept);
    assert_eq!(world.wait_for_mails(1).await.len(), 1);
    world.db.wait_for_count(MAILED, 1).await;
    assert_eq!(world.db.count(BURIED).await, 0);
    assert_eq!(world.mail_row("state || ' ' || reply_code").await, "SENT 250");
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn a_mail_that_is_never_taken_is_given_up_and_can_be_tried_again_by_hand() {
    let world = World::start_with(|settings| settings.tasks.mail_attempts_max = 2).await;
    world.sink.answer(Answer::PutOff);
    world.enqueue_mail(world.raised_ticket().await, CorrelationId::generate()).await;
    world.db.wait_for_count(BURIED, 1).await;
    assert_eq!(world.mail_row("state").await, "GIVEN_UP");
    assert_eq!(world.db.count("select count(*) from audit_event where action = 'mail_given_up'").await, 1);
    world.sink.answer(Answer::Accept);
    let task: uuid::Uuid =
        world.admin.query_one("select id from task_dead_letter", &[]).await.unwrap().get(0);
    world.retry_dead_letter(task).await;
    world.wait_for_mails(1).await;
    world.db.wait_for_count(MAILED, 1).await;
    assert_eq!(world.mail_row("state").await, "SENT");
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn a_secret_that_is_gone_is_not_sent_as_an_empty_mail_when_somebody_tries_again() {
    let world = World::start().await;
    let sql = "insert into mail (client_id, id, created_at, kind, subject_kind, subject_id, cause_id, part, domain,
                                 recipients, subject, text_body, html_body, body_kept, state, correlation_id)
               values ($1, gen_random_uuid(), '2030-01-01T12:00:00Z', 'link', 'person', gen_random_uuid(),
                       gen_random_uuid(), 0, 'example.com',
                       '[{\"name\": null, \"email\": \"asha@example.com\", \"state\": \"QUEUED\", \"reply_code\": null}]',
                       'Sign in', '', '', false, 'GIVEN_UP', gen_random_uuid())
               returning jsonb_build_object('mail_id', id, 'created_at', '2030-01-01T12:00:00Z')";
    let args: serde_json::Value = world.admin.query_one(sql, &[&world.client]).await.unwrap().get(0);
    let task = NewTask::new("mail.send", &args).queue("email").tenant(*world.client.as_uuid());
    queue::enqueue(&world.admin, &[task]).await.unwrap();
    world.db.wait_for_count(BURIED, 1).await;
    let letter = world.admin.query_one("select reason, error from task_dead_letter", &[]).await.unwrap();
    assert_eq!(letter.get::<_, &str>(0), "PERMANENT");
    assert!(letter.get::<_, &str>(1).starts_with("the message held a secret, which was removed"));
    assert!(world.sink.mails().await.is_empty());
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn a_refusal_that_does_not_say_why_is_for_this_mail_only() {
    let world = World::start().await;
    world
        .sink
        .answer(Answer::each([("asha@example.com", "550 blocked"), ("ben@example.com", "550 blocked")]));
    world.enqueue_mail(world.raised_ticket().await, CorrelationId::generate()).await;
    world.db.wait_for_count(BURIED, 1).await;
    assert_eq!(world.db.count("select count(*) from mail_bounce where suppressed_until is null").await, 2);
    world.sink.answer(Answer::Accept);
    world.enqueue_mail(world.raised_ticket().await, CorrelationId::generate()).await;
    assert_eq!(world.wait_for_mails(1).await[0].to, ["asha@example.com", "ben@example.com"]);
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn an_address_that_only_the_rule_names_gets_a_mail_of_its_own_at_the_domain_of_others() {
    let world = World::start().await;
    let sql = "insert into escalation_rule (client_id, id, priority, level, after_minutes, group_id, notify)
               values ($1, gen_random_uuid(), 'MEDIUM', 1, 30, $2, 'vendor@example.com')";
    world.admin.execute(sql, &[&world.client, &world.group]).await.unwrap();
    world.db.ticket(world.client, world.site).created_at("2020-01-01T00:00:00Z").await;
    queue::enqueue(&world.admin, &[NewTask::new("ticket.escalate", &())]).await.unwrap();
    let mails = world.wait_for_mails(2).await;
    let names_vendor: BTreeSet<(bool, usize)> = mails
        .iter()
        .map(|mail| {
            (mail.headers["To"].contains("vendor@example.com"), mail.headers["To"].matches('@').count())
        })
        .collect();
    assert_eq!(names_vendor, BTreeSet::from([(false, 2), (true, 1)]));
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn addresses_that_are_gone_are_noted_and_not_mailed_again() {
    let world = World::start().await;
    world.sink.answer(Answer::Refuse);
    world.enqueue_mail(world.raised_ticket().await, CorrelationId::generate()).await;
    world.db.wait_for_count("select count(*) from mail where state = 'REFUSED'", 1).await;
    world.db.wait_for_count(TASKS, 0).await;
    assert_eq!(world.db.count(MAILED).await, 0);
    assert_eq!(world.db.count(BURIED).await, 0, "there is nothing to repeat");
    assert_eq!(world.mail_row("attempts || ' ' || reply_code").await, "1 550");
    assert_eq!(world.mail_row("reason").await, "5.1.1 there is no such mailbox");
    let told = "select count(*) from audit_event where action = 'mail_address_suppressed' and subject_kind = 'ticket'";
    assert_eq!(world.db.count(told).await, 2);
    assert_eq!(world.db.count("select count(*) from mail_bounce where reply_code = 550").await, 2);

    world.sink.answer(Answer::Accept);
    world.enqueue_mail(world.raised_ticket().await, CorrelationId::generate()).await;
    world.db.wait_for_count("select count(*) from mail where state = 'REFUSED'", 2).await;
    world.db.wait_for_count(TASKS, 0).await;
    assert!(world.sink.mails().await.is_empty());
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn a_mail_the_relay_objects_to_is_buried_at_once_with_a_note() {
    let world = World::start().await;
    world.sink.answer(Answer::AfterMessage("554 5.7.1 this to asha@example.com looks like spam".to_owned()));
    world.enqueue_mail(world.raised_ticket().await, CorrelationId::generate()).await;
    world.db.wait_for_count(BURIED, 1).await;
    assert_eq!(world.db.count(TASKS).await, 0);
    assert_eq!(world.db.count("select count(*) from mail_bounce").await, 0, "no address is to blame");
    let note = world
        .admin
        .query_one("select detail->>'code' from audit_event where action = 'mail_refused'", &[])
        .await
        .unwrap();
    assert_eq!(note.get::<_, &str>(0), "554");
    assert_eq!(world.mail_row("reason").await, "5.7.1 this to asha@example.com looks like spam");
    let error = world.admin.query_one("select error from task_dead_letter", &[]).await.unwrap();
    assert_eq!(error.get::<_, &str>(0), "the mail relay refused the mail for good with 554");
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn one_address_that_is_gone_does_not_keep_the_mail_from_the_others() {
    let world = World::start().await;
    world.sink.answer(Answer::each([("asha@example.com", "550 5.1.1 no such mailbox")]));
    world.enqueue_mail(world.raised_ticket().await, CorrelationId::generate()).await;
    let mails = world.wait_for_mails(1).await;
    assert_eq!(mails[0].to, ["ben@example.com"]);
    let noted = "select count(*) from ticket_event where detail = 'Mailed to one address.'";
    world.db.wait_for_count(noted, 1).await;
    world.db.wait_for_count(TASKS, 0).await;
    assert_eq!(world.db.count(BURIED).await, 0);
    assert_eq!(world.db.count("select count(*) from mail_bounce where email = 'asha@example.com'").await, 1);
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn a_relay_that_refuses_us_is_not_taken_for_addresses_that_are_gone() {
    let world = World::start().await;
    let denied = "550 5.7.1 relaying denied";
    world.sink.answer(Answer::each([("asha@example.com", denied), ("ben@example.com", denied)]));
    world.enqueue_mail(world.raised_ticket().await, CorrelationId::generate()).await;
    world.db.wait_for_count(BURIED, 1).await;
    assert_eq!(world.db.count("select count(*) from mail_bounce").await, 0);
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn who_was_put_off_gets_the_mail_later_and_nobody_gets_it_twice() {
    let world = World::start().await;
    world
        .db
        .person(world.client, "chitra")
        .name("Chitra Iyer")
        .email("chitra@example.com")
        .group(world.group)
        .await;
    world.sink.answer(Answer::each([
        ("asha@example.com", "550 5.1.1 no such mailbox"),
        ("chitra@example.com", "451 4.3.0 try again later"),
    ]));
    world.enqueue_mail(world.raised_ticket().await, CorrelationId::generate()).await;
    let tried = "select coalesce(max(attempt), 0)::bigint from task_attempt where outcome = 'FAILED'";
    world.db.wait_for_count(tried, 2).await;
    assert_eq!(world.sink.mails().await.len(), 1);
    assert_eq!(world.db.count(MAILED).await, 0, "the event is told when the last of them is served");
    world.sink.answer(Answer::Accept);
    let mails = world.wait_for_mails(2).await;
    let to: Vec<&[String]> = mails.iter().map(|mail| mail.to.as_slice()).collect();
    assert_eq!(to, [["ben@example.com"], ["chitra@example.com"]]);
    assert_eq!(mails[0].headers["Message-ID"], mails[1].headers["Message-ID"]);
    let noted = "select count(*) from ticket_event where detail = 'Mailed to 2 addresses.'";
    world.db.wait_for_count(noted, 1).await;
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn mails_over_the_limit_of_a_domain_wait_without_using_up_attempts() {
    let world = World::start_with(|settings| {
        settings.mail.domain_rate_max = 2;
        settings.mail.domain_rate_period_ms = 1000;
    })
    .await;
    for _ in 0..6 {
        world.enqueue_mail(world.raised_ticket().await, CorrelationId::generate()).await;
    }
    world.wait_for_mails(6).await;
    world.db.wait_for_count(MAILED, 6).await;
    world.db.wait_for_count(TASKS, 0).await;
    assert!(world.db.count("select count(*) from task_attempt where outcome = 'SNOOZED'").await >= 4);
    assert_eq!(world.db.count("select count(*) from mail where attempts = 1").await, 6);
    // Two at once, then one each half second: the last begins two seconds after the first, or later.
    let spread = "select count(*) from mail having max(tried_at) - min(tried_at) >= interval '1.9 seconds'";
    assert_eq!(world.db.count(spread).await, 6);
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn recipients_of_several_domains_get_messages_of_their_own_and_one_line_of_history() {
    let world = World::start().await;
    world.db.person(world.client, "dee").email("dee@vendor.example.net").group(world.group).await;
    world.enqueue_mail(world.raised_ticket().await, CorrelationId::generate()).await;
    let mails = world.wait_for_mails(2).await;
    let headers: BTreeSet<bool> =
        mails.iter().map(|mail| mail.headers["To"].contains("dee@vendor.example.net")).collect();
    assert_eq!(headers, BTreeSet::from([false, true]));
    assert!(mails.iter().all(|mail| mail.to.len() == if mail.headers["To"].contains("dee") { 1 } else { 2 }));
    let noted = "select count(*) from ticket_event where detail = 'Mailed to 3 addresses.'";
    world.db.wait_for_count(noted, 1).await;
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
    let mails = world.sink.mails().await;
    let bytes: BTreeSet<Vec<u8>> = mails.iter().map(|mail| world.sink.raw(mail)).collect();
    assert_eq!(bytes.len(), 1, "a repetition is the same to the last byte");
    assert_eq!(world.db.count(MAILED).await, 1);
    world.worker.stop().await.unwrap();
}

#[tokio::test]
async fn a_worker_killed_after_the_relay_took_a_mail_leaves_it_to_another_under_the_same_message_id() {
    let world = World::start().await;
    let World { db, admin, sink, worker, client, site, group, proxy } = world;
    worker.stop().await.unwrap();
    let mut env = environment(&db, sink.address);
    for (key, value) in [("QUEUE__HEARTBEAT_MS", "100"), ("QUEUE__LEASE_MS", "1000")] {
        env.push((format!("YOUTILITY_{key}"), value.to_owned()));
    }
    env.push(("YOUTILITY_MAIL__TIMEOUT_MS".to_owned(), "30000".to_owned()));
    let binary = Binary::new(env!("CARGO_BIN_EXE_worker")).env(env);
    let first = binary.start().await;
    sink.answer(Answer::Silence);
    let raised = raise_ticket(&db, &admin, (client, site, group)).await;
    enqueue_mail(&admin, client, raised, CorrelationId::generate()).await;
    wait_until("the mail the relay took", PATIENCE, async || match sink.mails().await.len() {
        1 => Ok(()),
        count => Err(count),
    })
    .await;
    drop(first); // SIGKILL
    sink.answer(Answer::Accept);
    assert_eq!(db.count(MAILED).await, 0);
    let second = binary.start().await;
    db.wait_for_count(MAILED, 1).await;
    let mails = sink.mails().await;
    assert_eq!(mails.len(), 2);
    assert_eq!(sink.raw(&mails[0]), sink.raw(&mails[1]));
    assert_eq!(db.count("select count(*) from mail where attempts = 2 and state = 'SENT'").await, 1);
    second.terminate().await;
    drop(proxy);
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
