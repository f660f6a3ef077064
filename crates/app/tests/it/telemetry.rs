//! Batches of device messages.

use std::collections::BTreeMap;

use app::telemetry::{self, DeadLetter, Message, Outcome, Refusal};
use app::ticket;
use domain::text::Code;
use domain::ticket::{TicketSource, TicketState};
use domain::{CorrelationId, DeviceId, MessageId};
use futures_util::future::join_all;
use jiff::SignedDuration;
use store::Store;

use crate::world::{World, noon, seen};

struct Plant {
    world: World,
    bridge: Store,
    pump: DeviceId,
}

impl Plant {
    /// A pump whose temperature above 70 raises a ticket for a group with an address.
    async fn create() -> Self {
        let world = World::create().await;
        let group = world.db.group(world.client, "DESK").await;
        world.db.person(world.client, "dee").email("dee@acme.example.com").group(group).await;
        let pump = world.db.device(world.client, world.site, "PUMP-1").await;
        world.db.alarm_rule(world.client, pump).group(group).await;
        let bridge = world.db.store("bridge");
        Self { world, bridge, pump }
    }
}

fn message(client: &str, device: &str, temperature: f64) -> Message {
    Message {
        client_code: Code::parse(client).unwrap(),
        device_code: Code::parse(device).unwrap(),
        id: MessageId::generate(),
        sent_at: noon(),
        received_at: noon() + SignedDuration::from_secs(1),
        values: BTreeMap::from([("temperature".to_owned(), temperature), ("load".to_owned(), 0.5)]),
        correlation_id: CorrelationId::generate(),
    }
}

#[tokio::test]
async fn a_repeated_batch_adds_nothing_and_is_answered() {
    let plant = Plant::create().await;
    let batch =
        [message("ACME", "PUMP-1", 60.0), message("ACME", "PUMP-1", 80.0), message("ACME", "PUMP-1", 81.0)];
    let first = telemetry::record_batch(&plant.bridge, &batch).await.unwrap();
    assert_eq!(first, vec![Outcome::Stored; 3]);
    let again = telemetry::record_batch(&plant.bridge, &batch).await.unwrap();
    assert_eq!(again, vec![Outcome::Duplicate; 3]);
    assert_eq!(plant.world.count("telemetry_reading").await, 6);
    assert_eq!(plant.world.count("device_latest").await, 2);
    assert_eq!(plant.world.count("ticket").await, 1);
    assert_eq!(plant.world.count("task where kind = 'ticket.mail'").await, 1);
    let doubled = [message("ACME", "PUMP-1", 61.0)];
    let doubled = [doubled[0].clone(), doubled[0].clone()];
    let outcomes = telemetry::record_batch(&plant.bridge, &doubled).await.unwrap();
    assert_eq!(outcomes, [Outcome::Stored, Outcome::Duplicate]);
}

#[tokio::test]
async fn a_message_with_a_wrong_clock_is_stored_once_under_its_arrival() {
    let plant = Plant::create().await;
    let mut lost = message("ACME", "PUMP-1", 60.0);
    lost.sent_at = "1970-01-01T00:00:00Z".parse().unwrap();
    let first = telemetry::record_batch(&plant.bridge, &[lost.clone()]).await.unwrap();
    let mut repeat = lost.clone();
    repeat.received_at = lost.received_at + SignedDuration::from_hours(30);
    let second = telemetry::record_batch(&plant.bridge, &[repeat]).await.unwrap();
    assert_eq!((first, second), (vec![Outcome::Stored], vec![Outcome::Duplicate]));
    assert_eq!(plant.world.count("telemetry_reading where measured_at = received_at").await, 2);
}

#[tokio::test]
async fn a_misdated_message_twice_in_one_batch_is_stored_once() {
    let plant = Plant::create().await;
    let mut lost = message("ACME", "PUMP-1", 60.0);
    lost.sent_at = "1970-01-01T00:00:00Z".parse().unwrap();
    let mut copy = lost.clone();
    copy.received_at = lost.received_at + SignedDuration::from_secs(1);
    let outcomes = telemetry::record_batch(&plant.bridge, &[lost, copy]).await.unwrap();
    assert_eq!(outcomes, [Outcome::Stored, Outcome::Duplicate]);
    assert_eq!(plant.world.count("telemetry_reading").await, 2);
}

