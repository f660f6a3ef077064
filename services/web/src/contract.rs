//! From what the store reads to what the contract promises.

pub(crate) mod security;
pub(crate) mod task;

use api::file::Attachment;
use api::person::PersonChoice;
use api::site::SiteChoice;
use api::ticket::{HistoryQuery, Ticket, TicketEvent, TicketRow};
use app::ticket::{Details, ListedTicket, TicketHistoryEntry};

/// Entries of a history that one answer carries.
const HISTORY_PAGE: usize = 50;

/// A row of the list.
pub(crate) fn row(listed: ListedTicket) -> TicketRow {
    TicketRow {
        id: listed.id,
        number: listed.number,
        title: listed.title.to_string(),
        state: listed.state,
        priority: listed.priority,
        site_name: listed.site_name,
        assignee_name: listed.assignee_name,
        created_at: listed.created_at,
    }
}

/// A ticket with a page of its history: entries are only ever added at the end, so that a place in it stays the same.
pub(crate) fn ticket(Details { named, history }: Details, HistoryQuery { before }: HistoryQuery) -> Ticket {
    let ticket = named.ticket;
    let end =
        before.and_then(|place| usize::try_from(place).ok()).unwrap_or(history.len()).min(history.len());
    let begin = end.saturating_sub(HISTORY_PAGE);
    let entries = history.into_iter().take(end).skip(begin);
    Ticket {
        id: ticket.id,
        number: ticket.number,
        site_id: ticket.site_id,
        site_name: named.site_name,
        title: ticket.title.to_string(),
        description: ticket.description.to_string(),
        state: ticket.state,
        next_states: ticket.state.next().to_vec(),
        priority: ticket.priority,
        source: ticket.source,
        assignee_id: ticket.assignee_id,
        assignee_name: named.assignee_name,
        group_name: named.group_name,
        correlation_id: ticket.correlation_id,
        version: ticket.version,
        created_at: ticket.created_at,
        updated_at: ticket.updated_at,
        history: entries.map(event).collect(),
        history_before: u32::try_from(begin).ok().filter(|place| *place > 0),
    }
}

fn event(entry: TicketHistoryEntry) -> TicketEvent {
    TicketEvent { kind: entry.kind, person_name: entry.person_name, detail: entry.detail, at: entry.at }
}

/// A choice of people.
pub(crate) fn person(person: &app::person::PersonChoice) -> PersonChoice {
    PersonChoice { id: person.id, label: format!("{} ({})", person.name, person.code) }
}

/// A choice of sites.
pub(crate) fn site(site: &app::site::Site) -> SiteChoice {
    SiteChoice { id: site.id, label: format!("{} ({})", site.name, site.code) }
}

/// A file at a ticket.
pub(crate) fn file(file: app::attachment::Attachment) -> Attachment {
    Attachment {
        id: file.id,
        file_name: file.file_name,
        media_type: file.media_type,
        size_bytes: file.size_bytes,
        created_by: file.created_by_name,
        created_at: file.created_at,
    }
}
