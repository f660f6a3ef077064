//! What stands around every page: links to the bundle, nonce, CSRF token, navigation, who is signed in.

use std::collections::BTreeSet;

use domain::Capability;

use crate::bundle::{self, Bundle};
use crate::view::Zone;

const TICKETS: &str = "/tickets";

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
        groups.first().and_then(|group| group.entries.first()).map_or(TICKETS, |entry| entry.href)
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
}

/// A group of the navigation, named for a job.
pub(crate) struct MenuGroup {
    /// The job.
    pub(crate) title: &'static str,
    /// Where one can go.
    pub(crate) entries: Vec<MenuEntry>,
}

/// One link of the navigation.
pub(crate) struct MenuEntry {
    /// What it says.
    pub(crate) title: &'static str,
    /// Where it leads.
    pub(crate) href: &'static str,
    /// Names the icon.
    pub(crate) icon: &'static str,
}

impl Visitor {
    /// The groups this person can use, in the order of the day: only entries that exist and are allowed.
    pub(crate) fn menu(&self) -> Vec<MenuGroup> {
        let mut groups = Vec::new();
        if self.capabilities.contains(&Capability::TicketsRead) {
            let tickets = MenuEntry { title: "Tickets", href: TICKETS, icon: "ticket" };
            groups.push(MenuGroup { title: "Work", entries: vec![tickets] });
        }
        if self.capabilities.contains(&Capability::Operate) {
            let tasks = MenuEntry { title: "Tasks", href: "/operate/tasks", icon: "tasks" };
            groups.push(MenuGroup { title: "Setup", entries: vec![tasks] });
        }
        groups
    }
}
