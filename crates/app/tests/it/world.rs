//! One client with a site and two people: what most tests begin with.

use std::collections::BTreeSet;

use app::ticket::{Draft, DraftText, TicketRead};
use domain::{Actor, Capability, ClientId, CorrelationId, PersonId, SiteId, SiteScope, TicketId};
use jiff::Timestamp;
use store::Store;
use testkit::Database;

/// A client, its site and its people.
pub(crate) struct World {
    pub(crate) db: Database,
    pub(crate) client: ClientId,
    pub(crate) site: SiteId,
    pub(crate) asha: PersonId,
    pub(crate) ben: PersonId,
    pub(crate) web: Store,
}

impl World {
    /// Asha has a mail address, Ben has none.
    pub(crate) async fn create() -> Self {
        let db = Database::create().await;
        let client = db.client("ACME").await;
        let site = db.site(client, "HQ").await;
        let asha = db.person(client, "asha").email("asha@acme.example.com").await;
        let ben = db.person(client, "ben").await;
        let web = db.store("web");
        Self { db, client, site, asha, ben, web }
    }

    /// A person of the client, with every capability and every site.
    pub(crate) fn actor(&self, person: PersonId) -> Actor {
        Actor { person_id: Some(person), ..Actor::process(self.client, CorrelationId::generate()) }
    }

    /// The same person at some sites only.
    pub(crate) fn actor_at(&self, person: PersonId, sites: &[SiteId]) -> Actor {
        Actor { sites: SiteScope::Only(sites.iter().copied().collect()), ..self.actor(person) }
    }

    /// The same person with some capabilities only.
    pub(crate) fn actor_with(&self, person: PersonId, capabilities: &[Capability]) -> Actor {
        Actor { capabilities: capabilities.iter().copied().collect::<BTreeSet<_>>(), ..self.actor(person) }
    }

    /// A ticket to be raised at the site.
    pub(crate) fn draft(&self, title: &str) -> Draft {
        let site = self.site.to_string();
        let text = DraftText { site: &site, title, description: "", priority: "HIGH", assignee: "" };
        Draft::parse(TicketId::generate(), &text).unwrap()
    }

    /// Counts rows of a table, past row-level security.
    pub(crate) async fn count(&self, from: &str) -> i64 {
        count(&self.db, from).await
    }
}

/// Counts rows, past row-level security.
pub(crate) async fn count(db: &Database, from: &str) -> i64 {
    db.count(&format!("select count(*) from {from}")).await
}

/// Noon of the first day of 2030.
pub(crate) fn noon() -> Timestamp {
    "2030-01-01T12:00:00Z".parse().unwrap()
}

/// A ticket as it was read before anybody changed it.
pub(crate) fn seen(id: TicketId) -> TicketRead {
    TicketRead { id, version: 1 }
}
