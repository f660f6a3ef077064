//! Escalation: who gets a ticket when nobody acts in time.

use domain::ticket::TicketPriority;
use domain::{GroupId, PersonId, SiteId, TicketId};
use jiff::Timestamp;
use uuid::Uuid;

use crate::{Error, Tx, queries, row};

/// A ticket whose time is up, and what its rule says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverdueTicket {
    /// The ticket.
    pub id: TicketId,
    /// The version that was read.
    pub version: i64,
    /// The level it is at.
    pub escalation_level: i32,
    /// Who works on it.
    pub assignee_id: Option<PersonId>,
    /// Which group works on it.
    pub group_id: Option<GroupId>,
    /// Who raised it.
    pub created_by: Option<PersonId>,
    /// Who gets it.
    pub rule_person_id: Option<PersonId>,
    /// Which group gets it.
    pub rule_group_id: Option<GroupId>,
    /// Whether the rule names an address.
    pub rule_notifies: bool,
}

impl OverdueTicket {
    /// Who works on it once it is escalated: whom the rule names, or whoever does when the rule names nobody.
    pub fn next_assignee(&self) -> Option<PersonId> {
        if self.names_somebody() { self.rule_person_id } else { self.assignee_id }
    }

    /// Which group works on it once it is escalated.
    pub fn next_group(&self) -> Option<GroupId> {
        if self.names_somebody() { self.rule_group_id } else { self.group_id }
    }

    fn names_somebody(&self) -> bool {
        self.rule_person_id.is_some() || self.rule_group_id.is_some()
    }
}

/// A rule to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEscalationRule {
    /// Its id.
    pub id: Uuid,
    /// The site it is for; `None` for every site without its own.
    pub site_id: Option<SiteId>,
    /// The priority it is for.
    pub priority: TicketPriority,
    /// The level it leads to, from 1.
    pub level: i32,
    /// Minutes after the last change of level.
    pub after_minutes: i32,
    /// Who gets the ticket.
    pub person_id: Option<PersonId>,
    /// Which group gets the ticket.
    pub group_id: Option<GroupId>,
    /// An address that is told.
    pub notify: Option<String>,
}

row! { OverdueTicket {
    id, version, escalation_level, assignee_id, group_id, created_by, rule_person_id, rule_group_id, rule_notifies
} }

queries! {
    /// Tickets whose time is up, locked; those another worker holds are left to it. Of all, or of some, but for others.
    OVERDUE: (Timestamp, i64, Option<Vec<TicketId>>, Vec<TicketId>) => OverdueTicket = "
        select ticket.id, ticket.version, ticket.escalation_level, ticket.assignee_id, ticket.group_id,
               ticket.created_by, rule.person_id as rule_person_id, rule.group_id as rule_group_id,
               rule.notify is not null as rule_notifies
          from ticket
          join lateral (
                select person_id, group_id, notify, after_minutes
                  from escalation_rule
                 where escalation_rule.client_id = ticket.client_id
                   and escalation_rule.priority = ticket.priority
                   and escalation_rule.level = ticket.escalation_level + 1
                   and (escalation_rule.site_id = ticket.site_id or escalation_rule.site_id is null)
                 order by escalation_rule.site_id nulls last
                 limit 1) as rule on true
         where ticket.state in ('NEW', 'OPEN')
           and ($3::uuid[] is null or ticket.id = any ($3))
           and ticket.id <> all ($4::uuid[])
           and coalesce(ticket.due_from, ticket.created_at)
               <= $1::timestamptz - make_interval(mins => rule.after_minutes)
         order by coalesce(ticket.due_from, ticket.created_at), ticket.id
         limit $2
           for update of ticket skip locked";
    /// Raises the level of tickets nobody has changed since they were read.
    RAISE: (Timestamp, Vec<TicketId>, Vec<i64>, Vec<Option<PersonId>>, Vec<Option<GroupId>>) => TicketId = "
        update ticket
           set escalation_level = ticket.escalation_level + 1, escalated_at = $1, due_from = $1, updated_at = $1,
               assignee_id = given.assignee_id, group_id = given.group_id, version = ticket.version + 1
          from unnest($2::uuid[], $3::bigint[], $4::uuid[], $5::uuid[])
               as given (id, version, assignee_id, group_id)
         where ticket.id = given.id
           and ticket.version = given.version
        returning ticket.id";
    /// Adds a rule; one that exists stays as it is.
    INSERT: (Uuid, Option<SiteId>, TicketPriority, i32, i32, Option<PersonId>, Option<GroupId>, Option<String>)
        => () = "
        insert into escalation_rule (id, site_id, priority, level, after_minutes, person_id, group_id, notify)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        on conflict (client_id, id) do nothing";
}

impl Tx {
    /// Finds and locks tickets whose time is up, oldest first; of `only` these, unless it is absent, and none
    /// of `except`.
    pub async fn overdue_tickets(
        &self,
        now: Timestamp,
        limit: i64,
        only: Option<Vec<TicketId>>,
        except: Vec<TicketId>,
    ) -> Result<Vec<OverdueTicket>, Error> {
        self.all(&OVERDUE, (now, limit, only, except)).await
    }

    /// Raises the level of tickets and gives them to whom their rules say; answers with those it raised.
    pub async fn raise_levels(
        &self,
        overdue: &[OverdueTicket],
        now: Timestamp,
    ) -> Result<Vec<TicketId>, Error> {
        let columns = (
            now,
            overdue.iter().map(|ticket| ticket.id).collect::<Vec<_>>(),
            overdue.iter().map(|ticket| ticket.version).collect::<Vec<_>>(),
            overdue.iter().map(OverdueTicket::next_assignee).collect::<Vec<_>>(),
            overdue.iter().map(OverdueTicket::next_group).collect::<Vec<_>>(),
        );
        self.all(&RAISE, columns).await
    }

    /// Adds a rule, unless it exists.
    pub async fn insert_escalation_rule(&self, rule: &NewEscalationRule) -> Result<u64, Error> {
        let columns = (
            rule.id,
            rule.site_id,
            rule.priority,
            rule.level,
            rule.after_minutes,
            rule.person_id,
            rule.group_id,
            rule.notify.as_ref(),
        );
        self.execute(&INSERT, columns).await
    }
}