#[tokio::test]
async fn a_message_of_a_clock_ahead_is_known_again_once_its_time_is_in_range() {
    let plant = Plant::create().await;
    let mut early = message("ACME", "PUMP-1", 60.0);
    early.sent_at = early.received_at + SignedDuration::from_hours(25);
    let mut repeat = early.clone();
    repeat.received_at = early.received_at + SignedDuration::from_hours(2);
    let first = telemetry::record_batch(&plant.bridge, &[early]).await.unwrap();
    let second = telemetry::record_batch(&plant.bridge, &[repeat]).await.unwrap();
    assert_eq!((first, second), (vec![Outcome::Stored], vec![Outcome::Duplicate]));
    assert_eq!(plant.world.count("telemetry_reading").await, 2);
}

#[tokio::test]
async fn one_clients_trouble_leaves_the_other_clients_readings_stored() {
    let plant = Plant::create().await;
    let other = plant.world.db.client("OTHER").await;
    let hq = plant.world.db.site(other, "HQ").await;
    plant.world.db.device(other, hq, "PUMP-1").await;
    let admin = plant.world.db.admin().await;
    // Clients are taken in the order of their ids, so ACME's part fails first.
    assert!(plant.world.client < other);
    let sql = format!(
        "create function fail() returns trigger language plpgsql as
             $$ begin raise exception 'disk is full' using errcode = 'disk_full'; end $$;
         create trigger fail before insert on telemetry_reading
             for each row when (new.client_id = '{}') execute function fail()",
        plant.world.client
    );
    admin.batch_execute(&sql).await.unwrap();
    let batch = [message("ACME", "PUMP-1", 60.0), message("OTHER", "PUMP-1", 60.0)];
    assert!(telemetry::record_batch(&plant.bridge, &batch).await.is_err());
    assert_eq!(plant.world.count("telemetry_reading").await, 2);
    admin.batch_execute("drop trigger fail on telemetry_reading").await.unwrap();
    let again = telemetry::record_batch(&plant.bridge, &batch).await.unwrap();
    assert_eq!(again, [Outcome::Stored, Outcome::Duplicate]);
}

#[tokio::test(flavor = "multi_thread")]
async fn bridges_that_raise_tickets_of_one_client_at_once_wait_for_each_other() {
    const BRIDGES: usize = 24;
    let plant = Plant::create().await;
    let mut settings = plant.world.db.settings("bridge");
    settings.wait_timeout_ms = 60_000;
    settings.lock_timeout_ms = 60_000;
    settings.transaction_attempts_max = 1;
    settings.pool_size = BRIDGES;
    let store = Store::new(&settings, "tests").unwrap();
    for number in 0..BRIDGES {
        let device =
            plant.world.db.device(plant.world.client, plant.world.site, &format!("FAN-{number}")).await;
        plant.world.db.alarm_rule(plant.world.client, device).await;
    }
    let hot: Vec<_> = (0..BRIDGES).map(|number| [message("ACME", &format!("FAN-{number}"), 99.0)]).collect();
    let recorded = join_all(hot.iter().map(|batch| telemetry::record_batch(&store, batch))).await;
    for outcome in recorded {
        assert_eq!(outcome.unwrap(), [Outcome::Stored]);
    }
    assert_eq!(plant.world.count("ticket").await, i64::try_from(BRIDGES).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_bridges_with_the_same_messages_store_them_once_and_raise_one_ticket() {
    let plant = Plant::create().await;
    let batch: Vec<Message> = (0..40).map(|_| message("ACME", "PUMP-1", 90.0)).collect();
    let stores = [plant.world.db.store("bridge"), plant.world.db.store("bridge")];
    let recording = stores.iter().map(|store| telemetry::record_batch(store, &batch));
    let outcomes: Vec<Outcome> = join_all(recording).await.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Stored).count(), 40);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Duplicate).count(), 40);
    assert_eq!(plant.world.count("telemetry_reading").await, 80);
    assert_eq!(plant.world.count("ticket").await, 1);
    assert_eq!(plant.world.count("task").await, 1);
}

#[tokio::test]
async fn a_closed_alarm_may_be_raised_again_and_carries_the_messages_correlation() {
    let plant = Plant::create().await;
    let hot = message("ACME", "PUMP-1", 80.0);
    telemetry::record_batch(&plant.bridge, std::slice::from_ref(&hot)).await.unwrap();
    let actor = plant.world.actor(plant.world.asha);
    let page = ticket::list(&plant.world.web, &actor, &ticket::Filter::default()).await.unwrap();
    let details = ticket::get(&plant.world.web, &actor, page.rows[0].id).await.unwrap();
    let raised = details.named.ticket;
    assert_eq!(raised.title.as_str(), "PUMP-1: temperature above 70");
    assert_eq!((raised.source, raised.device_id), (TicketSource::Alarm, Some(plant.pump)));
    assert_eq!(raised.correlation_id, hot.correlation_id);
    let row = plant.world.db.admin().await.query_one("select correlation from task", &[]).await.unwrap();
    assert_eq!(row.get::<_, CorrelationId>(0), hot.correlation_id);
    ticket::move_to(&plant.world.web, &actor, seen(raised.id), TicketState::Cancelled, noon()).await.unwrap();
    telemetry::record_batch(&plant.bridge, &[message("ACME", "PUMP-1", 85.0)]).await.unwrap();
    assert_eq!(plant.world.count("ticket").await, 2);
}

