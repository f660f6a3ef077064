//! Tickets: raising, reading, listing and changing them, and their history.

use domain::ticket::{
    NewTicket, Ticket, TicketDescription, TicketEventKind, TicketPriority, TicketSource, TicketState,
    TicketTitle,
};
use domain::{
    AlarmRuleId, CorrelationId, DeviceId, GroupId, PersonId, SiteId, SiteScope, TicketEventId, TicketId,
};
use jiff::Timestamp;
use uuid::Uuid;

use crate::{Column, Error, FromRow, Tx, queries, row};

/// A ticket with the names a reader wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedTicket {
    /// The ticket.
    pub ticket: Ticket,
    /// The name of its site.
    pub site_name: String,
    /// The name of who works on it.
    pub assignee_name: Option<String>,
    /// The name of the group that works on it.
    pub group_name: Option<String>,
}

/// One row of the list of tickets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedTicket {
    /// Its id.
    pub id: TicketId,
    /// Number within the client.
    pub number: i64,
    /// What it is about.
    pub title: TicketTitle,
    /// Where it stands.
    pub state: TicketState,
    /// How urgent it is.
    pub priority: TicketPriority,
    /// The name of its site.
    pub site_name: String,
    /// The name of who works on it.
    pub assignee_name: Option<String>,
    /// When it was raised.
    pub created_at: Timestamp,
}

/// One entry of a ticket's history, as a reader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketHistoryEntry {
    /// Its id.
    pub id: TicketEventId,
    /// What happened.
    pub kind: TicketEventKind,
    /// Who did it; nobody when a process did.
    pub person_name: Option<String>,
    /// The whole sentence.
    pub detail: String,
    /// When.
    pub at: Timestamp,
}

/// One entry to be added to a ticket's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTicketEvent {
    /// Its id.
    pub id: TicketEventId,
    /// Which ticket.
    pub ticket_id: TicketId,
    /// What happened.
    pub kind: TicketEventKind,
    /// Who did it; nobody when a process did.
    pub person_id: Option<PersonId>,
    /// The whole sentence.
    pub detail: String,
    /// Who works on the ticket after it.
    pub assignee_id: Option<PersonId>,
    /// Which group works on the ticket after it.
    pub group_id: Option<GroupId>,
    /// How often the ticket was escalated after it.
    pub level: i32,
    /// What started it.
    pub correlation_id: CorrelationId,
    /// When.
    pub at: Timestamp,
}

/// An entry of some ticket's history, to tell a repetition from something else under the same id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownTicketEvent {
    /// Which ticket.
    pub ticket_id: TicketId,
    /// What happened.
    pub kind: TicketEventKind,
    /// Who did it.
    pub person_id: Option<PersonId>,
    /// The whole sentence.
    pub detail: String,
}

/// Which tickets a page shows, and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketPage {
    /// Where the reader may look.
    pub scope: SiteScope,
    /// Only this state.
    pub state: Option<TicketState>,
    /// Only this priority.
    pub priority: Option<TicketPriority>,
    /// Only this site.
    pub site_id: Option<SiteId>,
    /// Only titles with these words.
    pub words: Option<String>,
    /// Only tickets after this one in the list; newest first.
    pub after: Option<(Timestamp, TicketId)>,
    /// Rows at most.
    pub limit: i32,
}

row! { Ticket {
    client_id, id, number, site_id, title, description, state, priority, source, assignee_id, group_id, created_by,
    alarm_rule_id, device_id, escalation_level, correlation_id, version, created_at, updated_at
} }
row! { ListedTicket { id, number, title, state, priority, site_name, assignee_name, created_at } }
row! { TicketHistoryEntry { id, kind, person_name, detail, at } }
row! { KnownTicketEvent { ticket_id, kind, person_id, detail } }

impl FromRow for NamedTicket {
    fn columns() -> Vec<Column> {
        let mut columns = Ticket::columns();
        columns.push(Column::of::<String>(Some("site_name")));
        columns.push(Column::of::<Option<String>>(Some("assignee_name")));
        columns.push(Column::of::<Option<String>>(Some("group_name")));
        columns
    }

    fn from_row(row: &tokio_postgres::Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            ticket: Ticket::from_row(row)?,
            site_name: row.try_get("site_name")?,
            assignee_name: row.try_get("assignee_name")?,
            group_name: row.try_get("group_name")?,
        })
    }
}

