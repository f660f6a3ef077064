//! Tickets nobody acted on in time go to whom the client's rules name.

use std::collections::BTreeSet;

use domain::ticket::TicketEventKind;
use domain::{Actor, ClientId, TicketEventId, TicketId};
use jiff::Timestamp;
use store::escalation::OverdueTicket;
use store::ticket::NewTicketEvent;
use store::{Store, Tx};

use crate::Error;
use crate::news::{self, News, TicketMail};

/// The ids of every active client: escalation goes client by client.
///
/// # Errors
/// Those of the store.
pub async fn list_client_ids(store: &Store) -> Result<Vec<ClientId>, Error> {
    let ids = store.run_system("list_clients", |tx| async move { tx.list_client_ids().await });
    Ok(ids.await?)
}

/// Escalates at most `limit` overdue tickets of the actor's client by one level each; answers how many. Fewer than
/// `limit` means that none are left.
///
/// # Errors
/// Those of the store.
pub async fn escalate(store: &Store, actor: &Actor, now: Timestamp, limit: u16) -> Result<usize, Error> {
    let limit = i64::from(limit);
    let escalated = store.run_tx(actor, "escalate_tickets", |tx| async move {
        let overdue = tx.overdue_tickets(now, limit).await?;
        if overdue.is_empty() {
            return Ok::<usize, store::Error>(0);
        }
        let raised: BTreeSet<TicketId> = tx.raise_levels(&overdue, now).await?.into_iter().collect();
        tell(&tx, actor, overdue.iter().filter(|ticket| raised.contains(&ticket.id)), now).await?;
        Ok(raised.len())
    });
    Ok(escalated.await?)
}

async fn tell(
    tx: &Tx,
    actor: &Actor,
    escalated: impl Iterator<Item = &OverdueTicket>,
    now: Timestamp,
) -> Result<(), store::Error> {
    let (events, news): (Vec<_>, Vec<_>) = escalated
        .map(|ticket| {
            let event = event_of(actor, ticket, now);
            let news = news_of(actor, ticket, event.id);
            (event, news)
        })
        .unzip();
    tx.tell_tickets(&events).await?;
    news::spread(tx, actor, &news).await
}

fn event_of(actor: &Actor, ticket: &OverdueTicket, at: Timestamp) -> NewTicketEvent {
    let (from, to) = (ticket.escalation_level, ticket.escalation_level + 1);
    NewTicketEvent {
        id: TicketEventId::generate(),
        ticket_id: ticket.id,
        kind: TicketEventKind::Escalated,
        person_id: actor.person_id,
        detail: format!("Escalated from level {from} to {to}: nobody acted in time."),
        assignee_id: ticket.next_assignee(),
        group_id: ticket.next_group(),
        level: to,
        correlation_id: actor.correlation_id,
        at,
    }
}

fn news_of(actor: &Actor, ticket: &OverdueTicket, event_id: TicketEventId) -> News {
    News {
        mail: TicketMail { ticket_id: ticket.id, event_id },
        people: [ticket.next_assignee(), ticket.created_by].into_iter().flatten().collect(),
        group: ticket.next_group(),
        has_address: ticket.rule_notifies,
        correlation_id: actor.correlation_id,
    }
}
