//! Moving, commenting and assigning tickets.

use domain::ticket::{Ticket, TicketComment, TicketEventKind, TicketState};
use domain::{Actor, Capability, FieldError, GroupId, PersonId, SiteId, TicketEventId, TicketId};
use jiff::Timestamp;
use store::ticket::NewTicketEvent;
use store::{Store, Tx};

use super::visible;
use crate::news::{self, News};
use crate::{Error, right};

/// Something somebody says about a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Its id, made by whoever asks, so that asking twice says it once.
    pub id: TicketEventId,
    /// What is said.
    pub text: TicketComment,
}

impl Comment {
    /// Reads what was typed.
    ///
    /// # Errors
    /// `invalid-ticket`.
    pub fn parse(id: TicketEventId, text: &str) -> Result<Self, Error> {
        match TicketComment::parse(text) {
            Ok(text) => Ok(Self { id, text }),
            Err(rule) => Err(Error::InvalidTicket(vec![FieldError::new("/text", rule.rule)])),
        }
    }
}

/// Who shall work on a ticket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Assignment {
    /// A person.
    pub person_id: Option<PersonId>,
    /// A group.
    pub group_id: Option<GroupId>,
}

/// A ticket as its writer read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TicketRead {
    /// Which one.
    pub id: TicketId,
    /// The version that was read.
    pub version: i64,
}

/// Moves a ticket to another state and tells whom it concerns.
///
/// # Errors
/// `forbidden`, `ticket-not-found`, `ticket-stale`, `ticket-move-refused`.
pub async fn move_to(
    store: &Store,
    actor: &Actor,
    read: TicketRead,
    to: TicketState,
    now: Timestamp,
) -> Result<(), Error> {
    right::require(actor, Capability::TicketsWrite)?;
    let event_id = TicketEventId::generate();
    store
        .run_tx(actor, "move_ticket", |tx| async move {
            let ticket = unchanged(&tx, actor, read).await?;
            let to = ticket.state.move_to(to)?;
            tx.set_ticket_state(&ticket, to, now).await.map_err(|error| stale(read.id, error))?;
            let detail = format!("Moved from {} to {}.", ticket.state.in_words(), to.in_words());
            let entry = Entry { id: event_id, kind: TicketEventKind::Moved, detail };
            tell(&tx, actor, &ticket, entry.of(actor, &ticket, now)).await?;
            Ok(())
        })
        .await
}

/// Adds what somebody says to a ticket's history and tells whom it concerns. Safe to repeat.
///
/// # Errors
/// `forbidden`, `ticket-not-found`, `ticket-exists` when the id was used for something else.
pub async fn comment(
    store: &Store,
    actor: &Actor,
    id: TicketId,
    comment: &Comment,
    now: Timestamp,
) -> Result<(), Error> {
    right::require(actor, Capability::TicketsWrite)?;
    store
        .run_tx(actor, "comment_ticket", |tx| async move {
            let ticket = visible(&tx, actor, id).await?;
            let detail = comment.text.as_str().to_owned();
            let entry = Entry { id: comment.id, kind: TicketEventKind::Commented, detail };
            let event = entry.of(actor, &ticket, now);
            if tell(&tx, actor, &ticket, event.clone()).await? || is_known(&tx, &event).await? {
                Ok(())
            } else {
                Err(Error::TicketExists(id))
            }
        })
        .await
}

/// Gives a ticket to a person, a group, both or nobody, and tells whom it concerns.
///
/// # Errors
/// `forbidden`, `ticket-not-found`, `ticket-stale`, `invalid-ticket`.
pub async fn assign(
    store: &Store,
    actor: &Actor,
    read: TicketRead,
    to: Assignment,
    now: Timestamp,
) -> Result<(), Error> {
    right::require(actor, Capability::TicketsWrite)?;
    let event_id = TicketEventId::generate();
    store
        .run_tx(actor, "assign_ticket", |tx| async move {
            let mut ticket = unchanged(&tx, actor, read).await?;
            let detail = describe(&tx, ticket.site_id, to).await?;
            tx.set_ticket_assignee(&ticket, to.person_id, to.group_id, now)
                .await
                .map_err(|error| stale(read.id, error))?;
            ticket.assignee_id = to.person_id;
            ticket.group_id = to.group_id;
            let entry = Entry { id: event_id, kind: TicketEventKind::Assigned, detail };
            tell(&tx, actor, &ticket, entry.of(actor, &ticket, now)).await?;
            Ok(())
        })
        .await
}

async fn unchanged(tx: &Tx, actor: &Actor, read: TicketRead) -> Result<Ticket, Error> {
    let ticket = visible(tx, actor, read.id).await?;
    if ticket.version == read.version { Ok(ticket) } else { Err(Error::TicketStale(read.id)) }
}

fn stale(id: TicketId, error: store::Error) -> Error {
    if matches!(error, store::Error::Stale { .. }) { Error::TicketStale(id) } else { error.into() }
}

/// Who gets a ticket of a site, as a sentence; names everybody who does not exist or does not see the site.
async fn describe(tx: &Tx, site: SiteId, to: Assignment) -> Result<String, Error> {
    let mut names = Vec::new();
    let mut broken = Vec::new();
    if let Some(person) = to.person_id {
        match tx.name_of_worker(person, site).await? {
            Some(name) => names.push(name),
            None => broken.push(FieldError::new("/assignee_id", "choose a person who looks after the site")),
        }
    }
    if let Some(group) = to.group_id {
        match tx.group_name(group).await? {
            Some(name) => names.push(name),
            None => broken.push(FieldError::new("/group_id", "choose a group of your client")),
        }
    }
    match (broken.is_empty(), names.is_empty()) {
        (false, _) => Err(Error::InvalidTicket(broken)),
        (true, true) => Ok("Given to nobody.".to_owned()),
        (true, false) => Ok(format!("Given to {}.", names.join(" and "))),
    }
}

/// What is added to a ticket's history.
struct Entry {
    id: TicketEventId,
    kind: TicketEventKind,
    detail: String,
}

impl Entry {
    /// The event of a ticket as it stands after it.
    fn of(self, actor: &Actor, after: &Ticket, at: Timestamp) -> NewTicketEvent {
        NewTicketEvent {
            id: self.id,
            ticket_id: after.id,
            kind: self.kind,
            person_id: actor.person_id,
            detail: self.detail,
            assignee_id: after.assignee_id,
            group_id: after.group_id,
            level: after.escalation_level,
            correlation_id: actor.correlation_id,
            at,
        }
    }
}

/// Adds an event to a ticket's history and, when it was not there, tells whom it concerns; answers whether it was new.
async fn tell(tx: &Tx, actor: &Actor, ticket: &Ticket, event: NewTicketEvent) -> Result<bool, Error> {
    let news = News::of(ticket, event.id, actor.correlation_id);
    let is_new = tx.tell_tickets(&[event]).await? > 0;
    if is_new {
        news::spread(tx, actor, &[news]).await?;
    }
    Ok(is_new)
}

/// Whether an event is there as it would be added now: the same person said the same about the same ticket.
async fn is_known(tx: &Tx, event: &NewTicketEvent) -> Result<bool, Error> {
    let known = tx.ticket_event(event.id).await?;
    Ok(known.is_some_and(|known| {
        known.ticket_id == event.ticket_id
            && known.kind == event.kind
            && known.person_id == event.person_id
            && known.detail == event.detail
    }))
}
