//! Tickets: somebody says what is wrong, somebody makes it right, everybody sees how it went.

mod change;
mod create;
mod draft;
mod filter;
mod read;

pub use change::{Assignment, Comment, TicketRead, assign, comment, move_to};
pub use create::{Raised, create};
pub use draft::{Draft, DraftText};
pub use filter::{Filter, FilterText, PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX};
pub use read::{Details, Page, get, list};
pub use store::ticket::{ListedTicket, NamedTicket, TicketHistoryEntry};

use domain::ticket::Ticket;
use domain::{Actor, TicketId};
use store::Tx;

use crate::Error;

/// Reads a ticket the actor may see; another client's and another site's are not there.
pub(crate) async fn visible(tx: &Tx, actor: &Actor, id: TicketId) -> Result<Ticket, Error> {
    tx.ticket(id)
        .await?
        .filter(|ticket| actor.sites.contains(ticket.site_id))
        .ok_or(Error::TicketNotFound(id))
}
