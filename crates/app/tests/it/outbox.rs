//! The mail outbox: posted once, sent in turn, settled for each recipient.

use std::time::Duration;

use app::mail::Recipient;
use app::outbox::{
    self, Answer, Attempt, Begun, Body, DomainRate, MailSender, NewMail, Outgoing, Reply, SendMail,
    Suppression, Terms, Verdict, Whole,
};
use domain::mail::{Chances, MailState, RecipientState};
use domain::{Actor, ClientId, CorrelationId};
use futures_util::future::join_all;
use store::Store;
use uuid::Uuid;

use crate::world::{World, noon};

const SUPPRESSION: Suppression = Suppression { lasts: Duration::from_hours(24), after_days: 3 };

fn terms() -> Terms {
    terms_of(1000, Duration::from_secs(1))
}

/// So many messages to a domain in a period.
fn terms_of(max: u32, period: Duration) -> Terms {
    let interval = period / max;
    Terms {
        from: MailSender { sender: "robot@mail.example.com".to_owned(), reply_to: None },
        rate: DomainRate { interval, burst: period.saturating_sub(interval) },
        suppression: SUPPRESSION,
    }
}

fn colleague(email: &str) -> Recipient {
    Recipient { name: None, email: email.to_owned(), is_outside: false }
}

fn mail(to: &[&str], body: Body) -> NewMail {
    NewMail {
        kind: "report",
        about: ("report", *CorrelationId::generate().as_uuid()),
        cause_id: *CorrelationId::generate().as_uuid(),
        at: noon(),
        to: to.iter().map(|email| colleague(email)).collect(),
        subject: "Report\nof May".to_owned(),
        text: "See below.".to_owned(),
        html: "<p>See below.</p>".to_owned(),
        body,
    }
}

fn process(client: ClientId) -> Actor {
    Actor::process(client, CorrelationId::generate())
}

/// Posts mail as the web does.
async fn post(world: &World, actor: &Actor, mail: &NewMail) -> usize {
    world.web.run_tx(actor, "post", |tx| async move { outbox::post(&tx, actor, mail).await }).await.unwrap()
}

/// The messages waiting to be sent, in the order they were enqueued.
async fn waiting(world: &World) -> Vec<SendMail> {
    let admin = world.db.admin().await;
    let rows = admin.query("select args from task where kind = 'mail.send' order by id", &[]).await.unwrap();
    rows.iter().map(|row| serde_json::from_value(row.get(0)).unwrap()).collect()
}

async fn begin(worker: &Store, actor: &Actor, mail: SendMail, terms: &Terms) -> Begun {
    outbox::begin(worker, actor, mail, terms, noon()).await.unwrap()
}

async fn begin_sending(worker: &Store, actor: &Actor, mail: SendMail) -> Outgoing {
    let begun = begin(worker, actor, mail, &terms()).await;
    let Begun::Send(outgoing) = begun else { panic!("{begun:?}") };
    *outgoing
}

fn answer(email: &str, verdict: Verdict, code: u16) -> Answer {
    let reply = Reply { code: Some(code), reason: format!("{code} said the relay") };
    Answer { email: email.to_owned(), verdict, reply }
}

fn answered<const COUNT: usize>(answers: [Answer; COUNT]) -> Attempt {
    Attempt { answers: answers.into(), whole: Whole::Answered }
}

async fn settle(worker: &Store, actor: &Actor, mail: &Outgoing, attempt: &Attempt) -> outbox::Standing {
    outbox::settle(worker, actor, (mail, attempt), (Chances::Left, SUPPRESSION), noon()).await.unwrap()
}

