//! Tickets, with valid defaults.

use std::borrow::Borrow;
use std::pin::Pin;

use domain::ticket::{TicketPriority, TicketState};
use domain::{ClientId, CorrelationId, GroupId, PersonId, SiteId, TicketId};

use crate::database::Database;

impl Database {
    /// A new ticket of medium priority; await it, or say more first. It has no history.
    pub fn ticket(&self, client: impl Borrow<ClientId>, site: impl Borrow<SiteId>) -> TicketBuilder<'_> {
        TicketBuilder {
            db: self,
            client: *client.borrow(),
            site: *site.borrow(),
            title: "Leak in pump room".to_owned(),
            state: TicketState::New,
            priority: TicketPriority::Medium,
            assignee: None,
            group: None,
            created_by: None,
            created_at: None,
        }
    }
}

/// Describes a ticket; awaiting it inserts the ticket under the client's next number.
#[must_use = "await it"]
pub struct TicketBuilder<'a> {
    db: &'a Database,
    client: ClientId,
    site: SiteId,
    title: String,
    state: TicketState,
    priority: TicketPriority,
    assignee: Option<PersonId>,
    group: Option<GroupId>,
    created_by: Option<PersonId>,
    created_at: Option<jiff::Timestamp>,
}

impl TicketBuilder<'_> {
    /// Gives the title.
    pub fn title(mut self, title: &str) -> Self {
        title.clone_into(&mut self.title);
        self
    }

    /// Puts it into a state, whatever the way there.
    pub fn state(mut self, state: TicketState) -> Self {
        self.state = state;
        self
    }

    /// Gives the priority.
    pub fn priority(mut self, priority: TicketPriority) -> Self {
        self.priority = priority;
        self
    }

    /// Hands it to a person.
    pub fn assignee(mut self, person: PersonId) -> Self {
        self.assignee = Some(person);
        self
    }

    /// Hands it to a group.
    pub fn group(mut self, group: GroupId) -> Self {
        self.group = Some(group);
        self
    }

    /// Says who raised it.
    pub fn created_by(mut self, person: PersonId) -> Self {
        self.created_by = Some(person);
        self
    }

    /// Says when it was raised, such as `2030-01-01T00:00:00Z`.
    ///
    /// # Panics
    /// When the text is not a time.
    pub fn created_at(mut self, at: &str) -> Self {
        self.created_at = Some(at.parse().expect("a time"));
        self
    }

    async fn insert(self) -> TicketId {
        let id = TicketId::generate();
        let sql = "with counted as (
                       insert into ticket_counter (client_id, last_number) values ($1, 1)
                       on conflict (client_id) do update set last_number = ticket_counter.last_number + 1
                       returning last_number)
                   insert into ticket (client_id, id, number, site_id, title, state, priority, source, assignee_id,
                                       group_id, created_by, correlation_id, created_at, updated_at)
                   select $1, $2, last_number, $3, $4, $5, $6, 'PERSON', $7, $8, $9, $10,
                          coalesce($11, now()), coalesce($11, now())
                     from counted";
        let params: &[&(dyn tokio_postgres::types::ToSql + Sync)] = &[
            &self.client,
            &id,
            &self.site,
            &self.title,
            &self.state,
            &self.priority,
            &self.assignee,
            &self.group,
            &self.created_by,
            &CorrelationId::generate(),
            &self.created_at,
        ];
        self.db.insert(sql, params).await;
        id
    }
}

impl<'a> IntoFuture for TicketBuilder<'a> {
    type Output = TicketId;
    type IntoFuture = Pin<Box<dyn Future<Output = TicketId> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.insert())
    }
}