type OfNew<T> = Vec<Option<T>>;

queries! {
    /// One ticket.
    GET: (TicketId,) => Ticket = "
        select client_id, id, number, site_id, title, description, state, priority, source, assignee_id, group_id,
               created_by, alarm_rule_id, device_id, escalation_level, correlation_id, version, created_at, updated_at
          from ticket
         where id = $1";
    /// One ticket with the names a reader wants.
    GET_NAMED: (TicketId,) => NamedTicket = "
        select ticket.client_id, ticket.id, ticket.number, ticket.site_id, ticket.title, ticket.description,
               ticket.state, ticket.priority, ticket.source, ticket.assignee_id, ticket.group_id, ticket.created_by,
               ticket.alarm_rule_id, ticket.device_id, ticket.escalation_level, ticket.correlation_id,
               ticket.version, ticket.created_at, ticket.updated_at,
               site.name as site_name, person.name as assignee_name, person_group.name as group_name
          from ticket
          join site on site.client_id = ticket.client_id and site.id = ticket.site_id
          left join person on person.client_id = ticket.client_id and person.id = ticket.assignee_id
          left join person_group on person_group.client_id = ticket.client_id and person_group.id = ticket.group_id
         where ticket.id = $1";
    /// The history of a ticket, oldest first.
    HISTORY: (TicketId, i64) => TicketHistoryEntry = "
        select ticket_event.id, ticket_event.kind, person.name as person_name, ticket_event.detail, ticket_event.at
          from ticket_event
          left join person on person.client_id = ticket_event.client_id and person.id = ticket_event.person_id
         where ticket_event.ticket_id = $1
         order by ticket_event.at desc, ticket_event.id desc
         limit $2";
    /// A page of tickets in any state.
    PAGE: (Option<Vec<SiteId>>, Option<TicketPriority>, Timestamp, TicketId, i64) => TicketId = "
        select id
          from ticket
         where ($1::uuid[] is null or site_id = any ($1))
           and ($2::text is null or priority = $2)
           and (created_at, id) < ($3, $4)
         order by created_at desc, id desc
         limit $5";
    /// A page of tickets in one state.
    PAGE_IN_STATE: (TicketState, Option<SiteId>, Option<Vec<SiteId>>, Option<TicketPriority>, Timestamp, TicketId, i64)
        => TicketId = "
        select id
          from ticket
         where state = $1
           and ($2::uuid is null or site_id = $2)
           and ($3::uuid[] is null or site_id = any ($3))
           and ($4::text is null or priority = $4)
           and (created_at, id) < ($5, $6)
         order by created_at desc, id desc
         limit $7";
    /// A page of tickets of one site.
    PAGE_AT_SITE: (SiteId, Option<Vec<SiteId>>, Option<TicketPriority>, Timestamp, TicketId, i64) => TicketId = "
        select id
          from ticket
         where site_id = $1
           and ($2::uuid[] is null or site_id = any ($2))
           and ($3::text is null or priority = $3)
           and (created_at, id) < ($4, $5)
         order by created_at desc, id desc
         limit $6";
    /// A page of tickets by words of their titles.
    SEARCH: (String, Option<Vec<SiteId>>, Option<TicketState>, Option<TicketPriority>, Option<SiteId>, Timestamp,
             TicketId, i32) => TicketId = "
        select search_tickets($1, $2, $3, $4, $5, $6, $7, $8)";
    /// The rows of a page, newest first.
    ROWS: (Vec<TicketId>,) => ListedTicket = "
        select ticket.id, ticket.number, ticket.title, ticket.state, ticket.priority, site.name as site_name,
               person.name as assignee_name, ticket.created_at
          from ticket
          join site on site.client_id = ticket.client_id and site.id = ticket.site_id
          left join person on person.client_id = ticket.client_id and person.id = ticket.assignee_id
         where ticket.id = any ($1)
         order by ticket.created_at desc, ticket.id desc";
    /// Raises tickets with consecutive numbers and the first entry of their histories. The counter's row lock is taken
    /// here, in the last statement before the commit, and orders the writers of one client.
    RAISE: (Vec<TicketId>, Vec<TicketEventId>, Vec<SiteId>, Vec<TicketTitle>, Vec<TicketDescription>,
            Vec<TicketPriority>, Vec<TicketSource>, OfNew<PersonId>, OfNew<GroupId>, OfNew<PersonId>,
            OfNew<AlarmRuleId>, OfNew<DeviceId>, Vec<CorrelationId>, Vec<String>, Vec<Timestamp>)
        => (TicketId, i64) = "
        with given as (
            select id, event_id, site_id, title, description, priority, source, assignee_id, group_id, created_by,
                   alarm_rule_id, device_id, correlation_id, detail, created_at, position
              from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[],
                          $8::uuid[], $9::uuid[], $10::uuid[], $11::uuid[], $12::uuid[], $13::uuid[], $14::text[],
                          $15::timestamptz[])
                   with ordinality
                   as given (id, event_id, site_id, title, description, priority, source, assignee_id, group_id,
                             created_by, alarm_rule_id, device_id, correlation_id, detail, created_at, position)
        ), counter as (
            insert into ticket_counter as counter (last_number)
            select count(*) from given
            on conflict (client_id) do update
               set last_number = counter.last_number + excluded.last_number
            returning last_number
        ), raised as (
            insert into ticket (id, number, site_id, title, description, priority, source, assignee_id, group_id,
                                created_by, alarm_rule_id, device_id, correlation_id, created_at, updated_at)
            select given.id, counter.last_number - (select count(*) from given) + given.position, given.site_id,
                   given.title, given.description, given.priority, given.source, given.assignee_id, given.group_id,
                   given.created_by, given.alarm_rule_id, given.device_id, given.correlation_id, given.created_at,
                   given.created_at
              from given
             cross join counter
            returning id, number
        ), told as (
            insert into ticket_event (id, ticket_id, kind, person_id, detail, assignee_id, group_id, correlation_id, at)
            select event_id, id, 'CREATED', created_by, detail, assignee_id, group_id, correlation_id, created_at
              from given
            returning ticket_id
        )
        select raised.id, raised.number
          from raised
          join told on told.ticket_id = raised.id
         order by raised.number";
    /// Moves a ticket nobody has changed since it was read; the time escalation counts starts anew where it is said.
    SET_STATE: (TicketState, Timestamp, bool, TicketId, i64) => () = "
        update ticket
           set state = $1, updated_at = $2, due_from = case when $3 then $2 else due_from end, version = version + 1
         where id = $4
           and version = $5";
    /// Gives a ticket nobody has changed since it was read to somebody.
    SET_ASSIGNEE: (Option<PersonId>, Option<GroupId>, Timestamp, TicketId, i64) => () = "
        update ticket
           set assignee_id = $1, group_id = $2, updated_at = $3, version = version + 1
         where id = $4
           and version = $5";
    /// Adds entries to histories; those that exist stay as they are.
    TELL: (Vec<TicketEventId>, Vec<TicketId>, Vec<TicketEventKind>, OfNew<PersonId>, Vec<String>, OfNew<PersonId>,
           OfNew<GroupId>, Vec<i32>, Vec<CorrelationId>, Vec<Timestamp>) => () = "
        insert into ticket_event (id, ticket_id, kind, person_id, detail, assignee_id, group_id, level, correlation_id,
                                  at)
        select id, ticket_id, kind, person_id, detail, assignee_id, group_id, level, correlation_id, at
          from unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::uuid[], $7::uuid[],
                      $8::integer[], $9::uuid[], $10::timestamptz[])
               as given (id, ticket_id, kind, person_id, detail, assignee_id, group_id, level, correlation_id, at)
        on conflict (client_id, id) do nothing";
    /// An entry of some ticket's history.
    EVENT: (TicketEventId,) => KnownTicketEvent = "
        select ticket_id, kind, person_id, detail
          from ticket_event
         where id = $1";
}