#[tokio::test]
async fn the_newest_value_stays_when_an_older_reading_arrives_late() {
    let plant = Plant::create().await;
    let newer = message("ACME", "PUMP-1", 61.0);
    let mut older = message("ACME", "PUMP-1", 55.0);
    older.sent_at = noon() - SignedDuration::from_hours(1);
    telemetry::record_batch(&plant.bridge, &[newer]).await.unwrap();
    telemetry::record_batch(&plant.bridge, &[older]).await.unwrap();
    assert_eq!(plant.world.count("device_latest where metric = 'temperature' and value = 61").await, 1);
    assert_eq!(plant.world.count("device where last_seen_at is not null").await, 1);
}

#[tokio::test]
async fn messages_of_several_clients_and_broken_ones_are_told_apart() {
    let plant = Plant::create().await;
    let other = plant.world.db.client("OTHER").await;
    let hq = plant.world.db.site(other, "HQ").await;
    plant.world.db.device(other, hq, "PUMP-1").await;
    let mut nameless = message("ACME", "PUMP-1", 1.0);
    nameless.values.insert("no such name!".to_owned(), 1.0);
    let mut endless = message("OTHER", "PUMP-1", 1.0);
    endless.values.insert("load".to_owned(), f64::NAN);
    let mut silent = message("OTHER", "PUMP-1", 1.0);
    silent.values.clear();
    let batch = [
        message("ACME", "PUMP-1", 1.0),
        message("OTHER", "PUMP-1", 99.0),
        message("ACME", "NONE", 1.0),
        message("NOBODY", "PUMP-1", 1.0),
        nameless,
        endless,
        silent,
    ];
    let outcomes = telemetry::record_batch(&plant.bridge, &batch).await.unwrap();
    let refused = |refusal| Outcome::Refused(refusal);
    assert_eq!(
        outcomes,
        [
            Outcome::Stored,
            Outcome::Stored,
            refused(Refusal::UnknownDevice),
            refused(Refusal::UnknownDevice),
            refused(Refusal::Metric),
            refused(Refusal::Value),
            refused(Refusal::NoValues),
        ]
    );
    // The rule of one client's device says nothing about the other's.
    assert_eq!(plant.world.count("ticket").await, 0);
}

#[tokio::test]
async fn a_value_the_database_refuses_leaves_the_others_stored() {
    let plant = Plant::create().await;
    let admin = plant.world.db.admin().await;
    let sql = "alter table telemetry_reading add constraint no_thirteen check (value <> 13)";
    admin.execute(sql, &[]).await.unwrap();
    let mut batch: Vec<Message> = (0..9).map(|_| message("ACME", "PUMP-1", 1.0)).collect();
    batch[5].values.insert("load".to_owned(), 13.0);
    let outcomes = telemetry::record_batch(&plant.bridge, &batch).await.unwrap();
    let refused = Outcome::Refused(Refusal::Database { sqlstate: "23514".to_owned() });
    assert_eq!(outcomes[5], refused);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Stored).count(), 8);
}

#[tokio::test]
async fn dead_letters_are_kept_byte_for_byte_up_to_a_share_of_the_hour() {
    let plant = Plant::create().await;
    let letter = DeadLetter {
        topic: "yt/v1/ACME/PUMP-1/telemetry".to_owned(),
        payload: vec![0, 255, 128, 7],
        reason: "the payload is no JSON".to_owned(),
        sqlstate: None,
        correlation_id: CorrelationId::generate(),
        at: noon(),
    };
    let kept = telemetry::record_dead_letters(&plant.bridge, &vec![letter; 5], 3).await.unwrap();
    assert_eq!(kept, 3);
    let sql = "select payload from telemetry_dead_letter limit 1";
    let row = plant.world.db.admin().await.query_one(sql, &[]).await.unwrap();
    assert_eq!(row.get::<_, Vec<u8>>(0), [0, 255, 128, 7]);
}
