//! Tickets nobody acted on in time go to whom the client's rules name.

use std::collections::BTreeSet;

use domain::ticket::TicketEventKind;
use domain::{Actor, ClientId, Fault, FaultKind, TicketEventId, TicketId};
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

/// What became of overdue tickets.
#[derive(Debug, Default)]
pub struct Escalation {
    /// How many were overdue: fewer than were asked for means that none are left.
    pub overdue: usize,
    /// How many were escalated.
    pub escalated: usize,
    /// Those that could not be, each with the reason.
    pub failed: Vec<(TicketId, Error)>,
}

/// Escalates at most `limit` overdue tickets of the actor's client by one level each.
///
/// All in one transaction, or each in its own when that one fails: a ticket that cannot be escalated does not keep the
/// others from it.
///
/// # Errors
/// Those of the store.
pub async fn escalate(store: &Store, actor: &Actor, now: Timestamp, limit: u16) -> Result<Escalation, Error> {
    escalate_others(store, actor, now, limit, &BTreeSet::new()).await
}

/// The same for all but some tickets: those that could not be escalated a moment ago would be found first again, and those
/// behind them never.
///
/// # Errors
/// Those of the store.
pub async fn escalate_others(
    store: &Store,
    actor: &Actor,
    now: Timestamp,
    limit: u16,
    except: &BTreeSet<TicketId>,
) -> Result<Escalation, Error> {
    let choice = Choice { limit: limit.into(), only: None, except: except.iter().copied().collect() };
    let together = escalate_some(store, actor, now, &choice).await;
    match together {
        Ok((overdue, escalated)) => Ok(Escalation { overdue, escalated, failed: Vec::new() }),
        // The database is not there, or too busy: what is asked for again one by one meets the same.
        Err(error) if error.kind() == FaultKind::Unavailable => Err(error.into()),
        Err(_of_one) => escalate_one_by_one(store, actor, now, &choice).await,
    }
}

/// Which overdue tickets: the oldest of all or of some, but for others.
struct Choice {
    limit: i64,
    only: Option<Vec<TicketId>>,
    except: Vec<TicketId>,
}

impl Choice {
    async fn find(&self, tx: &Tx, now: Timestamp) -> Result<Vec<OverdueTicket>, store::Error> {
        tx.overdue_tickets(now, self.limit, self.only.clone(), self.except.clone()).await
    }
}

async fn escalate_one_by_one(
    store: &Store,
    actor: &Actor,
    now: Timestamp,
    choice: &Choice,
) -> Result<Escalation, Error> {
    let overdue =
        store.run_tx(actor, "find_overdue_tickets", |tx| async move { choice.find(&tx, now).await });
    let ids: Vec<TicketId> = overdue.await?.into_iter().map(|ticket| ticket.id).collect();
    let mut done = Escalation { overdue: ids.len(), ..Escalation::default() };
    for id in ids {
        let one = Choice { limit: 1, only: Some(vec![id]), except: Vec::new() };
        match escalate_some(store, actor, now, &one).await {
            Ok((_, escalated)) => done.escalated += escalated,
            Err(error) => done.failed.push((id, error.into())),
        }
    }
    Ok(done)
}

/// Escalates in one transaction; answers how many were overdue and how many were escalated.
async fn escalate_some(
    store: &Store,
    actor: &Actor,
    now: Timestamp,
    choice: &Choice,
) -> Result<(usize, usize), store::Error> {
    let escalated = store.run_tx(actor, "escalate_tickets", |tx| async move {
        let overdue = choice.find(&tx, now).await?;
        if overdue.is_empty() {
            return Ok::<_, store::Error>((0, 0));
        }
        let raised: BTreeSet<TicketId> = tx.raise_levels(&overdue, now).await?.into_iter().collect();
        tell(&tx, actor, overdue.iter().filter(|ticket| raised.contains(&ticket.id)), now).await?;
        Ok((overdue.len(), raised.len()))
    });
    escalated.await
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
