//! Tickets of the last two weeks: in every state, with comments, most of them raised in the morning.

use domain::ticket::{TicketDescription, TicketPriority, TicketState, TicketTitle};
use domain::{Actor, Capability, CorrelationId, SiteScope, TicketEventId, TicketId};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use store::Store;

use super::chance::{Chance, Kind, id};
use super::client::DemoClient;
use crate::Error;
use crate::tenant::{Foundation, Member};
use crate::ticket::{self, Comment, Draft, TicketRead};

/// Tickets of each tenant.
const TICKETS: u64 = 150;
/// The days they are spread over.
const DAYS: u64 = 14;

const SUBJECTS: &[(&str, &str)] = &[
    ("Leak under the pump", "Water stands below the second pump. The floor is slippery; a sign is up."),
    ("Door of the server room does not close", "The closer is worn. It takes a push to lock it."),
    ("Light flickers on the stairs", "Between the second and the third floor, since the storm."),
    ("Lift stops between floors", "It started again by itself after two minutes. Nobody was inside."),
    ("Smoke detector beeps", "Every forty seconds. The battery is probably low."),
    ("Camera at the gate shows no picture", "The recorder has the last picture from 02:14."),
    ("Key of the store is missing", "It was not handed over at the change of shift."),
    ("Air is warm in the meeting room", "27 °C with the air conditioning on."),
    ("Extinguisher past its date", "The label says last month. It hangs beside the kitchen."),
    ("Vehicle blocks the fire lane", "The plate is in the log. The driver was called twice."),
    ("Tap does not stop dripping", "Ladies' room, ground floor, the left one."),
    ("Badge reader refuses everybody", "The side entrance. The guard opens by hand."),
    ("Fence is cut behind the depot", "About a metre wide, near post 14. Nothing seems to be missing."),
    ("Generator did not start in the test", "It turned but did not fire. Fuel is at 80 %."),
    ("Glass broken in the lobby", "Swept up. The frame needs a new pane."),
    ("Alarm panel shows a fault in loop 3", "Reset once, came back after an hour."),
];

const REMARKS: &[&str] = &[
    "I am on my way.",
    "Part ordered, should arrive tomorrow.",
    "Looked at it: needs two people and a ladder.",
    "Works again. Please check.",
    "Same fault as last month.",
    "The contractor comes at 15:00.",
];

/// Raises the tickets that are not there and lets them take their course; answers how many there are.
pub(super) async fn raise(
    store: &Store,
    client: &DemoClient,
    foundation: &Foundation,
    anchor: Timestamp,
) -> Result<usize, Error> {
    // Who may not sign in raises the tickets and works on them.
    let people: Vec<Member> =
        foundation.members.iter().filter(|member| member.login.is_none()).cloned().collect();
    let mut raised = 0;
    for (number, created_at) in (0..TICKETS).zip(moments(client, anchor)) {
        let mut chance = Chance::new((client.tenant << 32) | number);
        let creator = chance.pick(&people).clone();
        let actor = actor(foundation, &creator);
        let draft = draft(&mut chance, client, number, &creator, &people);
        let ticket = ticket::create(store, &actor, &draft, created_at).await?;
        if ticket.is_new {
            let course = Course { store, actor: &actor, ticket: ticket.id, anchor };
            course.run(&mut chance, client, number, created_at).await?;
        }
        raised += 1;
    }
    Ok(raised)
}

/// When the tickets are raised, the oldest first, so that numbers follow time.
fn moments(client: &DemoClient, anchor: Timestamp) -> Vec<Timestamp> {
    let mut chance = Chance::new(client.tenant << 48);
    let mut moments: Vec<Timestamp> =
        (0..TICKETS).map(|number| moment(&mut chance, number, client, anchor)).collect();
    moments.sort_unstable();
    moments
}

