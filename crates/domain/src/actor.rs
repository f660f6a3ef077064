//! Who acts, for which client, with which rights.

use std::collections::BTreeSet;

use crate::id::{ClientId, CorrelationId, PersonId, SiteId};
use crate::text_enum;

text_enum! {
    /// What a person may do. A route or use case names the one it needs.
    Capability {
        /// May use the web application at all.
        Web = "WEB",
        /// May see tickets.
        TicketsRead = "TICKETS_READ",
        /// May raise and change tickets.
        TicketsWrite = "TICKETS_WRITE",
        /// May see devices and readings.
        DevicesRead = "DEVICES_READ",
        /// May administer people, sites and rules of the client.
        Admin = "ADMIN",
        /// May see and steer the task queue of the whole installation, whichever tenant a task works for.
        Operate = "OPERATE",
        /// May sign in with a handset.
        Mob = "MOB",
        /// May see the portlets of other programs.
        Portlet = "PORTLET",
        /// May draw reports.
        Report = "REPORT",
        /// May see the control room's views.
        Noc = "NOC",
        /// May read the log of security events.
        Security = "SECURITY",
        /// May look into another client for a while, read-only and seen by both.
        Support = "SUPPORT",
    }
}

impl Capability {
    /// Whether a client may hand it out to its own people. `OPERATE` and `SUPPORT` reach every client: only whoever owns
    /// the schema grants them, and no use case on behalf of a client may.
    pub fn is_granted_by_client(self) -> bool {
        !matches!(self, Self::Operate | Self::Support)
    }
}

/// Which sites of the client an actor sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SiteScope {
    /// Every site of the client.
    All,
    /// Only these.
    Only(BTreeSet<SiteId>),
}

impl SiteScope {
    /// Whether a site is inside the scope.
    pub fn contains(&self, site: SiteId) -> bool {
        match self {
            Self::All => true,
            Self::Only(sites) => sites.contains(&site),
        }
    }

    /// The sites as an array for SQL; `None` means every site.
    pub fn as_filter(&self) -> Option<Vec<SiteId>> {
        match self {
            Self::All => None,
            Self::Only(sites) => Some(sites.iter().copied().collect()),
        }
    }
}

/// Who acts. Every transaction belongs to one, and its client is the only one whose rows exist for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The tenant.
    pub client_id: ClientId,
    /// The person; `None` when a process acts for the client.
    pub person_id: Option<PersonId>,
    /// What the actor may do.
    pub capabilities: BTreeSet<Capability>,
    /// Where the actor may do it.
    pub sites: SiteScope,
    /// The request, message or task that started this.
    pub correlation_id: CorrelationId,
}

impl Actor {
    /// A process acting for a client: every capability a client has to give, every site, no person.
    pub fn process(client_id: ClientId, correlation_id: CorrelationId) -> Self {
        Self {
            client_id,
            person_id: None,
            capabilities: Capability::ALL.iter().copied().filter(|one| one.is_granted_by_client()).collect(),
            sites: SiteScope::All,
            correlation_id,
        }
    }

    /// Whether the actor has a capability.
    pub fn may(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }
}
