//! Raising a ticket.

use domain::ticket::{NewTicket, Ticket, TicketSource};
use domain::{Actor, Capability, FieldError, TicketEventId, TicketId};
use jiff::Timestamp;
use store::{Store, Tx};

use super::draft::Draft;
use crate::news::{self, News};
use crate::{Error, right};

/// A ticket that is there after asking for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raised {
    /// Its id.
    pub id: TicketId,
    /// Its number within the client.
    pub number: i64,
    /// Whether this request raised it; `false` when an earlier one with the same id did.
    pub is_new: bool,
}

/// Raises a ticket with the client's next number and tells whom it concerns. Safe to repeat.
///
/// # Errors
/// `forbidden`, `invalid-ticket`, `ticket-exists`.
pub async fn create(store: &Store, actor: &Actor, draft: &Draft, now: Timestamp) -> Result<Raised, Error> {
    right::require(actor, Capability::TicketsWrite)?;
    match raise(store, actor, draft, now).await {
        Err(Error::Store(error)) if error.constraint() == Some("ticket_pkey") => {
            // Somebody asked for the same ticket in the same moment and was faster: it is there.
            raise(store, actor, draft, now).await
        }
        outcome => outcome,
    }
}

/// Raises a ticket in turn with the client's other writers: they meet at the counter of numbers.
async fn raise(store: &Store, actor: &Actor, draft: &Draft, now: Timestamp) -> Result<Raised, Error> {
    let event_id = TicketEventId::generate();
    store
        .run_in_turn(actor, "create_ticket", |tx| async move {
            if let Some(earlier) = tx.ticket(draft.id).await? {
                return repeat_of(&earlier, actor, draft);
            }
            check_references(&tx, actor, draft).await?;
            let new = new_ticket(actor, draft, event_id, now);
            news::spread(&tx, actor, &[News::of_new(&new)]).await?;
            let raised = tx.raise_tickets(&[new]).await?;
            let (id, number) = raised.first().copied().ok_or(Error::TicketNotFound(draft.id))?;
            Ok(Raised { id, number, is_new: true })
        })
        .await
}

/// What to answer when the id is taken: the same ticket to whoever raised it, a refusal to anybody else.
fn repeat_of(earlier: &Ticket, actor: &Actor, draft: &Draft) -> Result<Raised, Error> {
    let same = earlier.created_by == actor.person_id
        && earlier.site_id == draft.site_id
        && earlier.title == draft.title
        && earlier.description == draft.description;
    if same {
        Ok(Raised { id: earlier.id, number: earlier.number, is_new: false })
    } else {
        Err(Error::TicketExists(draft.id))
    }
}

/// Names every reference that leads nowhere; a site the actor does not see is nowhere.
async fn check_references(tx: &Tx, actor: &Actor, draft: &Draft) -> Result<(), Error> {
    let mut broken = Vec::new();
    if !actor.sites.contains(draft.site_id) || !tx.site_exists(draft.site_id).await? {
        broken.push(FieldError::new("/site_id", "choose a site you look after"));
    }
    if let Some(assignee) = draft.assignee_id
        && tx.name_of_worker(assignee, draft.site_id).await?.is_none()
    {
        broken.push(FieldError::new("/assignee_id", "choose a person who looks after the site"));
    }
    if broken.is_empty() { Ok(()) } else { Err(Error::InvalidTicket(broken)) }
}

fn new_ticket(actor: &Actor, draft: &Draft, event_id: TicketEventId, now: Timestamp) -> NewTicket {
    NewTicket {
        id: draft.id,
        event_id,
        site_id: draft.site_id,
        title: draft.title.clone(),
        description: draft.description.clone(),
        priority: draft.priority,
        source: TicketSource::Person,
        assignee_id: draft.assignee_id,
        group_id: None,
        created_by: actor.person_id,
        alarm_rule_id: None,
        device_id: None,
        correlation_id: actor.correlation_id,
        detail: format!("Raised with priority {}.", draft.priority.in_words()),
        created_at: now,
    }
}