impl Tx {
    /// Reads a ticket.
    pub async fn ticket(&self, id: TicketId) -> Result<Option<Ticket>, Error> {
        self.opt(&GET, (id,)).await
    }

    /// Reads a ticket with the names a reader wants.
    pub async fn named_ticket(&self, id: TicketId) -> Result<Option<NamedTicket>, Error> {
        self.opt(&GET_NAMED, (id,)).await
    }

    /// Reads the latest `limit` entries of a ticket's history, the oldest of them first.
    pub async fn ticket_history(&self, id: TicketId, limit: i64) -> Result<Vec<TicketHistoryEntry>, Error> {
        let mut history = self.all(&HISTORY, (id, limit)).await?;
        history.reverse();
        Ok(history)
    }

    /// Finds the ids of a page, newest first, by the statement whose index serves the filter.
    pub async fn page_of_tickets(&self, page: &TicketPage) -> Result<Vec<TicketId>, Error> {
        let (at, id) = page.after.unwrap_or((Timestamp::MAX, TicketId::from_uuid(Uuid::max())));
        let sites = page.scope.as_filter();
        let limit = i64::from(page.limit);
        if let Some(words) = page.words.as_deref() {
            let columns = (words, sites, page.state, page.priority, page.site_id, at, id, page.limit);
            return self.all(&SEARCH, columns).await;
        }
        match (page.state, page.site_id) {
            (Some(state), site) => {
                self.all(&PAGE_IN_STATE, (state, site, sites, page.priority, at, id, limit)).await
            }
            (None, Some(site)) => self.all(&PAGE_AT_SITE, (site, sites, page.priority, at, id, limit)).await,
            (None, None) => self.all(&PAGE, (sites, page.priority, at, id, limit)).await,
        }
    }

