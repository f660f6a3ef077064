//! News of a ticket on its way to people: one task for each event that reaches somebody. The task writes the mail, so that
//! a burst of alarms waits for no addresses and no words.

use std::collections::BTreeSet;

use domain::ticket::{NewTicket, Ticket};
use domain::{Actor, ClientId, CorrelationId, GroupId, PersonId, TicketEventId, TicketId};
use queue::NewTask;
use serde::{Deserialize, Serialize};
use store::Tx;

/// The kind of task that writes mail about an event of a ticket.
pub const MAIL_KIND: &str = "ticket.mail";
/// The queue it waits in.
pub const MAIL_QUEUE: &str = "email";

/// The arguments of a task of kind [`MAIL_KIND`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TicketMail {
    /// The ticket.
    pub ticket_id: TicketId,
    /// The event the mail tells.
    pub event_id: TicketEventId,
}

/// An event and whom it concerns.
#[derive(Clone, Debug)]
pub(crate) struct News {
    pub(crate) mail: TicketMail,
    pub(crate) people: Vec<PersonId>,
    pub(crate) group: Option<GroupId>,
    /// Whether an address outside of people and groups is told in any case.
    pub(crate) has_address: bool,
    pub(crate) correlation_id: CorrelationId,
}

impl News {
    /// The news that a ticket was raised.
    pub(crate) fn of_new(ticket: &NewTicket) -> Self {
        Self {
            mail: TicketMail { ticket_id: ticket.id, event_id: ticket.event_id },
            people: [ticket.assignee_id, ticket.created_by].into_iter().flatten().collect(),
            group: ticket.group_id,
            has_address: false,
            correlation_id: ticket.correlation_id,
        }
    }

    /// The news that something happened to a ticket: to those who have it after the event.
    pub(crate) fn of(after: &Ticket, event_id: TicketEventId, correlation_id: CorrelationId) -> Self {
        Self {
            mail: TicketMail { ticket_id: after.id, event_id },
            people: [after.assignee_id, after.created_by].into_iter().flatten().collect(),
            group: after.group_id,
            has_address: false,
            correlation_id,
        }
    }

    fn task(&self, client: ClientId) -> NewTask {
        NewTask::new(MAIL_KIND, &self.mail)
            .queue(MAIL_QUEUE)
            // A caller chooses the ids of comments, and keys hold over all clients: the client is part of this one.
            .unique_key(format!("{client}:{}", self.mail.event_id))
            .tenant(*client.as_uuid())
            .correlation(*self.correlation_id.as_uuid())
    }
}

/// Enqueues a mail task for each event that concerns somebody whom mail reaches.
pub(crate) async fn spread(tx: &Tx, actor: &Actor, news: &[News]) -> Result<(), store::Error> {
    let people: BTreeSet<PersonId> = news.iter().flat_map(|one| one.people.iter().copied()).collect();
    let groups: BTreeSet<GroupId> = news.iter().filter_map(|one| one.group).collect();
    let people: BTreeSet<PersonId> = if people.is_empty() {
        people
    } else {
        let known = tx.colleagues(people.into_iter().collect()).await?;
        known.into_iter().filter(|person| person.has_email).map(|person| person.id).collect()
    };
    let groups: BTreeSet<GroupId> = if groups.is_empty() {
        groups
    } else {
        tx.reachable_groups(groups.into_iter().collect()).await?.into_iter().collect()
    };
    let reaches = |one: &&News| {
        one.has_address
            || one.people.iter().any(|person| people.contains(person))
            || one.group.is_some_and(|group| groups.contains(&group))
    };
    let tasks: Vec<NewTask> = news.iter().filter(reaches).map(|one| one.task(actor.client_id)).collect();
    if !tasks.is_empty() {
        tx.enqueue(&tasks).await?;
    }
    Ok(())
}