/// The one message of a world: a column as text.
async fn column(world: &World, name: &str) -> String {
    let sql = format!("select coalesce({name}::text, '') from mail");
    world.db.admin().await.query_one(&sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn mail_is_posted_once_for_its_cause_in_one_message_for_each_domain() {
    let world = World::create().await;
    let actor = process(world.client);
    let report = mail(&["asha@a.example", "ben@b.example", "chitra@a.example"], Body::Kept);
    assert_eq!(post(&world, &actor, &report).await, 2);
    assert_eq!(post(&world, &actor, &report).await, 0);
    assert_eq!(world.count("mail").await, 2);
    assert_eq!(waiting(&world).await.len(), 2);
    let other_kind = NewMail { kind: "summary", ..report };
    assert_eq!(post(&world, &actor, &other_kind).await, 2);
    assert_eq!(post(&world, &actor, &mail(&["nobody"], Body::Kept)).await, 0);
}

#[tokio::test]
async fn mail_exists_only_when_its_transaction_commits() {
    let world = World::create().await;
    let actor = &process(world.client);
    let report = &mail(&["asha@a.example"], Body::Kept);
    let failed: Result<(), store::Error> = world
        .web
        .run_tx(actor, "post", |tx| async move {
            outbox::post(&tx, actor, report).await?;
            Err(store::Error::Stale { statement: "what the mail was about" })
        })
        .await;
    assert!(failed.is_err());
    assert_eq!((world.count("mail").await, world.count("task").await), (0, 0));
}

#[tokio::test]
async fn a_repetition_says_the_same_whatever_is_configured_by_then() {
    let world = World::create().await;
    let (actor, worker) = (process(world.client), world.db.store("worker"));
    post(&world, &actor, &mail(&["asha@a.example"], Body::Kept)).await;
    let id = waiting(&world).await[0];
    let first = begin_sending(&worker, &actor, id).await;
    assert_eq!(first.subject, "Report of May");
    let from =
        MailSender { sender: "new@mail.example.com".to_owned(), reply_to: Some("x@y.example".to_owned()) };
    let Begun::Send(second) = begin(&worker, &actor, id, &Terms { from, ..terms() }).await else { panic!() };
    assert_eq!((&second.from.sender, &second.from.reply_to), (&first.from.sender, &first.from.reply_to));
    assert_eq!(column(&world, "attempts").await, "2");
}

#[tokio::test]
async fn who_was_served_is_not_served_again_and_who_is_gone_is_not_mailed_again() {
    let world = World::create().await;
    let (actor, worker) = (process(world.client), world.db.store("worker"));
    post(&world, &actor, &mail(&["asha@a.example", "ben@a.example", "chitra@a.example"], Body::Kept)).await;
    let id = waiting(&world).await[0];
    let outgoing = begin_sending(&worker, &actor, id).await;
    let attempt = answered([
        answer("asha@a.example", Verdict::Taken, 250),
        answer("ben@a.example", Verdict::Gone, 550),
        answer("chitra@a.example", Verdict::PutOff, 451),
    ]);
    let standing = settle(&worker, &actor, &outgoing, &attempt).await;
    assert_eq!((standing.state, standing.needs_a_look), (MailState::Queued, false));

    let again = begin_sending(&worker, &actor, id).await;
    assert_eq!(again.open().collect::<Vec<_>>(), ["chitra@a.example"]);
    assert_eq!(again.everybody.len(), 3, "the message names the same people");
    let attempt = answered([answer("chitra@a.example", Verdict::Taken, 250)]);
    assert_eq!(settle(&worker, &actor, &again, &attempt).await.state, MailState::Sent);
    assert!(matches!(begin(&worker, &actor, id, &terms()).await, Begun::Needless));
    assert_eq!(column(&world, "state").await, "SENT");

    let suppressed =
        "audit_event where action = 'mail_address_suppressed' and detail->>'email' = 'ben@a.example'";
    assert_eq!(world.count(suppressed).await, 1);
    post(&world, &actor, &mail(&["ben@a.example", "asha@a.example"], Body::Kept)).await;
    let next = *waiting(&world).await.last().unwrap();
    let outgoing = begin_sending(&worker, &actor, next).await;
    assert_eq!(outgoing.open().collect::<Vec<_>>(), ["asha@a.example"]);
    let ben = outgoing.everybody.iter().find(|recipient| recipient.email == "ben@a.example").unwrap();
    assert_eq!(ben.state, RecipientState::Suppressed);
}

#[tokio::test]
async fn an_address_that_was_refused_is_mailed_again_after_somebody_lifted_that() {
    let world = World::create().await;
    let (actor, worker) = (process(world.client), world.db.store("worker"));
    let report = mail(&["ben@a.example"], Body::Kept);
    post(&world, &actor, &report).await;
    let outgoing = begin_sending(&worker, &actor, waiting(&world).await[0]).await;
    let attempt = answered([answer("ben@a.example", Verdict::Gone, 550)]);
    let standing = settle(&worker, &actor, &outgoing, &attempt).await;
    assert_eq!((standing.state, standing.needs_a_look), (MailState::Refused, false));
    assert_eq!(world.count("audit_event where action = 'mail_refused'").await, 1);

    let clerk = world.actor_with(world.asha, &[domain::Capability::TicketsWrite]);
    assert!(outbox::lift_bounce(&world.web, &clerk, "ben@a.example", None).await.is_err());
    let boss = world.actor(world.asha);
    assert!(outbox::lift_bounce(&world.web, &boss, "Ben@a.example", None).await.unwrap());
    assert!(!outbox::lift_bounce(&world.web, &boss, "ben@a.example", None).await.unwrap());
    assert_eq!(world.count("audit_event where action = 'mail_address_lifted'").await, 1);
    begin_sending(&worker, &actor, outgoing.mail).await;
}

#[tokio::test]
async fn a_message_refused_as_a_whole_needs_a_look_and_can_be_tried_again() {
    let world = World::create().await;
    let (actor, worker) = (process(world.client), world.db.store("worker"));
    post(&world, &actor, &mail(&["asha@a.example", "ben@a.example"], Body::Kept)).await;
    let outgoing = begin_sending(&worker, &actor, waiting(&world).await[0]).await;
    let whole = Whole::Refused(Reply { code: Some(554), reason: "5.7.1 looks\r\nlike spam".to_owned() });
    let attempt = Attempt { answers: Vec::new(), whole };
    let standing = settle(&worker, &actor, &outgoing, &attempt).await;
    assert_eq!((standing.state, standing.needs_a_look), (MailState::Refused, true));
    assert_eq!(column(&world, "reply_code || ' ' || reason").await, "554 5.7.1 looks  like spam");
    assert_eq!(world.count("mail_bounce").await, 0, "no address is to blame");
    assert_eq!(begin_sending(&worker, &actor, outgoing.mail).await.open().count(), 2);
}

#[tokio::test]
async fn a_message_nobody_took_in_the_last_attempt_is_given_up() {
    let world = World::create().await;
    let (actor, worker) = (process(world.client), world.db.store("worker"));
    post(&world, &actor, &mail(&["asha@a.example"], Body::Secret)).await;
    let outgoing = begin_sending(&worker, &actor, waiting(&world).await[0]).await;
    let attempt = answered([answer("asha@a.example", Verdict::PutOff, 451)]);
    let last = (Chances::UsedUp, SUPPRESSION);
    let standing = outbox::settle(&worker, &actor, (&outgoing, &attempt), last, noon()).await.unwrap();
    assert_eq!(standing.state, MailState::GivenUp);
    assert_eq!(world.count("audit_event where action = 'mail_given_up'").await, 1);
    assert_eq!(column(&world, "text_body || html_body").await, "", "a secret goes however the mail ended");
    assert!(matches!(begin(&worker, &actor, outgoing.mail, &terms()).await, Begun::Emptied));
    assert_eq!(column(&world, "state || ' ' || attempts").await, "GIVEN_UP 1");
}

#[tokio::test]
async fn a_kept_body_that_was_given_up_can_be_tried_again() {
    let world = World::create().await;
    let (actor, worker) = (process(world.client), world.db.store("worker"));
    post(&world, &actor, &mail(&["asha@a.example"], Body::Kept)).await;
    let outgoing = begin_sending(&worker, &actor, waiting(&world).await[0]).await;
    let attempt = answered([answer("asha@a.example", Verdict::PutOff, 451)]);
    let last = (Chances::UsedUp, SUPPRESSION);
    outbox::settle(&worker, &actor, (&outgoing, &attempt), last, noon()).await.unwrap();
    assert_eq!(begin_sending(&worker, &actor, outgoing.mail).await.text, "See below.");
}

#[tokio::test]
async fn a_secret_goes_when_its_task_was_cancelled_and_stays_while_the_task_lives() {
    let world = World::create().await;
    let (actor, worker) = (process(world.client), world.db.store("worker"));
    post(&world, &actor, &mail(&["asha@a.example"], Body::Secret)).await;
    assert_eq!(outbox::end_secrets(&worker).await.unwrap(), 0);
    assert_eq!(column(&world, "state || text_body").await, "QUEUEDSee below.");
    let mail = waiting(&world).await[0];
    let admin = world.db.admin().await;
    let task = admin.query_one("select id from task where kind = 'mail.send'", &[]).await.unwrap().get(0);
    queue::cancel(&admin, task, "a test").await.unwrap();
    assert_eq!(outbox::end_secrets(&worker).await.unwrap(), 1);
    assert_eq!(column(&world, "state || text_body || html_body").await, "GIVEN_UP");
    assert!(matches!(begin(&worker, &actor, mail, &terms()).await, Begun::Emptied));
}

/// Sends one mail to an address at a time and notes a verdict.
async fn send_at(world: &World, email: &str, at: &str, verdict: Verdict) -> outbox::Standing {
    let (actor, worker) = (process(world.client), world.db.store("worker"));
    post(world, &actor, &mail(&[email], Body::Kept)).await;
    let outgoing = begin_sending(&worker, &actor, *waiting(world).await.last().unwrap()).await;
    let attempt = answered([answer(email, verdict, 550)]);
    let terms = (Chances::Left, SUPPRESSION);
    outbox::settle(&worker, &actor, (&outgoing, &attempt), terms, at.parse().unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_refusal_without_a_reason_silences_an_address_only_on_its_third_day_in_a_row() {
    const SUPPRESSED: &str = "mail_bounce where suppressed_until > '2031-01-01'";
    let world = World::create().await;
    let (ben, unclear) = ("ben@a.example", Verdict::Unclear);
    for at in ["2031-01-01T08:00:00Z", "2031-01-01T09:00:00Z", "2031-01-01T23:00:00Z", "2031-01-02T08:00:00Z"]
    {
        let standing = send_at(&world, ben, at, unclear).await;
        assert_eq!((standing.state, standing.needs_a_look), (MailState::Refused, true));
        assert_eq!(world.count(SUPPRESSED).await, 0, "{at}");
    }
    send_at(&world, ben, "2031-01-02T09:00:00Z", Verdict::Taken).await;
    for at in ["2031-01-03T08:00:00Z", "2031-01-04T08:00:00Z"] {
        send_at(&world, ben, at, unclear).await;
        assert_eq!(world.count(SUPPRESSED).await, 0, "a mail that was taken begins the count anew: {at}");
    }
    send_at(&world, ben, "2031-01-09T08:00:00Z", unclear).await;
    assert_eq!(world.count(SUPPRESSED).await, 1);
    assert_eq!(world.count("audit_event where action = 'mail_recipient_refused'").await, 6);
    assert_eq!(world.count("audit_event where action = 'mail_address_suppressed'").await, 1);
}

#[tokio::test]
async fn what_the_outbox_remembers_of_addresses_and_domains_goes_when_it_is_of_no_use() {
    let world = World::create().await;
    let (actor, worker) = (process(world.client), world.db.store("worker"));
    for _ in 0..2 {
        post(&world, &actor, &mail(&["ben@a.example"], Body::Kept)).await;
    }
    let mails = waiting(&world).await;
    let outgoing = begin_sending(&worker, &actor, mails[0]).await;
    settle(&worker, &actor, &outgoing, &answered([answer("ben@a.example", Verdict::Gone, 550)])).await;
    assert_eq!(app::upkeep::clean_up_mail(&worker, 30).await.unwrap(), 0);
    let age = "update mail_bounce set suppressed_until = now() - interval '31 days';
               update mail_turn set free_at = now() - interval '25 hours';
               update mail_domain set free_at = now() - interval '25 hours'";
    world.db.admin().await.batch_execute(age).await.unwrap();
    assert_eq!(app::upkeep::clean_up_mail(&worker, 30).await.unwrap(), 1);
    for table in ["mail_bounce", "mail_turn", "mail_domain"] {
        assert_eq!(world.count(table).await, 0, "{table}");
    }
    begin_sending(&worker, &actor, mails[1]).await;
}

#[tokio::test]
async fn who_is_outside_of_the_client_reads_nobodys_address_at_the_same_provider() {
    let world = World::create().await;
    let actor = process(world.client);
    let outside = |email: &str| Recipient { is_outside: true, ..colleague(email) };
    let to =
        vec![outside("duty@mail.example"), colleague("asha@mail.example"), outside("vendor@mail.example")];
    let report = NewMail { to, ..mail(&[], Body::Kept) };
    assert_eq!(post(&world, &actor, &report).await, 3);
    assert_eq!(world.count("mail where jsonb_array_length(recipients) = 1").await, 3);
    assert_eq!(post(&world, &actor, &report).await, 0);
}

#[tokio::test]
async fn a_body_with_a_secret_goes_when_the_mail_was_sent() {
    let world = World::create().await;
    let (actor, worker) = (process(world.client), world.db.store("worker"));
    post(&world, &actor, &mail(&["asha@a.example"], Body::Secret)).await;
    let outgoing = begin_sending(&worker, &actor, waiting(&world).await[0]).await;
    settle(&worker, &actor, &outgoing, &answered([answer("asha@a.example", Verdict::Taken, 250)])).await;
    assert_eq!(column(&world, "text_body || html_body").await, "");
}

#[tokio::test]
async fn the_limit_of_a_domain_is_exact_over_clients_and_workers() {
    let world = World::create().await;
    let other = world.db.client("OTHER").await;
    let worker = world.db.store("worker");
    let clients = [world.client, other];
    for client in clients {
        for _ in 0..20 {
            post(&world, &process(client), &mail(&["asha@a.example"], Body::Kept)).await;
        }
    }
    let terms = terms_of(10, Duration::from_hours(10));
    let mails = waiting(&world).await;
    let actors = clients.map(process);
    let begun = join_all(mails.iter().enumerate().map(|(index, mail)| {
        let actor = &actors[usize::from(index >= 20)];
        begin(&worker, actor, *mail, &terms)
    }))
    .await;
    let sent = begun.iter().filter(|begun| matches!(begun, Begun::Send(_))).count();
    let waits: Vec<Duration> = begun
        .iter()
        .filter_map(|begun| if let Begun::Wait(pause) = begun { Some(*pause) } else { None })
        .collect();
    assert_eq!((sent, waits.len()), (10, 30));
    assert!(waits.iter().all(|pause| *pause > Duration::from_mins(50)), "{waits:?}");
    assert_eq!(world.count("mail where attempts = 0").await, 30);
}

#[tokio::test]
async fn a_client_with_many_messages_waits_behind_itself() {
    let world = World::create().await;
    let other = world.db.client("OTHER").await;
    let worker = world.db.store("worker");
    let terms = terms_of(1, Duration::from_hours(1));
    for _ in 0..20 {
        post(&world, &process(world.client), &mail(&["asha@a.example"], Body::Kept)).await;
    }
    let (many, few) = (process(world.client), process(other));
    let mut longest = Duration::ZERO;
    for mail in waiting(&world).await {
        if let Begun::Wait(pause) = begin(&worker, &many, mail, &terms).await {
            longest = longest.max(pause);
        }
    }
    assert!(longest > Duration::from_hours(18), "{longest:?}");
    post(&world, &few, &mail(&["dee@a.example"], Body::Kept)).await;
    let only = *waiting(&world).await.last().unwrap();
    let Begun::Wait(pause) = begin(&worker, &few, only, &terms).await else { panic!("the domain is full") };
    assert!(pause <= Duration::from_hours(1), "{pause:?}");
    let elsewhere = mail(&["dee@b.example"], Body::Kept);
    post(&world, &few, &elsewhere).await;
    begin_sending(&worker, &few, *waiting(&world).await.last().unwrap()).await;
}

#[tokio::test]
async fn a_message_waits_for_its_turn_and_then_goes() {
    let world = World::create().await;
    let (actor, worker) = (process(world.client), world.db.store("worker"));
    let terms = terms_of(1, Duration::from_hours(1));
    for _ in 0..2 {
        post(&world, &actor, &mail(&["asha@a.example"], Body::Kept)).await;
    }
    let mails = waiting(&world).await;
    assert!(matches!(begin(&worker, &actor, mails[0], &terms).await, Begun::Send(_)));
    let Begun::Wait(pause) = begin(&worker, &actor, mails[1], &terms).await else { panic!() };
    let Begun::Wait(still) = begin(&worker, &actor, mails[1], &terms).await else { panic!() };
    assert!(still <= pause && still > Duration::from_mins(59), "its turn stays: {pause:?} {still:?}");
    let an_hour_later = "update mail set turn_at = turn_at - interval '1 hour';
                         update mail_domain set free_at = free_at - interval '1 hour';
                         update mail_turn set free_at = free_at - interval '1 hour'";
    world.db.admin().await.batch_execute(an_hour_later).await.unwrap();
    assert!(matches!(begin(&worker, &actor, mails[1], &terms).await, Begun::Send(_)));
}

#[tokio::test]
async fn another_client_neither_sees_mail_nor_its_addresses() {
    let world = World::create().await;
    let other = world.db.client("OTHER").await;
    let worker = world.db.store("worker");
    let (ours, theirs) = (process(world.client), process(other));
    post(&world, &ours, &mail(&["ben@a.example"], Body::Kept)).await;
    let id = waiting(&world).await[0];
    assert!(matches!(begin(&worker, &theirs, id, &terms()).await, Begun::Gone));
    let outgoing = begin_sending(&worker, &ours, id).await;
    settle(&worker, &ours, &outgoing, &answered([answer("ben@a.example", Verdict::Gone, 550)])).await;
    let boss = Actor { person_id: None, ..theirs.clone() };
    assert!(!outbox::lift_bounce(&world.web, &boss, "ben@a.example", None).await.unwrap());
    post(&world, &theirs, &mail(&["ben@a.example"], Body::Kept)).await;
    let next = *waiting(&world).await.last().unwrap();
    assert_eq!(begin_sending(&worker, &theirs, next).await.open().count(), 1);
    let unread = world.web.read(&theirs, "read", |tx| async move {
        tx.suppressed_addresses(vec!["ben@a.example".to_owned()]).await
    });
    assert_eq!(unread.await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn the_cause_of_a_mail_is_any_id() {
    let world = World::create().await;
    let actor = process(world.client);
    let report = NewMail { cause_id: Uuid::from_u128(7), ..mail(&["asha@a.example"], Body::Kept) };
    assert_eq!(post(&world, &actor, &report).await, 1);
    let later = NewMail { at: noon() + jiff::SignedDuration::from_nanos(999), ..report };
    assert_eq!(post(&world, &actor, &later).await, 0, "the database keeps microseconds");
}
