//! Moving, commenting and assigning tickets.

use domain::ticket::{Ticket, TicketComment, TicketEventKind, TicketState};
use domain::{Actor, Capability, FieldError, GroupId, PersonId, TicketEventId, TicketId};
use jiff::Timestamp;
use store::ticket::NewTicketEvent;
use store::{Store, Tx};

use super::visible;
use crate::news::{self, News, TicketMail};
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
struct Read {
    id: TicketId,
    version: i64,
}

/// Moves a ticket to another state and tells whom it concerns.
///
/// # Errors
/// `forbidden`, `ticket-not-found`, `ticket-stale`, `ticket-move-refused`.
pub async fn move_to(
    store: &Store,
    actor: &Actor,
    (id, version): (TicketId, i64),
    to: TicketState,
    now: Timestamp,
) -> Result<(), Error> {
    right::require(actor, Capability::TicketsWrite)?;
    let event_id = TicketEventId::generate();
    store
        .run_tx(actor, "move_ticket", |tx| async move {
            let ticket = unchanged(&tx, actor, Read { id, version }).await?;
            let to = ticket.state.move_to(to)?;
            tx.set_ticket_state(&ticket, to, now).await.map_err(|error| stale(id, error))?;
            let detail = format!("Moved from {} to {}.", ticket.state.in_words(), to.in_words());
            let event = event(actor, id, (event_id, TicketEventKind::Moved), detail, now);
            tell(&tx, actor, &ticket, event).await
        })
        .await
}

/// Adds what somebody says to a ticket's history and tells whom it concerns. Safe to repeat.
///
/// # Errors
/// `forbidden`, `ticket-not-found`.
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
            let event = event(actor, id, (comment.id, TicketEventKind::Commented), detail, now);
            tell(&tx, actor, &ticket, event).await
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
    (id, version): (TicketId, i64),
    to: Assignment,
    now: Timestamp,
) -> Result<(), Error> {
    right::require(actor, Capability::TicketsWrite)?;
    let event_id = TicketEventId::generate();
    store
        .run_tx(actor, "assign_ticket", |tx| async move {
            let mut ticket = unchanged(&tx, actor, Read { id, version }).await?;
            let detail = describe(&tx, to).await?;
            tx.set_ticket_assignee(&ticket, to.person_id, to.group_id, now)
                .await
                .map_err(|error| stale(id, error))?;
            ticket.assignee_id = to.person_id;
            ticket.group_id = to.group_id;
            let event = event(actor, id, (event_id, TicketEventKind::Assigned), detail, now);
            tell(&tx, actor, &ticket, event).await
        })
        .await
}

async fn unchanged(tx: &Tx, actor: &Actor, read: Read) -> Result<Ticket, Error> {
    let ticket = visible(tx, actor, read.id).await?;
    if ticket.version == read.version { Ok(ticket) } else { Err(Error::TicketStale(read.id)) }
}

fn stale(id: TicketId, error: store::Error) -> Error {
    if matches!(error, store::Error::Stale { .. }) { Error::TicketStale(id) } else { error.into() }
}

/// Who gets a ticket, as a sentence; names everybody who does not exist.
async fn describe(tx: &Tx, to: Assignment) -> Result<String, Error> {
    let mut names = Vec::new();
    let mut broken = Vec::new();
    if let Some(person) = to.person_id {
        match tx.colleagues(vec![person]).await?.pop() {
            Some(colleague) => names.push(colleague.name),
            None => broken.push(FieldError::new("/assignee_id", "choose a person of your client")),
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

fn event(
    actor: &Actor,
    ticket_id: TicketId,
    (id, kind): (TicketEventId, TicketEventKind),
    detail: String,
    at: Timestamp,
) -> NewTicketEvent {
    let person_id = actor.person_id;
    NewTicketEvent { id, ticket_id, kind, person_id, detail, correlation_id: actor.correlation_id, at }
}

/// Adds an event to a ticket's history and, when it was not there, tells whom it concerns.
async fn tell(tx: &Tx, actor: &Actor, ticket: &Ticket, event: NewTicketEvent) -> Result<(), Error> {
    let mail = TicketMail { ticket_id: ticket.id, event_id: event.id };
    if tx.tell_tickets(&[event]).await? > 0 {
        let news = News {
            mail,
            people: [ticket.assignee_id, ticket.created_by].into_iter().flatten().collect(),
            group: ticket.group_id,
            has_address: false,
            correlation_id: actor.correlation_id,
        };
        news::spread(tx, actor, &[news]).await?;
    }
    Ok(())
}
