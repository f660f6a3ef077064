//! Listing and reading tickets.

use domain::{Actor, Capability, TicketId};
use store::Store;
use store::ticket::{ListedTicket, NamedTicket, TicketHistoryEntry, TicketPage};

use super::filter::{Filter, PAGE_LIMIT_MAX};
use crate::{Error, right};

/// Most entries of a history that are shown: the latest.
const HISTORY_MAX: i64 = 500;

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The rows, newest first.
    pub rows: Vec<ListedTicket>,
    /// Whether there are rows behind the last one.
    pub has_more: bool,
}

/// One ticket and everything that happened to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    /// The ticket with the names a reader wants.
    pub named: NamedTicket,
    /// What happened, oldest first.
    pub history: Vec<TicketHistoryEntry>,
}

/// Lists the tickets the actor may see.
///
/// # Errors
/// `forbidden`.
pub async fn list(store: &Store, actor: &Actor, filter: &Filter) -> Result<Page, Error> {
    right::require(actor, Capability::TicketsRead)?;
    let limit = usize::from(filter.limit.clamp(1, PAGE_LIMIT_MAX));
    let page = &TicketPage {
        scope: actor.sites.clone(),
        state: filter.state,
        priority: filter.priority,
        site_id: filter.site_id,
        words: filter.words.clone(),
        after: filter.after,
        limit: i32::from(filter.limit.clamp(1, PAGE_LIMIT_MAX)) + 1,
    };
    let listed = store.read(actor, "list_tickets", |tx| async move {
        let mut ids = tx.page_of_tickets(page).await?;
        let has_more = ids.len() > limit;
        ids.truncate(limit);
        Ok::<_, store::Error>(Page { rows: tx.listed_tickets(ids).await?, has_more })
    });
    Ok(listed.await?)
}

/// Reads a ticket with its history.
///
/// # Errors
/// `forbidden`, `ticket-not-found`.
pub async fn get(store: &Store, actor: &Actor, id: TicketId) -> Result<Details, Error> {
    right::require(actor, Capability::TicketsRead)?;
    store
        .read(actor, "get_ticket", |tx| async move {
            let named = tx
                .named_ticket(id)
                .await?
                .filter(|named| actor.sites.contains(named.ticket.site_id))
                .ok_or(Error::TicketNotFound(id))?;
            let history = tx.ticket_history(id, HISTORY_MAX).await?;
            Ok(Details { named, history })
        })
        .await
}
