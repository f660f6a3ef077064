//! What stands around every page: links to the bundle, nonce, CSRF token, navigation, who is signed in.

use std::collections::BTreeSet;

use domain::Capability;

use crate::bundle::{self, Bundle};
use crate::view::Zone;

const TICKETS: &str = "/tickets";

/// What everybody who is signed in has.
const ACCOUNT: &str = "/account";

/// The frame of a page.
#[derive(Clone, Debug)]
pub(crate) struct Shell {
    /// Names of style sheet and script.
    pub(crate) bundle: &'static Bundle,
    /// Stamped on scripts and on elements htmx works on.
    pub(crate) nonce: String,
    /// Sent back by every form.
    pub(crate) csrf: String,
    /// Who is signed in.
    pub(crate) visitor: Option<Visitor>,
    /// The zone of all times on the page.
    pub(crate) zone: Zone,
}

impl Shell {
    /// The frame of a page for somebody, or for nobody.
    pub(crate) fn new(nonce: String, csrf: String, visitor: Option<Visitor>, zone: Zone) -> Self {
        Self { bundle: bundle::names(), nonce, csrf, visitor, zone }
    }

    /// Where the reader's day begins: the first page of the navigation.
    pub(crate) fn start(&self) -> &'static str {
        let groups = self.visitor.as_ref().map(Visitor::menu).unwrap_or_default();
        groups.first().and_then(|group| group.entries.first()).map_or(ACCOUNT, |entry| entry.href)
    }

    /// Whether buttons that change tickets are offered.
    pub(crate) fn may_write(&self) -> bool {
        self.visitor.as_ref().is_some_and(|visitor| visitor.capabilities.contains(&Capability::TicketsWrite))
    }
}

/// Who is signed in, as a page needs to know.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    /// The person's name.
    pub(crate) person_name: String,
    /// The client's name.
    pub(crate) client_name: String,
    /// What the person may do.
    pub(crate) capabilities: BTreeSet<Capability>,
    /// Whether the client's data is made up.
    pub(crate) demo: bool,
    /// Whether the client is not the person's own: they look into it to help, and may change nothing.
    pub(crate) looks_into_another: bool,
}

/// A group of the navigation, named for a job.
pub(crate) struct MenuGroup {
    /// The job.
    pub(crate) title: &'static str,
    /// Where one can go.
    pub(crate) entries: Vec<MenuEntry>,
}

/// One link of the navigation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MenuEntry {
    /// What it says.
    pub(crate) title: &'static str,
    /// Where it leads.
    pub(crate) href: &'static str,
    /// Names the icon.
    pub(crate) icon: &'static str,
}

const fn entry(title: &'static str, href: &'static str, icon: &'static str) -> MenuEntry {
    MenuEntry { title, href, icon }
}

/// What people do all day.
const WORK: [(Capability, MenuEntry); 1] = [(Capability::TicketsRead, entry("Tickets", TICKETS, "ticket"))];

/// What few people look after.
const SETUP: [(Capability, MenuEntry); 5] = [
    (Capability::Admin, entry("Users", "/setup/users", "people")),
    (Capability::Admin, entry("Groups", "/setup/groups", "group")),
    (Capability::Security, entry("Security log", "/setup/security", "shield")),
    (Capability::Operate, entry("Tasks", "/operate/tasks", "tasks")),
    (Capability::Support, entry("Support", "/support", "look")),
];

impl Visitor {
    /// The groups this person can use, in the order of the day: only entries that exist and are allowed.
    pub(crate) fn menu(&self) -> Vec<MenuGroup> {
        let group = |title, entries: &[(Capability, MenuEntry)]| {
            let allowed = entries.iter().filter(|(needed, _)| self.capabilities.contains(needed));
            MenuGroup { title, entries: allowed.map(|(_, entry)| *entry).collect() }
        };
        let mut groups = vec![group("Work", &WORK), group("Setup", &SETUP)];
        groups.retain(|group| !group.entries.is_empty());
        groups
    }
}