/// When the n-th ticket is raised: evenly over the days, most at eight to eleven in the client's morning.
fn moment(chance: &mut Chance, number: u64, client: &DemoClient, anchor: Timestamp) -> Timestamp {
    let days_ago = i64::try_from(DAYS - number * DAYS / TICKETS).expect("days are few");
    let hour = if chance.below(10) < 6 { 8 + chance.below(3) } else { chance.below(24) };
    let minute = i64::try_from(hour * 60 + chance.below(60)).expect("a day has 1,440 minutes");
    let zone = TimeZone::get(client.time_zone).unwrap_or(TimeZone::UTC);
    let day = anchor.to_zoned(zone).date().saturating_sub(jiff::Span::new().days(days_ago));
    let zone = TimeZone::get(client.time_zone).unwrap_or(TimeZone::UTC);
    day.to_zoned(zone)
        .map_or(anchor, |start| start.timestamp() + SignedDuration::from_mins(minute))
        .min(anchor)
}

fn draft(
    chance: &mut Chance,
    client: &DemoClient,
    number: u64,
    creator: &Member,
    people: &[Member],
) -> Draft {
    let (title, story) = chance.pick(SUBJECTS);
    let priority = match chance.below(10) {
        0..=1 => TicketPriority::High,
        2..=6 => TicketPriority::Medium,
        _ => TicketPriority::Low,
    };
    let nearby: Vec<&Member> = people.iter().filter(|person| person.sites == creator.sites).collect();
    let assignee = chance.pick(&nearby).person.id;
    Draft {
        id: TicketId::from_uuid(id(Kind::Ticket, client.tenant, number)),
        site_id: creator.sites.first().copied().expect("everybody without login has a site"),
        title: TicketTitle::parse(title).expect("subjects are short"),
        description: TicketDescription::parse(story).expect("stories are short"),
        priority,
        assignee_id: (chance.below(10) < 7).then_some(assignee),
    }
}

fn actor(foundation: &Foundation, person: &Member) -> Actor {
    Actor {
        client_id: foundation.client.client_id,
        person_id: Some(person.person.id),
        capabilities: person.capabilities.iter().copied().collect::<std::collections::BTreeSet<Capability>>(),
        sites: SiteScope::Only(person.sites.iter().copied().collect()),
        correlation_id: CorrelationId::generate(),
    }
}

/// What happens to one ticket after it was raised.
struct Course<'a> {
    store: &'a Store,
    actor: &'a Actor,
    ticket: TicketId,
    anchor: Timestamp,
}

impl Course<'_> {
    async fn run(
        &self,
        chance: &mut Chance,
        client: &DemoClient,
        number: u64,
        created_at: Timestamp,
    ) -> Result<(), Error> {
        let mut at = created_at;
        if chance.below(3) > 0 {
            at = self.later(chance, at);
            let event = TicketEventId::from_uuid(id(Kind::Event, client.tenant, number));
            let remark: &&str = chance.pick(REMARKS);
            let comment = Comment::parse(event, remark)?;
            ticket::comment(self.store, self.actor, self.ticket, &comment, at).await?;
        }
        for (version, state) in (1..).zip(path(chance)) {
            at = self.later(chance, at);
            ticket::move_to(self.store, self.actor, TicketRead { id: self.ticket, version }, *state, at)
                .await?;
        }
        Ok(())
    }

    /// Some time later, but not after the anchor.
    fn later(&self, chance: &mut Chance, at: Timestamp) -> Timestamp {
        let minutes = i64::try_from(10 + chance.below(400)).expect("some hours");
        (at + SignedDuration::from_mins(minutes)).min(self.anchor)
    }
}

/// The states a ticket goes through.
fn path(chance: &mut Chance) -> &'static [TicketState] {
    use TicketState::{Cancelled, Closed, OnHold, Open, Resolved};
    match chance.below(20) {
        0..=2 => &[],
        3..=6 => &[Open],
        7..=8 => &[Open, OnHold],
        9..=11 => &[Open, Resolved],
        12..=15 => &[Open, Resolved, Closed],
        16 => &[Open, Resolved, Open, Resolved, Closed],
        17 => &[Open, OnHold, Open, Resolved, Closed],
        18 => &[Cancelled],
        _ => &[Open, Cancelled],
    }
}
