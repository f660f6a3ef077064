//! What mail about a ticket says, and to whom.

use domain::ticket::{TicketEventKind, TicketPriority, TicketState, TicketTitle};
use domain::{CorrelationId, TicketEventId, TicketId};
use jiff::Timestamp;

use crate::{Error, Tx, queries, row};

/// One event of a ticket as mail tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketNews {
    /// The tenant's name.
    pub client_name: String,
    /// The tenant's IANA time zone, for times.
    pub time_zone: String,
    /// Whether the tenant's rows are demo data.
    pub demo: bool,
    /// The ticket's number.
    pub number: i64,
    /// What the ticket is about.
    pub title: TicketTitle,
    /// Where it stands.
    pub state: TicketState,
    /// How urgent it is.
    pub priority: TicketPriority,
    /// How often it had been escalated after the event.
    pub escalation_level: i32,
    /// The name of its site.
    pub site_name: String,
    /// What happened.
    pub kind: TicketEventKind,
    /// Who did it; nobody when a process did.
    pub person_name: Option<String>,
    /// The whole sentence.
    pub detail: String,
    /// When.
    pub at: Timestamp,
    /// Links mail, request and task.
    pub correlation_id: CorrelationId,
    /// Whether mail about it was sent.
    pub is_mailed: bool,
}

/// Somebody mail goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The name; absent for a bare address.
    pub name: Option<String>,
    /// The address.
    pub email: String,
    /// Whether it is nobody's of the client's people: such an address sees nobody else's, and nobody sees it.
    pub is_outside: bool,
}

row! { TicketNews {
    client_name, time_zone, demo, number, title, state, priority, escalation_level, site_name, kind, person_name,
    detail, at, correlation_id, is_mailed
} }
row! { Recipient { name, email, is_outside } }

queries! {
    /// One event with what mail says about its ticket.
    NEWS: (TicketId, TicketEventId) => TicketNews = "
        select client.name as client_name, client.time_zone, client.demo, ticket.number, ticket.title, ticket.state,
               ticket.priority, ticket_event.level as escalation_level, site.name as site_name, ticket_event.kind,
               person.name as person_name, ticket_event.detail, ticket_event.at, ticket_event.correlation_id,
               exists (select from ticket_event as mailed
                        where mailed.client_id = ticket_event.client_id
                          and mailed.cause_id = ticket_event.id
                          and mailed.kind = 'MAILED') as is_mailed
          from ticket_event
          join ticket on ticket.client_id = ticket_event.client_id and ticket.id = ticket_event.ticket_id
          join client on client.client_id = ticket.client_id
          join site on site.client_id = ticket.client_id and site.id = ticket.site_id
          left join person on person.client_id = ticket_event.client_id and person.id = ticket_event.person_id
         where ticket_event.ticket_id = $1
           and ticket_event.id = $2";
    /// Whom news of a ticket reach: who had it after the event, who raised it, its group then, and for an escalation the
    /// rule's address. Of people those who see its site.
    RECIPIENTS: (TicketId, TicketEventId, i64) => Recipient = "
        with told as (
            select ticket.client_id, ticket.site_id, ticket.priority, ticket.created_by, ticket_event.level,
                   ticket_event.assignee_id, ticket_event.group_id, ticket_event.kind
              from ticket_event
              join ticket on ticket.client_id = ticket_event.client_id and ticket.id = ticket_event.ticket_id
             where ticket_event.ticket_id = $1
               and ticket_event.id = $2
        ), people as (
            select client_id, site_id, assignee_id as person_id from told
            union
            select client_id, site_id, created_by from told
            union
            select person_group_member.client_id, told.site_id, person_group_member.person_id
              from told
              join person_group_member on person_group_member.client_id = told.client_id
                                      and person_group_member.group_id = told.group_id
        ), addresses as (
            select person.name, lower(person.email) as email, false as is_outside
              from people
              join person on person.client_id = people.client_id and person.id = people.person_id
             where person.enabled
               and person.email is not null
               and (person.all_sites or exists (
                        select from person_site
                         where person_site.client_id = person.client_id
                           and person_site.person_id = person.id
                           and person_site.site_id = people.site_id))
            union all
            select null, lower(address), true
              from told
              join lateral (
                    select notify
                      from escalation_rule
                     where escalation_rule.client_id = told.client_id
                       and escalation_rule.priority = told.priority
                       and escalation_rule.level = told.level
                       and (escalation_rule.site_id = told.site_id or escalation_rule.site_id is null)
                     order by escalation_rule.site_id nulls last
                     limit 1) as rule on rule.notify is not null
             cross join lateral regexp_split_to_table(rule.notify, ' *, *') as address
             where told.kind = 'ESCALATED'
        )
        select distinct on (email) name, email, is_outside
          from addresses
         order by email, is_outside, name
         limit $3";
    /// Adds that mail about an event was sent, once.
    RECORD: (TicketEventId, TicketId, TicketEventId, String, CorrelationId, Timestamp) => () = "
        insert into ticket_event (id, ticket_id, kind, cause_id, detail, correlation_id, at)
        values ($1, $2, 'MAILED', $3, $4, $5, $6)
        on conflict (client_id, cause_id) where kind = 'MAILED' do nothing";
}

/// That mail about an event was accepted by the mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailedEvent {
    /// The ticket.
    pub ticket_id: TicketId,
    /// The event the mail told.
    pub cause_id: TicketEventId,
    /// The whole sentence.
    pub detail: String,
    /// What started it.
    pub correlation_id: CorrelationId,
    /// When.
    pub at: Timestamp,
}

impl Tx {
    /// Reads what mail says about an event.
    pub async fn ticket_news(
        &self,
        ticket: TicketId,
        event: TicketEventId,
    ) -> Result<Option<TicketNews>, Error> {
        self.opt(&NEWS, (ticket, event)).await
    }

    /// Reads whom mail about an event goes to, at most `limit`.
    pub async fn ticket_recipients(
        &self,
        ticket: TicketId,
        event: TicketEventId,
        limit: i64,
    ) -> Result<Vec<Recipient>, Error> {
        self.all(&RECIPIENTS, (ticket, event, limit)).await
    }

    /// Adds to a ticket's history that mail about an event was sent; a repeat adds nothing.
    pub async fn record_mailed(&self, mailed: &MailedEvent) -> Result<u64, Error> {
        let columns = (
            TicketEventId::generate(),
            mailed.ticket_id,
            mailed.cause_id,
            &mailed.detail,
            mailed.correlation_id,
            mailed.at,
        );
        self.execute(&RECORD, columns).await
    }
}