    /// Reads the rows of a page, newest first.
    pub async fn listed_tickets(&self, ids: Vec<TicketId>) -> Result<Vec<ListedTicket>, Error> {
        self.all(&ROWS, (ids,)).await
    }

    /// Raises tickets and answers with their numbers. Enqueue and read before: this takes the client's counter.
    pub async fn raise_tickets(&self, new: &[NewTicket]) -> Result<Vec<(TicketId, i64)>, Error> {
        fn column<T>(new: &[NewTicket], field: impl Fn(&NewTicket) -> T) -> Vec<T> {
            new.iter().map(field).collect()
        }
        let columns = (
            column(new, |ticket| ticket.id),
            column(new, |ticket| ticket.event_id),
            column(new, |ticket| ticket.site_id),
            column(new, |ticket| ticket.title.clone()),
            column(new, |ticket| ticket.description.clone()),
            column(new, |ticket| ticket.priority),
            column(new, |ticket| ticket.source),
            column(new, |ticket| ticket.assignee_id),
            column(new, |ticket| ticket.group_id),
            column(new, |ticket| ticket.created_by),
            column(new, |ticket| ticket.alarm_rule_id),
            column(new, |ticket| ticket.device_id),
            column(new, |ticket| ticket.correlation_id),
            column(new, |ticket| ticket.detail.clone()),
            column(new, |ticket| ticket.created_at),
        );
        self.all(&RAISE, columns).await
    }

    /// Stores a ticket's state; [`Error::Stale`] when somebody changed the ticket since it was read.
    pub async fn set_ticket_state(
        &self,
        read: &Ticket,
        to: TicketState,
        now: Timestamp,
    ) -> Result<(), Error> {
        let restarts = to.escalates() && !read.state.escalates();
        self.execute_one(&SET_STATE, (to, now, restarts, read.id, read.version)).await
    }

    /// Stores who works on a ticket; [`Error::Stale`] when somebody changed the ticket since it was read.
    pub async fn set_ticket_assignee(
        &self,
        read: &Ticket,
        person: Option<PersonId>,
        group: Option<GroupId>,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.execute_one(&SET_ASSIGNEE, (person, group, now, read.id, read.version)).await
    }

    /// Adds entries to the histories of tickets; answers how many were not there.
    pub async fn tell_tickets(&self, events: &[NewTicketEvent]) -> Result<u64, Error> {
        let columns = (
            events.iter().map(|event| event.id).collect::<Vec<_>>(),
            events.iter().map(|event| event.ticket_id).collect::<Vec<_>>(),
            events.iter().map(|event| event.kind).collect::<Vec<_>>(),
            events.iter().map(|event| event.person_id).collect::<Vec<_>>(),
            events.iter().map(|event| event.detail.clone()).collect::<Vec<_>>(),
            events.iter().map(|event| event.assignee_id).collect::<Vec<_>>(),
            events.iter().map(|event| event.group_id).collect::<Vec<_>>(),
            events.iter().map(|event| event.level).collect::<Vec<_>>(),
            events.iter().map(|event| event.correlation_id).collect::<Vec<_>>(),
            events.iter().map(|event| event.at).collect::<Vec<_>>(),
        );
        self.execute(&TELL, columns).await
    }

    /// Reads an entry of some ticket's history.
    pub async fn ticket_event(&self, id: TicketEventId) -> Result<Option<KnownTicketEvent>, Error> {
        self.opt(&EVENT, (id,)).await
    }
}
